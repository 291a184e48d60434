"""The metadata store on SQLite or PostgreSQL, behind `content.ports.MetadataStore`."""

from atomic_registry.store.metadata.database import (
    MetadataDatabase,
    open_metadata,
    prepare_metadata,
)
from atomic_registry.store.metadata.rehearsal import rehearse_migration
from atomic_registry.store.metadata.schema import SCHEMA_VERSION, SchemaState, SchemaTooNew

__all__ = [
    "SCHEMA_VERSION",
    "MetadataDatabase",
    "SchemaState",
    "SchemaTooNew",
    "open_metadata",
    "prepare_metadata",
    "rehearse_migration",
]
