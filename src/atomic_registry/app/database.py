"""Where the metadata is."""

from atomic_registry.config.settings import Settings


def database_url(settings: Settings) -> str:
    """Return the URL of the metadata database: the one that is set, or SQLite below the root."""
    if settings.database.url:
        return settings.database.url
    return f"sqlite:///{settings.datastore_directory.absolute()}/metadata.db"
