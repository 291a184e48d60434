"""Rows from one kind of database to another: every table is the same on all of them."""

from sqlalchemy import Connection, delete, insert, select

from atomic_registry.errors import MetadataFailed
from atomic_registry.store.metadata.schema import SCHEMA_VERSION
from atomic_registry.store.metadata.tables import metadata, schema_info

# A manifest may have several MiB.
_BATCH = 50


def copy_tables(source: Connection, target: Connection) -> None:
    """Replace every row of the target by those of the source.

    Raises:
        MetadataFailed: the source is of another schema, so that columns might be lost.
    """
    found = source.scalar(select(schema_info.c.schema_version))
    if found != SCHEMA_VERSION:
        raise MetadataFailed(
            reason=f"its schema version is {found} and this release has {SCHEMA_VERSION}: start "
            "the services of this release once, which brings it up to date"
        )
    for table in metadata.sorted_tables:
        target.execute(delete(table))
        # Streamed: no table need fit into memory.
        rows = source.execution_options(yield_per=_BATCH).execute(select(table))
        for batch in rows.partitions(_BATCH):
            target.execute(insert(table), [dict(row._mapping) for row in batch])  # noqa: SLF001
