"""One transaction over a SQLAlchemy connection; the adapters begin and commit it."""

from datetime import datetime

from sqlalchemy import Connection

from atomic_registry.content.ports import Change
from atomic_registry.store.metadata.blobs import SqlBlobs
from atomic_registry.store.metadata.changes import SqlChanges
from atomic_registry.store.metadata.manifests import SqlManifests
from atomic_registry.store.metadata.repositories import SqlRepositories
from atomic_registry.store.metadata.statements import InsertIfAbsent
from atomic_registry.store.metadata.tags import SqlTags
from atomic_registry.store.metadata.uploads import SqlUploads


class SqlTransaction:
    """Implements `content.ports.Transaction`."""

    __slots__ = ("_pending", "blobs", "changes", "manifests", "repositories", "tags", "uploads")

    def __init__(self, connection: Connection, insert_if_absent: InsertIfAbsent) -> None:
        self.repositories = SqlRepositories(connection, insert_if_absent)
        self.blobs = SqlBlobs(connection, insert_if_absent)
        self.uploads = SqlUploads(connection)
        self.manifests = SqlManifests(connection, insert_if_absent)
        self.tags = SqlTags(connection, insert_if_absent)
        self.changes = SqlChanges(connection)
        self._pending: list[Change] = []

    def append(self, change: Change) -> None:
        self._pending.append(change)

    def flush(self, now: datetime) -> None:
        """Write the change rows; nothing but the commit may follow.

        The revision row is locked from here on, so commits happen in the order of revisions;
        a lock taken later than that could deadlock.
        """
        if self._pending:
            self.changes.insert(self._pending, now)
