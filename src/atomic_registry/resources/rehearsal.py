"""A dry run: everything is checked as in a real write, and then nothing is kept."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from atomic_registry.identity.ports import IdentityStore, StoredToken, Transaction

T = TypeVar("T")


class _RolledBack(Exception):
    """Ends a transaction that must not be committed."""


class RehearsalStore:
    """The store as services see it in a dry run: each write is undone once it has succeeded."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    async def read(self, query: Callable[[Transaction], T]) -> T:
        return await self._store.read(query)

    async def write(self, change: Callable[[Transaction], T], *, durable: bool = True) -> T:
        outcome: list[T] = []

        def attempt(tx: Transaction) -> None:
            # It may run twice; the last run counts.
            outcome[:] = [change(tx)]
            raise _RolledBack

        with suppress(_RolledBack):
            await self._store.write(attempt, durable=durable)
        return outcome[0]

    async def find_token(self, token_id: str) -> StoredToken | None:
        return await self._store.find_token(token_id)

    async def last_revision(self) -> int:
        return await self._store.last_revision()
