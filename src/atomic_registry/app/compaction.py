"""How long the change log is kept, for the processes that shorten it.

Each service does so in one of its workers, so that the log stays short whichever of them run. They
need no lease: two at once drop a change once, and the second finds nothing left to do.
"""

from datetime import timedelta

from atomic_registry.clock import Clock
from atomic_registry.config.settings import Settings
from atomic_registry.events.compaction import Compaction, KeptChanges
from atomic_registry.store.metadata import MetadataDatabase


def make_compaction(settings: Settings, metadata: MetadataDatabase, clock: Clock) -> Compaction:
    """Build what keeps the log as long as the settings want it."""
    # Events are read from it.
    hours = max(settings.changes.keep_hours, settings.events.keep_hours)
    kept = KeptChanges(age=timedelta(hours=hours), count=settings.changes.keep_count)
    return Compaction(metadata, clock, kept)
