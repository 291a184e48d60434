"""Lets everybody in under any name; only for trying things out."""

from atomic_registry.identity.ports import Person
from atomic_registry.identity.providers.pairs import is_usable_pair


class AllowAll:
    """Any name that is not blank, with any password that is not empty."""

    def __init__(self, *, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    async def authenticate(self, username: str, password: str) -> Person | None:
        if not is_usable_pair(username, password):
            return None
        return Person(id=username, preferred_username=username)
