"""The metadata store on SQLite or PostgreSQL, behind `content.ports.MetadataStore`."""

from atomic_registry.store.metadata.database import (
    MetadataDatabase,
    open_metadata,
    prepare_metadata,
)
from atomic_registry.store.metadata.schema import SchemaTooNew

__all__ = ["MetadataDatabase", "SchemaTooNew", "open_metadata", "prepare_metadata"]
