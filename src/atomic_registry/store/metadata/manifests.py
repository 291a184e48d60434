"""Manifests of repositories, with an edge to each blob and manifest that they name."""

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from atomic_registry.content.ports import NewManifest, Referrer, StoredManifest
from atomic_registry.oci.descriptor import Descriptor
from atomic_registry.oci.digest import Digest
from atomic_registry.store.metadata.statements import (
    InsertIfAbsent,
    split_digests,
    stored_digest,
)
from atomic_registry.store.metadata.tables import manifest_edges, manifests

_REFERRER = select(
    manifests.c.digest,
    manifests.c.media_type,
    manifests.c.artifact_type,
    manifests.c.annotations,
    manifests.c.size,
)


class SqlManifests:
    """Implements `content.ports.Manifests`."""

    __slots__ = ("_connection", "_insert_if_absent")

    def __init__(self, connection: Connection, insert_if_absent: InsertIfAbsent) -> None:
        self._connection = connection
        self._insert_if_absent = insert_if_absent

    def put(self, repository_id: int, manifest: NewManifest, now: datetime) -> bool:
        insert_row = self._insert_if_absent(manifests).returning(manifests.c.id)
        row = manifest_row(repository_id, manifest, now)
        if self._connection.execute(insert_row, row).first() is None:
            self._take_over_media_type(repository_id, manifest)
            return False
        edges = edge_rows(repository_id, manifest)
        if edges:
            self._connection.execute(insert(manifest_edges), edges)
        return True

    def _take_over_media_type(self, repository_id: int, manifest: NewManifest) -> None:
        self._connection.execute(
            update(manifests)
            .where(
                manifests.c.repository_id == repository_id,
                manifests.c.digest == str(manifest.digest),
                manifests.c.media_type != manifest.media_type,
            )
            .values(media_type=manifest.media_type)
        )

    def find(self, repository_id: int, digest: Digest) -> StoredManifest | None:
        query = select(manifests.c.media_type, manifests.c.body).where(
            manifests.c.repository_id == repository_id, manifests.c.digest == str(digest)
        )
        row = self._connection.execute(query).first()
        if row is None:
            return None
        return StoredManifest(digest=digest, media_type=row.media_type, body=row.body)

    def sizes(self, repository_id: int, digests: Sequence[Digest]) -> dict[Digest, int]:
        query = select(manifests.c.digest, manifests.c.size)
        query = query.where(manifests.c.repository_id == repository_id)
        return {
            stored_digest(row.digest): row.size
            for chunk in split_digests(digests)
            for row in self._connection.execute(query.where(manifests.c.digest.in_(chunk)))
        }

    def delete(self, repository_id: int, digest: Digest) -> bool:
        statement = delete(manifests).where(
            manifests.c.repository_id == repository_id, manifests.c.digest == str(digest)
        )
        if self._connection.execute(statement).rowcount == 0:
            return False
        self._connection.execute(
            delete(manifest_edges).where(
                manifest_edges.c.repository_id == repository_id,
                manifest_edges.c.manifest == str(digest),
            )
        )
        return True

    def is_blob_named(self, repository_id: int, digest: Digest) -> bool:
        query = (
            select(manifest_edges.c.manifest)
            .where(
                manifest_edges.c.repository_id == repository_id,
                manifest_edges.c.target == str(digest),
                manifest_edges.c.role == "blob",
            )
            .limit(1)
        )
        return self._connection.execute(query).first() is not None

    def list_referrers(
        self,
        repository_id: int,
        subject: Digest,
        *,
        artifact_type: str | None,
        after: str,
        limit: int,
    ) -> list[Referrer]:
        query = _REFERRER.where(
            manifests.c.repository_id == repository_id,
            manifests.c.subject == str(subject),
            manifests.c.digest > after,
        )
        if artifact_type is not None:
            query = query.where(manifests.c.artifact_type == artifact_type)
        query = query.order_by(manifests.c.digest).limit(limit)
        return [
            Referrer(
                descriptor=Descriptor(
                    media_type=row.media_type, digest=stored_digest(row.digest), size=row.size
                ),
                artifact_type=row.artifact_type,
                annotations=json.loads(row.annotations),
            )
            for row in self._connection.execute(query)
        ]


def manifest_row(
    repository_id: int, manifest: NewManifest, now: datetime
) -> dict[str, str | int | bytes | datetime | None]:
    return {
        "repository_id": repository_id,
        "digest": str(manifest.digest),
        "media_type": manifest.media_type,
        "artifact_type": manifest.artifact_type,
        "subject": None if manifest.subject is None else str(manifest.subject),
        "annotations": json.dumps(manifest.annotations),
        "size": len(manifest.body),
        "pushed_at": now,
        "body": manifest.body,
    }


def edge_rows(repository_id: int, manifest: NewManifest) -> list[dict[str, str | int]]:
    text = str(manifest.digest)
    edges = {(str(blob), "blob") for blob in manifest.blobs}
    edges |= {(str(child), "child") for child in manifest.children}
    # Sorted, because that is the order of the key's tree.
    return [
        {"repository_id": repository_id, "manifest": text, "target": target, "role": role}
        for target, role in sorted(edges)
    ]
