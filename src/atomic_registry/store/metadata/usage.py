"""What a project holds, counted where it lies, and the objects that limit it.

Nothing is kept beside the content: a count cannot drift from what it counts.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Select, bindparam, func, literal_column, select

from atomic_registry.identity.records import LimitRange, ResourceQuota
from atomic_registry.oci.digest import Digest
from atomic_registry.store.metadata.objects import decoded
from atomic_registry.store.metadata.statements import (
    CHUNK_SIZE,
    split_digests,
    stored_digest,
    within_project,
)
from atomic_registry.store.metadata.tables import (
    blob_links,
    blobs,
    manifests,
    objects,
    repositories,
    tags,
)

_KINDS: dict[str, type[LimitRange | ResourceQuota]] = {
    kind.plural: kind for kind in (LimitRange, ResourceQuota)
}
# Every push asks for the limits: the statement is made once, with the kinds in its text.
_LIMITS = (
    select(objects.c.kind, objects.c.body, objects.c.revision)
    .where(objects.c.kind.in_([literal_column(f"'{plural}'") for plural in sorted(_KINDS)]))
    .where(objects.c.namespace == bindparam("of_project"))
    .order_by(objects.c.kind, objects.c.name)
)
_LIMITS_LOCKED = _LIMITS.with_for_update()
_LINKED = select(blob_links.c.digest).join(
    repositories, repositories.c.id == blob_links.c.repository_id
)


class SqlUsage:
    """Implements `content.quota.Usage`."""

    __slots__ = ("_connection", "_locked")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # Nobody else changes these rows before the end of the transaction.
        self._locked: dict[str, list[LimitRange | ResourceQuota]] = {}

    def limits(self, project: str, *, lock: bool) -> list[LimitRange | ResourceQuota]:
        if project in self._locked:
            return self._locked[project]
        query = _LIMITS_LOCKED if lock else _LIMITS
        rows = self._connection.execute(query, {"of_project": project})
        found = [decoded(_KINDS[row.kind], row.body, row.revision) for row in rows]
        if lock:
            self._locked[project] = found
        return found

    def count_streams(self, project: str) -> int:
        query = select(func.count()).where(
            within_project(repositories.c.name, project), repositories.c.revision > 0
        )
        return self._number(query.select_from(repositories))

    def count_bytes(self, project: str) -> int:
        linked = _LINKED.where(within_project(repositories.c.name, project))
        query = select(func.coalesce(func.sum(blobs.c.size), 0))
        return self._number(query.where(blobs.c.digest.in_(linked)))

    def linked(self, project: str, digests: Sequence[Digest]) -> set[Digest]:
        query = _LINKED.where(within_project(repositories.c.name, project)).distinct()
        return {
            stored_digest(text)
            for chunk in split_digests(digests)
            for text in self._connection.scalars(query.where(blob_links.c.digest.in_(chunk)))
        }

    def count_images(self, repository_id: int) -> int:
        query = select(func.count()).where(manifests.c.repository_id == repository_id)
        return self._number(query.select_from(manifests))

    def count_tags(self, repository_id: int) -> int:
        query = select(func.count()).where(tags.c.repository_id == repository_id)
        return self._number(query.select_from(tags))

    def tags_among(self, repository_id: int, names: Sequence[str]) -> set[str]:
        query = select(tags.c.name).where(tags.c.repository_id == repository_id)
        return {
            name
            for start in range(0, len(names), CHUNK_SIZE)
            for name in self._connection.scalars(
                query.where(tags.c.name.in_(names[start : start + CHUNK_SIZE]))
            )
        }

    def _number(self, query: Select[int]) -> int:
        return int(self._connection.execute(query).scalar_one())
