"""Tries the migration of a database without changing it."""

import contextlib
from pathlib import Path

from sqlalchemy import exc

from atomic_registry.store.metadata.schema import SchemaState, read_state
from atomic_registry.store.metadata.sqlite import prepare_sqlite
from atomic_registry.store.metadata.sqlite_connection import Session, driver, translated

_SQLITE = "sqlite:///"
_COPY = "rehearsal.db"


def rehearse_migration(url: str, directory: Path) -> SchemaState:
    """Return what the database would have after this release has migrated it.

    A SQLite file is copied into the directory and the copy is migrated; PostgreSQL migrates in a
    transaction that is rolled back.

    Raises:
        SchemaTooNew: a newer release has migrated the database, and this one cannot use it.
        MetadataFailed, StorageFull, StorageReadOnly: the migration fails.
    """
    if url.startswith(_SQLITE):
        return _rehearse_sqlite(url.removeprefix(_SQLITE), directory / _COPY)
    # Importing the driver costs time that a registry on SQLite need not spend.
    from atomic_registry.store.metadata.postgres import rehearse_postgres

    return rehearse_postgres(url)


def _rehearse_sqlite(path: str, copy: Path) -> SchemaState:
    try:
        if Path(path).exists():
            _copy(path, copy)
        prepare_sqlite(str(copy))
        session = Session.open(str(copy))
        try:
            return read_state(session.sql)
        finally:
            session.close()
    except (exc.DBAPIError, driver.Error, OSError) as error:
        raise translated(error) from error


def _copy(path: str, copy: Path) -> None:
    with (
        contextlib.closing(driver.connect(f"file:{path}?mode=ro", uri=True)) as source,
        contextlib.closing(driver.connect(copy)) as target,
    ):
        source.backup(target)
