"""Repository rows, and the locks that keep pushes and removals apart."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Select, bindparam, delete, select, update

from atomic_registry.content.ports import Lock, Repository
from atomic_registry.errors import MetadataFailed
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.store.metadata.statements import (
    CHUNK_SIZE,
    InsertIfAbsent,
    within_project,
)
from atomic_registry.store.metadata.tables import (
    blob_links,
    manifest_edges,
    manifests,
    repositories,
    tag_events,
    tags,
    uploads,
)

_ENSURE_ATTEMPTS = 5
_FIND = select(repositories.c.id, repositories.c.pushed_at).where(
    repositories.c.name == bindparam("of_name")
)
# Made once: each push asks again and again, and making a statement takes longer than running it.
_FIND_LOCKED: dict[Lock, Select[int, datetime | None]] = {
    "none": _FIND,
    # FOR SHARE would deadlock: two sharers of a row both wait to mark it as pushed.
    "shared": _FIND.with_for_update(read=True, key_share=True),
    "exclusive": _FIND.with_for_update(),
}
_MARK_PUSHED = (
    update(repositories)
    .where(repositories.c.id == bindparam("of_id"))
    .values(pushed_at=bindparam("now"))
)


class SqlRepositories:
    """Implements `content.ports.Repositories`."""

    __slots__ = ("_connection", "_insert_if_absent")

    def __init__(self, connection: Connection, insert_if_absent: InsertIfAbsent) -> None:
        self._connection = connection
        self._insert_if_absent = insert_if_absent

    def find(self, name: RepositoryName, *, lock: Lock = "none") -> Repository | None:
        row = self._connection.execute(_FIND_LOCKED[lock], {"of_name": name.value}).first()
        return None if row is None else Repository(id=row.id, name=name, pushed_at=row.pushed_at)

    def ensure(self, name: RepositoryName, now: datetime) -> Repository:
        for _ in range(_ENSURE_ATTEMPTS):
            found = self.find(name, lock="shared")
            if found is not None:
                return found
            self._connection.execute(
                self._insert_if_absent(repositories), {"name": name.value, "created_at": now}
            )
        raise MetadataFailed(reason=f"repository {name} vanishes as often as it is created")

    def mark_pushed(self, repository_id: int, now: datetime) -> None:
        self._connection.execute(_MARK_PUSHED, {"of_id": repository_id, "now": now})

    def list_names(self, *, after: str, limit: int) -> list[RepositoryName]:
        query = (
            select(repositories.c.name)
            .where(repositories.c.name > after, repositories.c.pushed_at.is_not(None))
            .order_by(repositories.c.name)
            .limit(limit)
        )
        return [RepositoryName(name) for name in self._connection.scalars(query)]

    def remove_project(self, project: str) -> list[RepositoryName]:
        mine = within_project(repositories.c.name, project)
        # Locked first, so that a push either is over or finds its repository gone.
        found = self._connection.execute(
            select(repositories.c.id, repositories.c.name).where(mine).with_for_update()
        ).all()
        ids = [row.id for row in found]
        for start in range(0, len(ids), CHUNK_SIZE):
            self._remove(ids[start : start + CHUNK_SIZE])
        theirs = within_project(uploads.c.repository, project)
        self._connection.execute(update(uploads).where(theirs).values(discarded=True))
        return [RepositoryName(row.name) for row in found]

    def remove(self, repository_id: int, name: RepositoryName) -> None:
        self._remove([repository_id])
        theirs = uploads.c.repository == name.value
        self._connection.execute(update(uploads).where(theirs).values(discarded=True))

    def _remove(self, ids: Sequence[int]) -> None:
        for table in (tag_events, tags, manifest_edges, manifests, blob_links):
            self._connection.execute(delete(table).where(table.c.repository_id.in_(ids)))
        self._connection.execute(delete(repositories).where(repositories.c.id.in_(ids)))
