"""The one thread of a process that writes to its SQLite file.

Jobs that wait together are committed together: one fsync serves them all.
"""

import asyncio
import fcntl
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from atomic_registry.clock import Clock
from atomic_registry.errors import MetadataFailed
from atomic_registry.store.metadata.sqlite_connection import (
    Session,
    insert_if_absent,
    is_database_error,
    is_wrong_statement,
    translated,
)
from atomic_registry.store.metadata.transaction import SqlTransaction

T = TypeVar("T")

_MAX_WAITING = 10_000
_MAX_BATCH = 64


@dataclass(frozen=True, slots=True)
class _Job(Generic[T]):
    change: Callable[[SqlTransaction], T]
    durable: bool
    future: asyncio.Future[T]


@dataclass(frozen=True, slots=True)
class _Outcome:
    job: _Job[Any]
    tx: SqlTransaction | None = None
    value: object = None
    error: BaseException | None = None


class SqliteWriter:
    """Runs write jobs in order, in transactions of up to 64 jobs."""

    def __init__(self, path: str, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._session: Session | None = None
        self._synchronous = ""
        self._lock_file: int | None = None
        self._is_closed = False
        self._waiting: queue.Queue[_Job[Any] | None] = queue.Queue(_MAX_WAITING)
        self._thread = threading.Thread(target=self._serve, name="metadata-writer", daemon=True)
        self._thread.start()

    def submit(self, change: Callable[[SqlTransaction], T], *, durable: bool) -> asyncio.Future[T]:
        """Queue the job; it runs even if its future is cancelled."""
        if self._is_closed:
            raise MetadataFailed(reason="the database is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        try:
            self._waiting.put_nowait(_Job(change, durable, future))
        except queue.Full:
            raise MetadataFailed(reason="too many writes are waiting") from None
        return future

    def close(self) -> None:
        """Run what is queued, then end the thread; blocks until then."""
        self._is_closed = True
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def _serve(self) -> None:
        is_ending = False
        while not is_ending:
            first = self._waiting.get()
            if first is None:
                break
            is_ending = self._commit(first)
        self._drop_session()
        if self._lock_file is not None:
            os.close(self._lock_file)

    def _commit(self, first: _Job[Any]) -> bool:
        """Run a batch and tell its callers; return True if the end of the queue was in it."""
        jobs, is_ending = [first], False
        try:
            with self._exclusive():
                is_ending = self._drain(jobs)
                outcomes = self._transact(jobs)
        # Whatever it is, the callers must hear of it, and the thread must go on.
        except BaseException as error:  # noqa: BLE001
            self._drop_session()
            outcomes = [_Outcome(job, error=translated(error)) for job in jobs]
        _tell(outcomes)
        return is_ending

    def _drain(self, jobs: list[_Job[Any]]) -> bool:
        while len(jobs) < _MAX_BATCH:
            try:
                job = self._waiting.get_nowait()
            except queue.Empty:
                return False
            if job is None:
                return True
            jobs.append(job)
        return False

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        # SQLite's own lock is polled, which starves a process among busy others.
        if self._lock_file is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._lock_file = os.open(self._path + ".lock", flags, 0o660)
        fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    def _transact(self, jobs: list[_Job[Any]]) -> list[_Outcome]:
        if self._session is None:
            self._session = Session.open(self._path)
            self._synchronous = ""
        raw = self._session.raw
        synchronous = "FULL" if any(job.durable for job in jobs) else "NORMAL"
        if synchronous != self._synchronous:
            raw.execute(f"PRAGMA synchronous={synchronous}")
            self._synchronous = synchronous
        raw.execute("BEGIN IMMEDIATE")
        outcomes = [self._run(job, self._session) for job in jobs]
        raw.execute("COMMIT")
        for outcome in outcomes:
            if outcome.tx is not None:
                outcome.tx.mark_committed()
        return outcomes

    def _run(self, job: _Job[Any], session: Session) -> _Outcome:
        session.raw.execute("SAVEPOINT job")
        try:
            tx = SqlTransaction(session.sql, insert_if_absent, self._clock)
            value = job.change(tx)
            tx.flush(self._clock.now())
        # The error belongs to this job's caller; the other jobs go on.
        except BaseException as error:
            # SQLite may have rolled back everything by itself: then no job can be kept.
            is_lost = is_database_error(error) and not is_wrong_statement(error)
            if is_lost or not session.raw.in_transaction:
                raise
            session.raw.execute("ROLLBACK TO job")
            session.raw.execute("RELEASE job")
            return _Outcome(job, error=translated(error))
        session.raw.execute("RELEASE job")
        return _Outcome(job, tx, value)

    def _drop_session(self) -> None:
        """Close the connection, which rolls back; the next batch opens a fresh one."""
        if self._session is not None:
            self._session.close()
            self._session = None


def _tell(outcomes: list[_Outcome]) -> None:
    loops: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for outcome in outcomes:
        loops.setdefault(outcome.job.future.get_loop(), []).append(outcome)
    for loop, of_loop in loops.items():
        try:
            loop.call_soon_threadsafe(_settle, of_loop)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            continue


def _settle(outcomes: list[_Outcome]) -> None:
    for outcome in outcomes:
        future = outcome.job.future
        if future.done():
            continue
        if outcome.error is None:
            future.set_result(outcome.value)
        else:
            future.set_exception(outcome.error)
