"""The metadata store on a SQLite file in WAL mode.

Several processes may use the file at once. Reads never wait for writes.
"""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import exc

from atomic_registry.clock import Clock
from atomic_registry.content.ports import Change, HotReads, StoredBlob, StoredManifest
from atomic_registry.errors import MetadataFailed
from atomic_registry.events import ports as events
from atomic_registry.identity.ports import StoredToken
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import Reference, RepositoryName
from atomic_registry.store.metadata import hot
from atomic_registry.store.metadata.schema import is_current
from atomic_registry.store.metadata.sqlite_connection import (
    Session,
    connect,
    driver,
    insert_if_absent,
    is_database_error,
    translated,
    warn_if_unsafe,
)
from atomic_registry.store.metadata.sqlite_writer import SqliteWriter
from atomic_registry.store.metadata.statements import is_storable
from atomic_registry.store.metadata.transaction import SqlTransaction

T = TypeVar("T")

_READ_THREADS = 4
_MAX_WAITING_READS = 10_000
# A hot read holds up the event loop, so it gives up early.
_HOT_TIMEOUT_SECONDS = 0.25
# SQLite's default of 2 MiB makes pulls from many repositories read pages from the kernel.
_HOT_CACHE_KIB = 48 * 1024


def prepare_sqlite(path: str) -> None:
    """Create or migrate the file."""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        # SQLite would keep the group from writing; its other files take the mode of this one.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660))
        session = Session.open(path)
        try:
            _migrate(session)
        finally:
            session.close()
    except (exc.DBAPIError, driver.Error, OSError) as error:
        raise translated(error) from error


def _migrate(session: Session) -> None:
    if is_current(session.sql):
        return
    from atomic_registry.store.metadata.migrate import upgrade

    session.raw.execute("BEGIN IMMEDIATE")
    # Another process may have migrated it while this one waited for the lock.
    if not is_current(session.sql):
        upgrade(session.sql)
    session.raw.execute("COMMIT")


class SqliteMetadata:
    """Implements `MetadataDatabase`."""

    def __init__(self, path: str, clock: Clock) -> None:
        warn_if_unsafe()
        self.hot: HotReads | None = self
        self._path = path
        self._clock = clock
        self._hot: sqlite3.Connection | None = None
        self._writer = SqliteWriter(path, clock)
        self._threads = ThreadPoolExecutor(_READ_THREADS, thread_name_prefix="metadata-reader")
        self._local = threading.local()
        self._sessions: set[Session] = set()
        self._waiting_reads = 0
        self._is_closed = False

    async def read(self, query: Callable[[SqlTransaction], T]) -> T:
        return await self._read(query)

    async def write(self, change: Callable[[SqlTransaction], T], *, durable: bool = True) -> T:
        return await self._writer.submit(change, durable=durable)

    async def find_manifest(
        self, repository: RepositoryName, reference: Reference
    ) -> StoredManifest | None:
        return self.find_manifest_now(repository, reference)

    async def find_blob(self, repository: RepositoryName, digest: Digest) -> StoredBlob | None:
        return self.find_blob_now(repository, digest)

    def find_manifest_now(
        self, repository: RepositoryName, reference: Reference
    ) -> StoredManifest | None:
        """Do what `find_manifest` does, in microseconds and on the event loop's thread."""
        is_digest = isinstance(reference, Digest)
        statement = hot.MANIFEST_BY_DIGEST if is_digest else hot.MANIFEST_BY_TAG
        try:
            connection = self._hot or self._open_hot()
            row = connection.execute(statement, (repository.value, str(reference))).fetchone()
        except driver.Error as error:
            raise self._hot_failure(error) from error
        return hot.manifest_of(row)

    def find_blob_now(self, repository: RepositoryName, digest: Digest) -> StoredBlob | None:
        """Do what `find_blob` does, in microseconds and on the event loop's thread."""
        try:
            connection = self._hot or self._open_hot()
            arguments = (repository.value, str(digest))
            row = connection.execute(hot.LINKED_BLOB, arguments).fetchone()
        except driver.Error as error:
            raise self._hot_failure(error) from error
        return hot.blob_of(row, digest)

    async def find_token(self, token_id: str) -> StoredToken | None:
        return self.find_token_now(token_id)

    async def last_revision(self) -> int:
        return self.last_revision_now()

    def find_token_now(self, token_id: str) -> StoredToken | None:
        """Do what `find_token` does, in microseconds and on the event loop's thread."""
        if not is_storable(token_id):
            return None
        try:
            connection = self._hot or self._open_hot()
            row = connection.execute(hot.TOKENS_BY_ID, (token_id,)).fetchone()
        except driver.Error as error:
            raise self._hot_failure(error) from error
        return hot.token_of(row)

    def last_revision_now(self) -> int:
        """Do what `last_revision` does, in microseconds and on the event loop's thread."""
        try:
            connection = self._hot or self._open_hot()
            last: int = connection.execute(hot.LAST_REVISION).fetchone()[0]
        except driver.Error as error:
            raise self._hot_failure(error) from error
        return last

    async def changes_since(self, revision: int, limit: int) -> list[tuple[int, Change]]:
        return await self._read(lambda tx: tx.changes.list_since(revision, limit))

    async def list_changes(
        self, after: int, *, kinds: Collection[str], limit: int
    ) -> events.LogPage:
        return await self._read(lambda tx: tx.changes.list_all(after, kinds=kinds, limit=limit))

    async def list_of_repositories(
        self, project: str | None, *, up_to: int, since: datetime, limit: int
    ) -> Sequence[events.Change]:
        return await self._read(
            lambda tx: tx.changes.list_of_repositories(
                project, up_to=up_to, since=since, limit=limit
            )
        )

    async def drop_changes(self, *, before: datetime, keep: int, limit: int) -> int:
        return await self._writer.submit(
            lambda tx: tx.changes.drop(before=before, keep=keep, limit=limit), durable=False
        )

    async def ping(self) -> None:
        await self._read(lambda tx: tx.changes.last_revision())
        await self._writer.submit(lambda tx: tx.changes.touch(), durable=False)

    async def close(self) -> None:
        self._is_closed = True
        await asyncio.to_thread(self._writer.close)
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        for session in self._sessions:
            session.close()
        self._sessions.clear()
        self._drop_hot()

    async def _read(self, query: Callable[[SqlTransaction], T]) -> T:
        if self._is_closed:
            raise MetadataFailed(reason="the database is closed")
        if self._waiting_reads >= _MAX_WAITING_READS:
            raise MetadataFailed(reason="too many reads are waiting")
        self._waiting_reads += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._read_now, query)
        finally:
            self._waiting_reads -= 1

    def _read_now(self, query: Callable[[SqlTransaction], T]) -> T:
        session: Session | None = None
        try:
            session = self._reader()
            session.raw.execute("BEGIN")
            try:
                return query(SqlTransaction(session.sql, insert_if_absent, self._clock))
            finally:
                session.raw.execute("ROLLBACK")
        except (exc.DBAPIError, driver.Error) as error:
            if is_database_error(error) and session is not None:
                self._drop_reader(session)
            raise translated(error) from error

    def _reader(self) -> Session:
        session: Session | None = getattr(self._local, "session", None)
        if session is None:
            session = Session.open(self._path)
            self._local.session = session
            self._sessions.add(session)
        return session

    def _drop_reader(self, session: Session) -> None:
        self._local.session = None
        self._sessions.discard(session)
        session.close()

    def _open_hot(self) -> sqlite3.Connection:
        self._hot = connect(self._path, timeout_seconds=_HOT_TIMEOUT_SECONDS)
        self._hot.execute(f"PRAGMA cache_size=-{_HOT_CACHE_KIB}")
        return self._hot

    def _hot_failure(self, error: Exception) -> BaseException:
        self._drop_hot()
        return translated(error)

    def _drop_hot(self) -> None:
        if self._hot is not None:
            self._hot.close()
            self._hot = None
