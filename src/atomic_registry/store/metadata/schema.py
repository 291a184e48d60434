"""Which schema this release needs, and whether a database has it."""

from dataclasses import dataclass

from sqlalchemy import Connection, Row, inspect, select

from atomic_registry.store.metadata.tables import schema_info

SCHEMA_VERSION = 5


class SchemaTooNew(Exception):
    """The database was migrated by a newer release that this one cannot share it with."""

    def __init__(self, *, found: int, needed: int, needed_release: str) -> None:
        super().__init__(
            f"the database has schema version {found}, which needs a registry that knows schema "
            f"version {needed}, and this one knows version {SCHEMA_VERSION}: "
            f"install Atomic Registry {needed_release} or later"
        )
        self.needed_release = needed_release


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaState:
    """Which schema a database has, and the oldest that a release must know to use it."""

    version: int
    compatible_with: int


def read_state(connection: Connection) -> SchemaState:
    """Return what a database that was migrated says of itself."""
    columns = (schema_info.c.schema_version, schema_info.c.compat_version)
    version, compatible_with = connection.execute(select(*columns)).one()
    return SchemaState(version=version, compatible_with=compatible_with)


def is_current(connection: Connection) -> bool:
    """Tell whether this release can use the database without migrating it.

    Raises:
        SchemaTooNew: it never can.
    """
    if not inspect(connection).has_table(schema_info.name):
        return False
    row: Row[int, int, str] | None = connection.execute(
        select(
            schema_info.c.schema_version,
            schema_info.c.compat_version,
            schema_info.c.compat_release,
        )
    ).first()
    if row is None:
        return False
    if row.compat_version > SCHEMA_VERSION:
        raise SchemaTooNew(
            found=row.schema_version,
            needed=row.compat_version,
            needed_release=row.compat_release,
        )
    found: int = row.schema_version
    return found >= SCHEMA_VERSION
