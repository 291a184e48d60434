"""The metadata store on PostgreSQL, through psycopg in threads.

It needs nothing but transactions and row locks, so that servers that are like PostgreSQL serve.
"""

import asyncio
import random
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, NullPool, Table, create_engine, exc, make_url, text
from sqlalchemy.dialects import postgresql as dialect

from atomic_registry.clock import Clock
from atomic_registry.content.ports import Change, HotReads, StoredBlob, StoredManifest
from atomic_registry.errors import MetadataFailed, StorageFull, StorageReadOnly
from atomic_registry.events import ports as events
from atomic_registry.identity.ports import StoredToken
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import Reference, RepositoryName
from atomic_registry.store.metadata import hot
from atomic_registry.store.metadata.portable import copy_tables
from atomic_registry.store.metadata.schema import SchemaState, is_current, read_state
from atomic_registry.store.metadata.statements import is_storable
from atomic_registry.store.metadata.transaction import SqlTransaction

T = TypeVar("T")

_POOL_SIZE = 8
_MAX_WAITING = 10_000
_ATTEMPTS = 6
_FIRST_PAUSE_SECONDS = 0.01
_CONNECT = {
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "tcp_user_timeout": 10_000,
    "options": "-c lock_timeout=10s -c idle_in_transaction_session_timeout=60s",
    "application_name": "atomic-registry",
}
_NOT_DURABLE = text("SET LOCAL synchronous_commit = off")
_MANIFEST_BY_TAG = hot.MANIFEST_BY_TAG.replace("?", "%s")
_MANIFEST_BY_DIGEST = hot.MANIFEST_BY_DIGEST.replace("?", "%s")
_LINKED_BLOB = hot.LINKED_BLOB.replace("?", "%s")
_TOKENS_BY_ID = hot.TOKENS_BY_ID.replace("?", "%s")

_CONFLICTS = ("40001", "40P01")
_DISK_FULL = "53100"
_READ_ONLY = "25006"
_OURS = (psycopg.IntegrityError, psycopg.ProgrammingError, psycopg.DataError)


def prepare_postgres(url: str) -> None:
    """Create or migrate the schema."""
    engine = create_engine(_driver_url(url), poolclass=NullPool, connect_args=_CONNECT)
    for attempt in range(_ATTEMPTS):
        try:
            with engine.begin() as connection:
                _migrate(connection)
            return  # noqa: TRY300
        except exc.DBAPIError as error:
            # Two processes that create the same tables: the loser finds them there next time.
            is_race = isinstance(error.orig, _OURS) or _is_conflict(error)
            if not is_race or attempt == _ATTEMPTS - 1:
                raise _translated(error) from error
            _pause(attempt)


def rehearse_postgres(url: str) -> SchemaState:
    """Migrate in a transaction that is rolled back; others wait for it as they will for the real."""
    engine = create_engine(_driver_url(url), poolclass=NullPool, connect_args=_CONNECT)
    try:
        with engine.connect() as connection, connection.begin() as transaction:
            _migrate(connection)
            state = read_state(connection)
            transaction.rollback()
            return state
    except exc.DBAPIError as error:
        raise _translated(error) from error


def copy_postgres(url: str, target: Connection) -> None:
    """Copy every row, as they are at one moment, into tables that have none but a new schema's.

    Raises:
        MetadataFailed: the database is of another schema than this release makes.
    """
    engine = create_engine(
        _driver_url(url),
        poolclass=NullPool,
        isolation_level="REPEATABLE READ",
        connect_args=_CONNECT,
    )
    try:
        with engine.connect() as connection:
            copy_tables(connection.execution_options(postgresql_readonly=True), target)
    except (exc.DBAPIError, psycopg.Error) as error:
        raise _translated(error) from error


def _migrate(connection: Connection) -> None:
    if is_current(connection):
        return
    from atomic_registry.store.metadata.migrate import upgrade

    upgrade(connection)


def _insert_if_absent(table: Table) -> dialect.Insert:
    return dialect.insert(table).on_conflict_do_nothing()


class PostgresMetadata:
    """Implements `MetadataDatabase`."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.hot: HotReads | None = None
        self._clock = clock
        self._engine = create_engine(
            _driver_url(url),
            pool_size=_POOL_SIZE,
            max_overflow=0,
            isolation_level="READ COMMITTED",
            connect_args=_CONNECT,
        )
        self._snapshots = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._plain = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._threads = ThreadPoolExecutor(_POOL_SIZE, thread_name_prefix="metadata")
        self._waiting = 0
        self._is_closed = False

    async def read(self, query: Callable[[SqlTransaction], T]) -> T:
        return await self._read(query)

    async def write(self, change: Callable[[SqlTransaction], T], *, durable: bool = True) -> T:
        return await self._write(change, durable=durable)

    async def find_manifest(
        self, repository: RepositoryName, reference: Reference
    ) -> StoredManifest | None:
        is_digest = isinstance(reference, Digest)
        statement = _MANIFEST_BY_DIGEST if is_digest else _MANIFEST_BY_TAG
        arguments = (repository.value, str(reference))
        row: hot.ManifestRow | None = await self._run(lambda: self._fetch(statement, arguments))
        return hot.manifest_of(row)

    async def find_blob(self, repository: RepositoryName, digest: Digest) -> StoredBlob | None:
        arguments = (repository.value, str(digest))
        row: hot.BlobRow | None = await self._run(lambda: self._fetch(_LINKED_BLOB, arguments))
        return hot.blob_of(row, digest)

    async def find_token(self, token_id: str) -> StoredToken | None:
        if not is_storable(token_id):
            return None
        row: hot.TokenRow | None = await self._run(lambda: self._fetch(_TOKENS_BY_ID, (token_id,)))
        return hot.token_of(row)

    async def last_revision(self) -> int:
        row: tuple[int] = await self._run(lambda: self._fetch(hot.LAST_REVISION, ()))
        return row[0]

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
        return await self._write(
            lambda tx: tx.changes.drop(before=before, keep=keep, limit=limit), durable=False
        )

    async def ping(self) -> None:
        await self._read(lambda tx: tx.changes.last_revision())
        await self._write(lambda tx: tx.changes.touch(), durable=False)

    async def close(self) -> None:
        self._is_closed = True
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._engine.dispose()

    async def _read(self, query: Callable[[SqlTransaction], T]) -> T:
        def attempt() -> T:
            with self._snapshots.connect() as connection:
                return query(SqlTransaction(connection, _insert_if_absent, self._clock))

        return await self._run(attempt)

    async def _write(self, change: Callable[[SqlTransaction], T], *, durable: bool) -> T:
        return await self._run(lambda: self._commit(change, durable=durable))

    def _commit(self, change: Callable[[SqlTransaction], T], *, durable: bool) -> T:
        with self._engine.connect() as connection:
            if not durable:
                connection.execute(_NOT_DURABLE)
            tx = SqlTransaction(connection, _insert_if_absent, self._clock)
            result = change(tx)
            tx.flush(self._clock.now())
            try:
                connection.commit()
            except exc.DBAPIError as error:
                # Whether a server that went away has committed is unknown: do not repeat it.
                if error.connection_invalidated:
                    raise _translated(error) from error
                raise
            tx.mark_committed()
            return result

    def _fetch(self, statement: str, arguments: tuple[str, ...]) -> Any:
        with self._plain.connect() as connection:
            return connection.exec_driver_sql(statement, arguments).first()

    async def _run(self, attempt: Callable[[], T]) -> T:
        if self._is_closed:
            raise MetadataFailed(reason="the database is closed")
        if self._waiting >= _MAX_WAITING:
            raise MetadataFailed(reason="too many requests are waiting")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, _repeat, attempt)
        finally:
            self._waiting -= 1


def _repeat(attempt: Callable[[], T]) -> T:
    """Try until it does not collide with other transactions or with a lost connection."""
    for number in range(_ATTEMPTS):
        try:
            return attempt()
        except (exc.DBAPIError, exc.TimeoutError, psycopg.Error) as error:
            if number == _ATTEMPTS - 1 or not (_is_conflict(error) or _is_stale(error)):
                raise _translated(error) from error
        _pause(number)
    raise AssertionError("the last attempt returns or raises")


def _pause(attempt: int) -> None:
    # Jitter, so that those who collided do not collide again.
    time.sleep(random.uniform(0, _FIRST_PAUSE_SECONDS * 2**attempt))  # noqa: S311


def _is_conflict(error: Exception) -> bool:
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    return getattr(cause, "sqlstate", None) in _CONFLICTS


def _is_stale(error: Exception) -> bool:
    """Tell whether a pooled connection had been closed; the pool has dropped them all by now."""
    return isinstance(error, exc.DBAPIError) and error.connection_invalidated


def _translated(error: Exception) -> Exception:
    """Return what the callers of the store get for this error."""
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    if isinstance(cause, _OURS):
        return error
    state = getattr(cause, "sqlstate", None)
    if state == _DISK_FULL:
        return StorageFull(what="saving to the database")
    if state == _READ_ONLY:
        return StorageReadOnly(what="saving to the database")
    lines = str(cause).splitlines()
    return MetadataFailed(reason=lines[0] if lines else type(cause).__name__)


def _driver_url(url: str) -> str:
    named = make_url(url).set(drivername="postgresql+psycopg")
    return named.render_as_string(hide_password=False)
