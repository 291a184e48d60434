"""The change log. Revisions have no gaps and are given in the order of commits."""

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from atomic_registry.content.ports import Change
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.store.metadata.tables import changes, revision


class SqlChanges:
    """Rows of the change log and the counter that numbers them."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def insert(self, new: Sequence[Change], now: datetime) -> None:
        # A sequence would leave gaps and show a late commit to a follower that has passed it.
        count = update(revision).values(value=revision.c.value + len(new))
        last = self._connection.execute(count.returning(revision.c.value)).scalar_one()
        rows = [
            {
                "revision": last - len(new) + position,
                "at": now,
                "actor": change.actor,
                "kind": change.kind,
                "repository": change.repository.value,
                "verb": change.verb,
                "object": json.dumps(change.object),
            }
            for position, change in enumerate(new, start=1)
        ]
        self._connection.execute(insert(changes), rows)

    def list_since(self, after: int, limit: int) -> list[tuple[int, Change]]:
        """Return changes with a revision above the given one, oldest first."""
        query = (
            select(changes).where(changes.c.revision > after).order_by(changes.c.revision)
        ).limit(limit)
        return [
            (
                row.revision,
                Change(
                    kind=row.kind,
                    repository=RepositoryName(row.repository),
                    verb=row.verb,
                    actor=row.actor,
                    object=json.loads(row.object),
                ),
            )
            for row in self._connection.execute(query)
        ]

    def last_revision(self) -> int:
        """Return the revision of the newest change, 0 if there is none."""
        last: int = self._connection.execute(select(revision.c.value)).scalar_one()
        return last

    def touch(self) -> None:
        """Write the revision as it is: the smallest real write."""
        self._connection.execute(update(revision).values(value=revision.c.value))
