"""Manifests by digest: who holds them, and what uses them."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from atomic_registry.content.streams import ImageRecord
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import Reference, RepositoryName, Tag
from atomic_registry.store.metadata.statements import split_digests, stored_digest
from atomic_registry.store.metadata.tables import (
    manifest_edges,
    manifests,
    objects,
    repositories,
    tags,
)


class SqlImages:
    """Implements `content.streams.Images`."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_holders(self, digest: Digest, *, limit: int) -> list[RepositoryName]:
        query = (
            select(repositories.c.name)
            .join(manifests, manifests.c.repository_id == repositories.c.id)
            .where(manifests.c.digest == str(digest))
            .order_by(manifests.c.id)
            .limit(limit)
        )
        return [RepositoryName(name) for name in self._connection.execute(query).scalars()]

    def list_uses(self, repository_id: int, digest: Digest, *, limit: int) -> list[Reference]:
        pointing = (
            select(tags.c.name)
            .where(tags.c.repository_id == repository_id, tags.c.digest == str(digest))
            .order_by(tags.c.name)
            .limit(limit)
        )
        found: list[Reference] = [
            Tag(name) for name in self._connection.execute(pointing).scalars()
        ]
        listing = (
            select(manifest_edges.c.manifest)
            .where(
                manifest_edges.c.repository_id == repository_id,
                manifest_edges.c.target == str(digest),
                manifest_edges.c.role == "child",
            )
            .order_by(manifest_edges.c.manifest)
            .limit(limit - len(found))
        )
        return [*found, *map(stored_digest, self._connection.execute(listing).scalars())]

    def list_digests(self, repository_id: int, *, limit: int) -> list[Digest]:
        query = (
            select(manifests.c.digest)
            .where(manifests.c.repository_id == repository_id)
            .order_by(manifests.c.digest)
            .limit(limit)
        )
        return [*map(stored_digest, self._connection.execute(query).scalars())]

    def list_described(self, digests: Sequence[Digest]) -> list[Digest]:
        query = select(objects.c.name).where(
            objects.c.kind == ImageRecord.plural, objects.c.namespace == ""
        )
        return [
            stored_digest(name)
            for chunk in split_digests(digests)
            for name in self._connection.execute(query.where(objects.c.name.in_(chunk))).scalars()
        ]
