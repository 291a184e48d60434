"""What the whole database holds, counted by somebody who is no service and changes nothing."""

from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import Connection, NullPool, Select, create_engine, exc, func, make_url, select

from atomic_registry.errors import MetadataFailed
from atomic_registry.store.metadata.sqlite_connection import driver
from atomic_registry.store.metadata.tables import (
    blobs,
    manifests,
    objects,
    repositories,
    schema_info,
)

_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts of one moment."""

    schema_version: int
    projects: int
    streams: int
    images: int
    blobs: int
    blob_bytes: int


def read_totals(url: str, *, seconds: int) -> Totals:
    """Return the counts of a database that a service has made.

    Raises:
        MetadataFailed: it cannot be read in time.
    """
    try:
        return _read_sqlite(url, seconds) if url.startswith(_SQLITE) else _read_other(url, seconds)
    except exc.DBAPIError as error:
        raise MetadataFailed(reason=str(error.orig)) from error
    except driver.Error as error:
        raise MetadataFailed(reason=str(error)) from error


def _read_sqlite(url: str, seconds: int) -> Totals:
    path = url.removeprefix(_SQLITE)
    raw = driver.connect(f"file:{path}?mode=ro", uri=True, timeout=seconds, check_same_thread=False)
    with closing(raw):
        engine = create_engine("sqlite://", creator=lambda: raw, module=driver, poolclass=NullPool)
        with engine.connect() as connection:
            return _count(connection)


def _read_other(url: str, seconds: int) -> Totals:
    options = f"-c statement_timeout={seconds}s -c default_transaction_read_only=on"
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        connect_args={"connect_timeout": seconds, "options": options},
    )
    with engine.connect() as connection:
        return _count(connection)


def _count(connection: Connection) -> Totals:
    def number(query: Select[int]) -> int:
        return int(connection.scalar(query) or 0)

    count = select(func.count())
    return Totals(
        schema_version=number(select(schema_info.c.schema_version)),
        projects=number(count.select_from(objects).where(objects.c.kind == "projects")),
        streams=number(count.select_from(repositories).where(repositories.c.revision > 0)),
        images=number(select(func.count(manifests.c.digest.distinct()))),
        blobs=number(count.select_from(blobs)),
        blob_bytes=number(select(func.coalesce(func.sum(blobs.c.size), 0))),
    )
