"""The change log. Revisions have no gaps and are given in the order of commits."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)

from atomic_registry.content.ports import Change
from atomic_registry.events import ports as events
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.store.metadata.tables import changes, revision

# In the text of the statement: only then is it seen that the partial index serves.
_OF_REPOSITORY = "repository"
_REPOSITORY: ColumnElement[str] = literal_column(f"'{_OF_REPOSITORY}'")
_PROJECTS: ColumnElement[str] = literal_column("'projects'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of the log that has no revision yet."""

    actor: str
    kind: str
    namespace: str
    name: str
    verb: str
    object: str
    labels_before: str = ""


class SqlChanges:
    """Rows of the change log and the counter that numbers them."""

    __slots__ = ("_connection", "_pending")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pending: list[Entry] = []

    def append(self, entry: Entry) -> int:
        """Keep the entry for `flush`; return its position among those that are kept."""
        self._pending.append(entry)
        return len(self._pending) - 1

    def flush(self, now: datetime) -> int:
        """Write what was appended; return the revision of the first, 0 if there is none."""
        new = self._pending
        if not new:
            return 0
        # A sequence would leave gaps and show a late commit to a follower that has passed it.
        count = update(revision).values(value=revision.c.value + len(new))
        last: int = self._connection.execute(count.returning(revision.c.value)).scalar_one()
        first = last - len(new) + 1
        rows = [
            {
                "revision": first + position,
                "at": now,
                "actor": entry.actor,
                "kind": entry.kind,
                "namespace": entry.namespace,
                "name": entry.name,
                "verb": entry.verb,
                "object": entry.object,
                "labels_before": entry.labels_before,
            }
            for position, entry in enumerate(new)
        ]
        self._connection.execute(insert(changes), rows)
        return first

    def newest_of_repositories(self, first: int) -> dict[str, int]:
        """Return the newest revision of each repository among what `flush` wrote from `first` on."""
        return {
            _repository(entry.namespace, entry.name).value: first + position
            for position, entry in enumerate(self._pending)
            if entry.kind == "repository"
        }

    def list_since(self, after: int, limit: int) -> list[tuple[int, Change]]:
        """Return changes of repositories with a revision above the given one, oldest first."""
        query = (
            select(changes)
            .where(changes.c.revision > after, changes.c.kind == _REPOSITORY)
            .order_by(changes.c.revision)
            .limit(limit)
        )
        return [
            (
                row.revision,
                Change(
                    kind=row.kind,
                    repository=_repository(row.namespace, row.name),
                    verb=row.verb,
                    actor=row.actor,
                    object=json.loads(row.object),
                ),
            )
            for row in self._connection.execute(query)
        ]

    def list_objects(
        self, after: int, *, kinds: Sequence[str], limit: int
    ) -> list[tuple[int, Entry]]:
        """Return changes of stored objects with a revision above the given one, oldest first."""
        query = (
            select(changes)
            .where(changes.c.revision > after, changes.c.kind != _REPOSITORY)
            .where(changes.c.kind.in_(kinds))
            .order_by(changes.c.revision)
            .limit(limit)
        )
        return [
            (
                row.revision,
                Entry(
                    actor=row.actor,
                    kind=row.kind,
                    namespace=row.namespace,
                    name=row.name,
                    verb=row.verb,
                    object=row.object,
                ),
            )
            for row in self._connection.execute(query)
        ]

    def list_all(self, after: int, *, kinds: Collection[str], limit: int) -> events.LogPage:
        """Return changes of these kinds above a revision; see `events.ports.ChangeLog`."""
        rows: Sequence[Any] = ()
        if kinds:
            query = select(changes).where(changes.c.revision > after, changes.c.kind.in_(kinds))
            if _OF_REPOSITORY not in kinds:
                query = query.where(changes.c.kind != _REPOSITORY)
            ordered = query.order_by(changes.c.revision).limit(limit)
            rows = self._connection.execute(ordered).all()
        return events.LogPage(
            changes=[_logged(row) for row in rows],
            floor=self.floor(),
            newest=self.last_revision(),
        )

    def list_of_repositories(
        self, project: str | None, *, up_to: int, since: datetime, limit: int
    ) -> list[events.Change]:
        """Return the newest changes of repositories; see `events.ports.RepositoryLog`."""
        query = select(changes).where(changes.c.kind == _REPOSITORY, changes.c.revision <= up_to)
        if project is not None:
            made = (
                select(func.max(changes.c.revision))
                .where(changes.c.kind == _PROJECTS, changes.c.name == project)
                .where(changes.c.verb == events.ADDED)
            )
            begin = self._connection.execute(made).scalar() or 0
            query = query.where(changes.c.namespace == project, changes.c.revision >= begin)
        found = []
        for row in self._connection.execute(query.order_by(changes.c.revision.desc()).limit(limit)):
            if row.at < since:
                break
            found.append(_logged(row))
        return found

    def floor(self) -> int:
        """Return the oldest revision that can be replayed from: the one before the first row."""
        first: int | None = self._connection.execute(select(func.min(changes.c.revision))).scalar()
        return self.last_revision() if first is None else first - 1

    def drop(self, *, before: datetime, keep: int, limit: int) -> int:
        """Drop the oldest changes; see `events.ports.ChangeLog`."""
        oldest = (
            select(changes.c.revision, changes.c.at)
            .where(changes.c.revision <= self.last_revision() - max(keep, 1))
            .order_by(changes.c.revision)
            .limit(limit)
        )
        end = 0
        for row in self._connection.execute(oldest):
            if row.at >= before:
                break
            end = row.revision
        return self._connection.execute(delete(changes).where(changes.c.revision <= end)).rowcount

    def last_revision(self) -> int:
        """Return the revision of the newest change, 0 if there is none."""
        last: int = self._connection.execute(select(revision.c.value)).scalar_one()
        return last

    def touch(self) -> None:
        """Write the revision as it is: the smallest real write."""
        self._connection.execute(update(revision).values(value=revision.c.value))


def _logged(row: Any) -> events.Change:
    return events.Change(
        revision=row.revision,
        at=row.at,
        actor=row.actor,
        kind=row.kind,
        namespace=row.namespace,
        name=row.name,
        verb=row.verb,
        body=row.object,
        labels_before=row.labels_before,
    )


def entry_of(change: Change) -> Entry:
    """Return the row of a repository's change."""
    # A path segment cannot hold a slash, and no repository name holds a tilde.
    namespace, _, rest = change.repository.value.partition("/")
    return Entry(
        actor=change.actor,
        kind=change.kind,
        namespace=namespace,
        name=rest.replace("/", "~"),
        verb=change.verb,
        object=json.dumps(change.object),
    )


def _repository(namespace: str, name: str) -> RepositoryName:
    return RepositoryName(f"{namespace}/{name.replace('~', '/')}" if name else namespace)
