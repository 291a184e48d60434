"""Connections to a SQLite file, and what its errors mean to the registry."""

import errno
import logging
import os
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from sqlalchemy import Connection, NullPool, Table, create_engine, exc
from sqlalchemy.dialects import sqlite as dialect

from atomic_registry.errors import MetadataFailed, StorageFull, StorageReadOnly, Unavailable

if TYPE_CHECKING:
    driver: ModuleType = sqlite3
else:
    try:
        # Debian's SQLite has the WAL-reset bug, which can corrupt a database.
        import pysqlite3.dbapi2 as driver
    except ImportError:
        driver = sqlite3

_log = logging.getLogger(__name__)
_FIRST_SAFE_VERSION = (3, 51, 3)
BUSY_TIMEOUT_SECONDS = 5.0
_WAL_PAUSE_SECONDS = 0.02

_ERROR = 1
_FULL = 13
_BUSY = 5
_READ_ONLY = 8
_CANNOT_OPEN = 14
_SHARED_MEMORY_SIZE = 4874  # SQLITE_IOERR_SHMSIZE: no room for the index of the WAL.
_OURS = ("IntegrityError", "ProgrammingError", "DataError", "NotSupportedError")


def warn_if_unsafe() -> None:
    """Log a warning if the SQLite library is one that can corrupt a WAL database."""
    if driver.sqlite_version_info < _FIRST_SAFE_VERSION:
        _log.warning(
            "this SQLite can corrupt a database in rare cases; install pysqlite3",
            extra={"sqlite_version": driver.sqlite_version},
        )


def insert_if_absent(table: Table) -> dialect.Insert:
    return dialect.insert(table).on_conflict_do_nothing()


def connect(path: str, *, timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> sqlite3.Connection:
    """Open the file in the mode in which statements begin no transactions by themselves."""
    try:
        return _connect(path, timeout_seconds)
    except driver.Error as error:
        if _is_on_read_only_disk(error, path):
            # Of such a file SQLite says only that it cannot open it.
            refusal: sqlite3.Error = driver.OperationalError("the file system is read-only")
            refusal.sqlite_errorcode = _READ_ONLY
            raise refusal from error
        raise


def _connect(path: str, timeout_seconds: float) -> sqlite3.Connection:
    raw: sqlite3.Connection = driver.connect(
        path, timeout=timeout_seconds, isolation_level=None, check_same_thread=False
    )
    try:
        _switch_to_wal(raw, timeout_seconds)
        raw.execute("PRAGMA synchronous=FULL")
    except driver.Error:
        raw.close()
        raise
    return raw


def _switch_to_wal(raw: sqlite3.Connection, timeout_seconds: float) -> None:
    # SQLite does not wait here: of processes that open a new file at once, all but one fail.
    for _ in range(int(timeout_seconds / _WAL_PAUSE_SECONDS)):
        try:
            raw.execute("PRAGMA journal_mode=WAL").fetchall()
        except driver.Error as error:
            if getattr(error, "sqlite_errorcode", _ERROR) & 0xFF != _BUSY:
                raise
        else:
            return
        time.sleep(_WAL_PAUSE_SECONDS)
    raw.execute("PRAGMA journal_mode=WAL").fetchall()


def _is_on_read_only_disk(error: sqlite3.Error, path: str) -> bool:
    if getattr(error, "sqlite_errorcode", _ERROR) & 0xFF != _CANNOT_OPEN:
        return False
    try:
        return bool(os.statvfs(Path(path).parent).f_flag & os.ST_RDONLY)
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class Session:
    """One connection: as the driver's, for BEGIN and COMMIT, and as SQLAlchemy's."""

    raw: sqlite3.Connection
    sql: Connection

    @classmethod
    def open(cls, path: str) -> "Session":
        return cls._of(connect(path))

    @classmethod
    def open_plainly(cls, path: str) -> "Session":
        """Open a file that nobody else uses, without the log that lets others write to it."""
        return cls._of(driver.connect(path, isolation_level=None, check_same_thread=False))

    @classmethod
    def _of(cls, raw: sqlite3.Connection) -> "Session":
        engine = create_engine("sqlite://", creator=lambda: raw, module=driver, poolclass=NullPool)
        return cls(raw, engine.connect())

    def close(self) -> None:
        try:
            self.sql.close()
        except (exc.DBAPIError, driver.Error):
            _log.debug("a broken SQLite connection was dropped", exc_info=True)
        finally:
            self.raw.close()


def is_database_error(error: BaseException) -> bool:
    """Tell whether the database failed, as opposed to the statement being wrong."""
    if isinstance(error, OSError):
        return True
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    return isinstance(cause, driver.Error) and type(cause).__name__ not in _OURS


def translated(error: BaseException) -> BaseException:
    """Return what the callers of the store get for this error."""
    if not is_database_error(error):
        return error
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    translation = _unavailable(cause)
    translation.__cause__ = error
    return translation


def is_wrong_statement(error: BaseException) -> bool:
    """Tell whether SQLite refused one statement and can go on with the transaction."""
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    return getattr(cause, "sqlite_errorcode", None) == _ERROR


def _unavailable(cause: BaseException | None) -> Unavailable:
    if isinstance(cause, OSError):
        code = {errno.ENOSPC: _FULL, errno.EDQUOT: _FULL, errno.EROFS: _READ_ONLY}.get(
            cause.errno or 0, _ERROR
        )
    else:
        code = getattr(cause, "sqlite_errorcode", _ERROR)
    if code & 0xFF == _FULL or code == _SHARED_MEMORY_SIZE:
        return StorageFull(what="saving to the database")
    if code & 0xFF == _READ_ONLY:
        return StorageReadOnly(what="saving to the database")
    return MetadataFailed(reason=str(cause))
