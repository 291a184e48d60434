"""Blob locations, shared by all repositories, and the links that show them in one."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, Select, delete, select

from atomic_registry.content.ports import StoredBlob
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.store.metadata.statements import (
    InsertIfAbsent,
    split_digests,
    stored_digest,
)
from atomic_registry.store.metadata.tables import blob_links, blobs, repositories

_LOCATION = select(blobs.c.size, blobs.c.key)
_LINKED = blob_links.join(blobs, blobs.c.digest == blob_links.c.digest)


class SqlBlobs:
    """Implements `content.ports.Blobs`."""

    __slots__ = ("_connection", "_insert_if_absent")

    def __init__(self, connection: Connection, insert_if_absent: InsertIfAbsent) -> None:
        self._connection = connection
        self._insert_if_absent = insert_if_absent

    def find(self, digest: Digest) -> StoredBlob | None:
        return self._find(_LOCATION.where(blobs.c.digest == str(digest)), digest)

    def find_linked(self, repository_id: int, digest: Digest) -> StoredBlob | None:
        query = _LOCATION.select_from(_LINKED).where(
            blob_links.c.repository_id == repository_id, blob_links.c.digest == str(digest)
        )
        return self._find(query, digest)

    def _find(self, query: Select[int, str], digest: Digest) -> StoredBlob | None:
        row: Row[int, str] | None = self._connection.execute(query).first()
        return None if row is None else StoredBlob(digest=digest, size=row.size, key=row.key)

    def sizes(self, repository_id: int, digests: Sequence[Digest]) -> dict[Digest, int]:
        query = select(blobs.c.digest, blobs.c.size).select_from(_LINKED)
        query = query.where(blob_links.c.repository_id == repository_id)
        return {
            stored_digest(row.digest): row.size
            for chunk in split_digests(digests)
            for row in self._connection.execute(query.where(blob_links.c.digest.in_(chunk)))
        }

    def add(self, blob: StoredBlob, now: datetime) -> bool:
        insert = self._insert_if_absent(blobs).returning(blobs.c.digest)
        row = {"digest": str(blob.digest), "size": blob.size, "key": blob.key, "created_at": now}
        return self._connection.execute(insert, row).first() is not None

    def link(self, repository_id: int, digest: Digest, now: datetime) -> None:
        row = {"repository_id": repository_id, "digest": str(digest), "created_at": now}
        self._connection.execute(self._insert_if_absent(blob_links), row)

    def link_all(self, repository_id: int, digests: Sequence[Digest], now: datetime) -> None:
        # Sorted, so that two who link the same blobs wait for each other in one order.
        rows = [
            {"repository_id": repository_id, "digest": text, "created_at": now}
            for text in sorted(set(map(str, digests)))
        ]
        if rows:
            self._connection.execute(self._insert_if_absent(blob_links), rows)

    def unlink(self, repository_id: int, digest: Digest) -> bool:
        statement = delete(blob_links).where(
            blob_links.c.repository_id == repository_id, blob_links.c.digest == str(digest)
        )
        return self._connection.execute(statement).rowcount > 0

    def list_linking(self, digest: Digest, *, limit: int) -> list[RepositoryName]:
        query = (
            select(repositories.c.name)
            .join(blob_links, blob_links.c.repository_id == repositories.c.id)
            .where(blob_links.c.digest == str(digest))
            .order_by(repositories.c.id)
            .limit(limit)
        )
        return [RepositoryName(name) for name in self._connection.scalars(query)]
