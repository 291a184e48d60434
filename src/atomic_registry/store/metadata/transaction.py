"""One transaction over a SQLAlchemy connection; the adapters begin and commit it."""

from datetime import datetime

from sqlalchemy import Connection

from atomic_registry.clock import Clock
from atomic_registry.content.ports import Change
from atomic_registry.identity.ports import ObjectChange
from atomic_registry.store.metadata.blobs import SqlBlobs
from atomic_registry.store.metadata.changes import SqlChanges, entry_of
from atomic_registry.store.metadata.images import SqlImages
from atomic_registry.store.metadata.login_failures import SqlLoginFailures
from atomic_registry.store.metadata.manifests import SqlManifests
from atomic_registry.store.metadata.objects import OBJECT_KINDS, SqlObjects, object_changes
from atomic_registry.store.metadata.repositories import SqlRepositories
from atomic_registry.store.metadata.signing_keys import SqlSigningKeys
from atomic_registry.store.metadata.statements import InsertIfAbsent
from atomic_registry.store.metadata.streams import SqlStreams
from atomic_registry.store.metadata.tags import SqlTags
from atomic_registry.store.metadata.tokens import SqlTokens
from atomic_registry.store.metadata.uploads import SqlUploads
from atomic_registry.store.metadata.usage import SqlUsage


class SqlTransaction:
    """Implements `content.ports.Transaction` and `identity.ports.Transaction`."""

    __slots__ = (
        "_first_revision",
        "blobs",
        "changes",
        "images",
        "login_failures",
        "manifests",
        "objects",
        "repositories",
        "signing_keys",
        "streams",
        "tags",
        "tokens",
        "uploads",
        "usage",
    )

    def __init__(
        self, connection: Connection, insert_if_absent: InsertIfAbsent, clock: Clock
    ) -> None:
        self.repositories = SqlRepositories(connection, insert_if_absent)
        self.blobs = SqlBlobs(connection, insert_if_absent)
        self.uploads = SqlUploads(connection)
        self.manifests = SqlManifests(connection, insert_if_absent)
        self.tags = SqlTags(connection, insert_if_absent)
        self.streams = SqlStreams(connection)
        self.images = SqlImages(connection)
        self.usage = SqlUsage(connection)
        self.tokens = SqlTokens(connection)
        self.login_failures = SqlLoginFailures(connection, insert_if_absent)
        self.signing_keys = SqlSigningKeys(connection)
        self.changes = SqlChanges(connection)
        self.objects = SqlObjects(connection, insert_if_absent, changes=self.changes, clock=clock)
        self._first_revision = 0

    def append(self, change: Change) -> None:
        self.changes.append(entry_of(change))

    def object_changes(self, after: int, *, limit: int) -> tuple[list[ObjectChange], int]:
        rows = self.changes.list_objects(after, kinds=[*OBJECT_KINDS], limit=limit)
        return object_changes(rows), self.changes.last_revision()

    def change_floor(self) -> int:
        return self.changes.floor()

    def flush(self, now: datetime) -> None:
        """Write the change rows; nothing but the commit may follow.

        The revision row is locked from here on, so commits happen in the order of revisions;
        a lock taken later than that could deadlock.
        """
        self._first_revision = self.changes.flush(now)
        # These rows are locked already: this transaction wrote them.
        self.objects.set_revisions(self._first_revision)
        self.streams.set_revisions(self.changes.newest_of_repositories(self._first_revision))

    def mark_committed(self) -> None:
        """Tell the written objects their revisions.

        Not before the commit: a function that runs twice may bring the same objects again, and
        they must not name a revision that never was.
        """
        self.objects.mark_committed(self._first_revision)
