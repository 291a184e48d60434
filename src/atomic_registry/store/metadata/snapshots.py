"""Copies of the whole database for backups: a SQLite file, whatever the database is.

All tables are the same on every database, so that one form can be checked, and restored to any.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, delete, exc, func, select

from atomic_registry.content.ports import StoredBlob
from atomic_registry.store.metadata.database import SQLITE
from atomic_registry.store.metadata.sqlite import prepare_sqlite
from atomic_registry.store.metadata.sqlite_connection import Session, connect, driver, translated
from atomic_registry.store.metadata.statements import stored_digest
from atomic_registry.store.metadata.tables import (
    blobs,
    manifests,
    repositories,
    schema_info,
    tags,
    uploads,
)

_BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFacts:
    """What a copy holds, and which release can read it."""

    schema_version: int
    compat_version: int
    compat_release: str
    blobs: int
    blob_bytes: int
    repositories: int
    tags: int


def copy_metadata(url: str, target: Path) -> SnapshotFacts:
    """Copy the database as it is at one moment, while others go on writing to it.

    Uploads that are under way are left out: their bytes are in no backup.

    Raises:
        MetadataFailed, StorageFull, StorageReadOnly: that is not possible.
    """
    if url.startswith(SQLITE):
        _copy_sqlite(url.removeprefix(SQLITE), target)
    else:
        from atomic_registry.store.metadata.postgres import copy_postgres

        prepare_sqlite(str(target))
        with _errors(), _opened(target) as session:
            session.raw.execute("BEGIN")
            copy_postgres(url, session.sql)
            session.raw.execute("COMMIT")
    with _errors(), _opened(target) as session:
        session.sql.execute(delete(uploads))
        # From here on it is one file, without a log beside it.
        session.raw.execute("PRAGMA journal_mode=DELETE").fetchall()
        return _facts(session.sql)


def _copy_sqlite(path: str, target: Path) -> None:
    with _errors():
        source = connect(path)
        try:
            copy = driver.connect(str(target), isolation_level=None)
            try:
                # All pages in one step: one snapshot, however much is written meanwhile.
                source.backup(copy, pages=-1)
            finally:
                copy.close()
        finally:
            source.close()


def list_copied_blobs(target: Path) -> Iterator[StoredBlob]:
    """Yield the blobs that a copy names, in the order of their digests."""
    columns = (blobs.c.digest, blobs.c.size, blobs.c.key)
    with _errors(), _opened(target) as session:
        after = ""
        while True:
            page = session.sql.execute(
                select(*columns)
                .where(blobs.c.digest > after)
                .order_by(blobs.c.digest)
                .limit(_BATCH)
            ).all()
            for row in page:
                digest = stored_digest(row.digest)
                yield StoredBlob(digest=digest, size=row.size, key=row.key)
            if len(page) < _BATCH:
                return
            after = page[-1].digest


def pick_copied_images(target: Path, count: int) -> list[tuple[str, str]]:
    """Return repository and digest of so many manifests, others each time."""
    images = select(repositories.c.name, manifests.c.digest).join(
        manifests, manifests.c.repository_id == repositories.c.id
    )
    with _errors(), _opened(target) as session:
        found = session.sql.execute(images.order_by(func.random()).limit(count)).all()
    return [(row.name, row.digest) for row in found]


def check_copy(target: Path) -> list[str]:
    """Return what is wrong with a copy, by the database's own check of every page."""
    try:
        with _opened(target) as session:
            lines = [row[0] for row in session.raw.execute("PRAGMA integrity_check").fetchall()]
    except (exc.DBAPIError, driver.Error) as error:
        return [str(error)]
    return [] if lines == ["ok"] else lines


@contextlib.contextmanager
def _opened(target: Path) -> Iterator[Session]:
    session = Session.open_plainly(str(target))
    try:
        yield session
    finally:
        session.close()


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (exc.DBAPIError, driver.Error, OSError) as error:
        raise translated(error) from error


def _facts(sql: Connection) -> SnapshotFacts:
    info = sql.execute(select(schema_info)).one()
    count, size = sql.execute(
        select(func.count(), func.coalesce(func.sum(blobs.c.size), 0)).select_from(blobs)
    ).one()
    return SnapshotFacts(
        schema_version=info.schema_version,
        compat_version=info.compat_version,
        compat_release=info.compat_release,
        blobs=count,
        blob_bytes=size,
        repositories=sql.scalar(select(func.count()).select_from(repositories)) or 0,
        tags=sql.scalar(select(func.count()).select_from(tags)) or 0,
    )
