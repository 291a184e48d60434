"""Stored objects: their fields as JSON, and the revision of their last change beside it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, select, tuple_, update

from atomic_registry.clock import Clock
from atomic_registry.content import streams
from atomic_registry.errors import AlreadyExists, ObjectInvalid, ObjectUnknown, StaleRevision
from atomic_registry.identity.ports import ObjectChange
from atomic_registry.identity.records import KINDS
from atomic_registry.kube.objects import KubeObject, timestamp
from atomic_registry.store.metadata.changes import Entry, SqlChanges
from atomic_registry.store.metadata.statements import InsertIfAbsent, is_storable
from atomic_registry.store.metadata.tables import objects

Kind = TypeVar("Kind", bound=KubeObject)

_ADDED = "added"
_MODIFIED = "modified"
_DELETED = "deleted"
OBJECT_KINDS = {kind.plural: kind for kind in (*KINDS, *streams.KINDS)}

_SET_REVISION = (
    update(objects)
    .where(
        objects.c.kind == bindparam("of_kind"),
        objects.c.namespace == bindparam("of_namespace"),
        objects.c.name == bindparam("of_name"),
    )
    .values(revision=bindparam("at_revision"))
)


class SqlObjects:
    """Implements `identity.ports.Objects`; each write is an entry of the log."""

    __slots__ = ("_changes", "_clock", "_connection", "_insert_if_absent", "_written")

    def __init__(
        self,
        connection: Connection,
        insert_if_absent: InsertIfAbsent,
        *,
        changes: SqlChanges,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._insert_if_absent = insert_if_absent
        self._changes = changes
        self._clock = clock
        # Positions of entries, and the objects whose new state those hold.
        self._written: list[tuple[int, KubeObject]] = []

    def find(
        self, kind: type[Kind], name: str, *, namespace: str = "", lock: bool = False
    ) -> Kind | None:
        if not is_storable(namespace, name):
            return None
        query = select(objects.c.body, objects.c.revision).where(
            _is_at(kind.plural, namespace, name)
        )
        row = self._connection.execute(query.with_for_update() if lock else query).first()
        return None if row is None else decoded(kind, row.body, row.revision)

    def list(
        self,
        kind: type[Kind],
        *,
        namespace: str | None = None,
        after: tuple[str, str] = ("", ""),
        limit: int,
    ) -> list[Kind]:
        if not is_storable(namespace or "", *after):
            return []
        query = (
            select(objects.c.body, objects.c.revision)
            .where(objects.c.kind == kind.plural)
            .order_by(objects.c.namespace, objects.c.name)
            .limit(limit)
        )
        if namespace is None:
            query = query.where(tuple_(objects.c.namespace, objects.c.name) > tuple_(*after))
        elif namespace < after[0]:
            return []
        else:
            # By name alone: beside one namespace, SQLite would search no further for a pair.
            first = after[1] if namespace == after[0] else ""
            query = query.where(objects.c.namespace == namespace, objects.c.name > first)
        rows = self._connection.execute(query)
        return [decoded(kind, row.body, row.revision) for row in rows]

    def add(self, item: KubeObject, *, actor: str, now: datetime) -> None:
        meta = item.metadata
        if not is_storable(meta.namespace, meta.name):
            causes = [("metadata.name", "it holds a character that cannot be stored")]
            raise ObjectInvalid(kind=item.kind, name=meta.name, causes=causes)
        meta.uid = meta.uid or self._clock.new_id()
        meta.creation_timestamp = meta.creation_timestamp or timestamp(now)
        body = _encoded(item)
        row = {
            "kind": item.plural,
            "namespace": meta.namespace,
            "name": meta.name,
            "uid": meta.uid,
            "revision": 0,
            "body": body,
        }
        added = self._insert_if_absent(objects).returning(objects.c.name)
        if self._connection.execute(added, row).first() is None:
            raise AlreadyExists(kind=item.kind, name=meta.name)
        self._append(item, _ADDED, body, actor)

    def update(self, item: KubeObject, *, actor: str, now: datetime) -> None:
        meta = item.metadata
        stored = self.find(type(item), meta.name, namespace=meta.namespace, lock=True)
        if stored is None or meta.uid not in ("", stored.metadata.uid):
            raise ObjectUnknown(kind=item.kind, name=meta.name)
        # An object that was added in this very transaction has no revision yet.
        if meta.resource_version not in ("", stored.metadata.resource_version):
            raise StaleRevision(kind=item.kind, name=meta.name)
        meta.uid = stored.metadata.uid
        meta.creation_timestamp = stored.metadata.creation_timestamp
        body = _encoded(item)
        is_it = _is_at(item.plural, meta.namespace, meta.name)
        self._connection.execute(update(objects).where(is_it).values(body=body))
        self._append(item, _MODIFIED, body, actor, before=stored.metadata.labels)

    def remove(self, item: KubeObject, *, actor: str, now: datetime) -> None:
        meta = item.metadata
        if not is_storable(meta.namespace, meta.name, meta.uid):
            return
        statement = delete(objects).where(_is_at(item.plural, meta.namespace, meta.name))
        if meta.uid:
            # A namesake that was made anew is another object.
            statement = statement.where(objects.c.uid == meta.uid)
        body = self._connection.execute(statement.returning(objects.c.body)).scalar()
        if body is not None:
            self._append(item, _DELETED, body, actor)

    def set_revisions(self, first: int) -> None:
        """Give the rows that were written the revisions of their entries, counted from `first`."""
        newest = {}
        for position, item in self._written:
            meta = item.metadata
            newest[item.plural, meta.namespace, meta.name] = first + position
        rows = [
            {"of_kind": plural, "of_namespace": namespace, "of_name": name, "at_revision": revision}
            for (plural, namespace, name), revision in newest.items()
        ]
        if rows:
            self._connection.execute(_SET_REVISION, rows)

    def mark_committed(self, first: int) -> None:
        """Tell the objects that were written their revisions, counted from `first`."""
        for position, item in self._written:
            item.metadata.resource_version = str(first + position)

    def _append(
        self,
        item: KubeObject,
        verb: str,
        body: str,
        actor: str,
        *,
        before: Mapping[str, str] | None = None,
    ) -> None:
        meta = item.metadata
        entry = Entry(
            actor=actor,
            kind=item.plural,
            namespace=meta.namespace,
            name=meta.name,
            verb=verb,
            object=body,
            labels_before="" if before is None else msgspec.json.encode(before).decode(),
        )
        position = self._changes.append(entry)
        if verb != _DELETED:
            self._written.append((position, item))


def object_changes(rows: Sequence[tuple[int, Entry]]) -> list[ObjectChange]:
    """Return what rows of the log say about objects of the known kinds."""
    return [
        ObjectChange(
            revision=revision,
            plural=entry.kind,
            namespace=entry.namespace,
            name=entry.name,
            body=None
            if entry.verb == _DELETED
            else decoded(OBJECT_KINDS[entry.kind], entry.object, revision),
        )
        for revision, entry in rows
    ]


def _is_at(plural: str, namespace: str, name: str) -> ColumnElement[bool]:
    return and_(objects.c.kind == plural, objects.c.namespace == namespace, objects.c.name == name)


def _encoded(item: KubeObject) -> str:
    # The row's own column says it, and it is not known before the commit.
    bare = msgspec.structs.replace(item.metadata, resource_version="")
    return msgspec.json.encode(msgspec.structs.replace(item, metadata=bare)).decode()


def decoded(kind: type[Kind], body: str, revision: int) -> Kind:
    item = msgspec.json.decode(body, type=kind)
    item.metadata.resource_version = str(revision) if revision else ""
    return item
