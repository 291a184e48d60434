"""Tags and their history."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from atomic_registry.errors import MetadataFailed
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import Tag
from atomic_registry.store.metadata.statements import InsertIfAbsent, stored_digest
from atomic_registry.store.metadata.tables import tag_events, tags

_MOVE_ATTEMPTS = 5

_Names = list[str]  # Within the class, `list` is the method.
_Tags = list[Tag]


class SqlTags:
    """Implements `content.ports.Tags`."""

    __slots__ = ("_connection", "_insert_if_absent")

    def __init__(self, connection: Connection, insert_if_absent: InsertIfAbsent) -> None:
        self._connection = connection
        self._insert_if_absent = insert_if_absent

    def find(self, repository_id: int, tag: Tag) -> Digest | None:
        query = select(tags.c.digest).where(
            tags.c.repository_id == repository_id, tags.c.name == tag.value
        )
        text = self._connection.execute(query).scalar()
        return None if text is None else stored_digest(text)

    def move(
        self, repository_id: int, tag: Tag, digest: Digest, *, actor: str, now: datetime
    ) -> Digest | None:
        """A tag that points at the digest already is not moved and gets no tag event."""
        previous = self._insert_or_lock(repository_id, tag, digest, now)
        if previous == digest:
            return previous
        if previous is not None:
            self._connection.execute(
                update(tags)
                .where(tags.c.repository_id == repository_id, tags.c.name == tag.value)
                .values(digest=str(digest), moved_at=now)
            )
        self._record(repository_id, [tag], digest, actor, now)
        return previous

    def _insert_or_lock(
        self, repository_id: int, tag: Tag, digest: Digest, now: datetime
    ) -> Digest | None:
        insert_row = self._insert_if_absent(tags).returning(tags.c.name)
        row = {
            "repository_id": repository_id,
            "name": tag.value,
            "digest": str(digest),
            "moved_at": now,
        }
        query = (
            select(tags.c.digest)
            .where(tags.c.repository_id == repository_id, tags.c.name == tag.value)
            .with_for_update()
        )
        for _ in range(_MOVE_ATTEMPTS):
            if self._connection.execute(insert_row, row).first() is not None:
                return None
            text = self._connection.execute(query).scalar()
            # Absent again if another transaction removed it between the two statements.
            if text is not None:
                return stored_digest(text)
        raise MetadataFailed(reason=f"tag {tag} vanishes as often as it is set")

    def remove(self, repository_id: int, tag: Tag, *, actor: str, now: datetime) -> bool:
        statement = delete(tags).where(
            tags.c.repository_id == repository_id, tags.c.name == tag.value
        )
        if self._connection.execute(statement).rowcount == 0:
            return False
        self._record(repository_id, [tag], None, actor, now)
        return True

    def remove_pointing_at(
        self, repository_id: int, digest: Digest, *, actor: str, now: datetime
    ) -> _Tags:
        statement = (
            delete(tags)
            .where(tags.c.repository_id == repository_id, tags.c.digest == str(digest))
            .returning(tags.c.name)
        )
        removed = [Tag(name) for name in sorted(self._connection.scalars(statement))]
        if removed:
            self._record(repository_id, removed, None, actor, now)
        return removed

    def trim(self, repository_id: int, tag: Tag, *, keep: int) -> None:
        mine = (tag_events.c.repository_id == repository_id) & (tag_events.c.tag == tag.value)
        newest_dropped = (
            select(tag_events.c.id)
            .where(mine)
            .order_by(tag_events.c.id.desc())
            .offset(keep)
            .limit(1)
            .scalar_subquery()
        )
        self._connection.execute(delete(tag_events).where(mine, tag_events.c.id <= newest_dropped))

    def list(self, repository_id: int, *, after: str, limit: int) -> _Names:
        query = (
            select(tags.c.name)
            .where(tags.c.repository_id == repository_id, tags.c.name > after)
            .order_by(tags.c.name)
            .limit(limit)
        )
        return [*self._connection.scalars(query)]

    def _record(
        self, repository_id: int, moved: _Tags, digest: Digest | None, actor: str, now: datetime
    ) -> None:
        target = None if digest is None else str(digest)
        events = [
            {
                "repository_id": repository_id,
                "tag": tag.value,
                "digest": target,
                "actor": actor,
                "at": now,
            }
            for tag in moved
        ]
        self._connection.execute(insert(tag_events), events)
