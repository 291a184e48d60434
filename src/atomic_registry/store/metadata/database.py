"""The way in: a database URL becomes a metadata store."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from atomic_registry.clock import Clock
from atomic_registry.content.ports import Change, MetadataStore
from atomic_registry.events.ports import ChangeLog, RepositoryLog
from atomic_registry.identity.ports import IdentityStore
from atomic_registry.store.metadata.sqlite import SqliteMetadata, prepare_sqlite
from atomic_registry.store.metadata.transaction import SqlTransaction

T = TypeVar("T")

SQLITE = "sqlite:///"
_POSTGRESQL = "postgresql://"


class MetadataDatabase(MetadataStore, IdentityStore, ChangeLog, RepositoryLog, Protocol):
    """The stores of content and of identity, with what the process around them needs."""

    async def read(self, query: Callable[[SqlTransaction], T]) -> T:
        """Run the function on one consistent snapshot."""
        ...

    async def write(self, change: Callable[[SqlTransaction], T], *, durable: bool = True) -> T:
        """Run the function and commit; see `MetadataStore` and `IdentityStore`."""
        ...

    async def changes_since(self, revision: int, limit: int) -> list[tuple[int, Change]]:
        """Return changes of repositories above a revision, oldest first."""
        ...

    async def ping(self) -> None:
        """Do a real read and a real write.

        Raises:
            MetadataFailed, StorageFull, StorageReadOnly: as any request would.
        """
        ...

    async def close(self) -> None:
        """Finish what is begun and let go of every connection."""
        ...


def prepare_metadata(url: str) -> None:
    """Create or migrate the schema; call it once, before forking. No connection survives it.

    Raises:
        SchemaTooNew: a newer release has migrated the database.
        MetadataFailed, StorageFull, StorageReadOnly: the database cannot be used.
    """
    if url.startswith(SQLITE):
        prepare_sqlite(url.removeprefix(SQLITE))
        return
    _check_url(url)
    # Importing the driver costs time that a registry on SQLite need not spend.
    from atomic_registry.store.metadata.postgres import prepare_postgres

    prepare_postgres(url)


def open_metadata(url: str, clock: Clock) -> MetadataDatabase:
    """Return the store; call it in each worker, after forking."""
    if url.startswith(SQLITE):
        return SqliteMetadata(url.removeprefix(SQLITE), clock)
    _check_url(url)
    from atomic_registry.store.metadata.postgres import PostgresMetadata

    return PostgresMetadata(url, clock)


def _check_url(url: str) -> None:
    if not url.startswith(_POSTGRESQL):
        scheme = url.partition(":")[0]
        raise ValueError(
            f"database URL with scheme {scheme!r}: use sqlite:////path/to/metadata.db or "
            "postgresql://user@host/database"
        )
