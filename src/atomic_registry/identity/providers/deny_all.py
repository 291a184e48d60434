"""Lets nobody in."""

from atomic_registry.identity.ports import Person


class DenyAll:
    """Knows nobody."""

    def __init__(self, *, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    async def authenticate(self, username: str, password: str) -> Person | None:
        return None
