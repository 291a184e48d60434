"""The reads that every pull makes, as plain SQL on a driver's connection."""

from typing import Final

from atomic_registry.content.ports import StoredBlob, StoredManifest
from atomic_registry.oci.digest import Digest
from atomic_registry.store.metadata.statements import stored_digest

MANIFEST_BY_TAG: Final = (
    "SELECT m.digest, m.media_type, m.body FROM repositories r "
    "JOIN tags t ON t.repository_id = r.id "
    "JOIN manifests m ON m.repository_id = r.id AND m.digest = t.digest "
    "WHERE r.name = ? AND t.name = ?"
)
MANIFEST_BY_DIGEST: Final = (
    "SELECT m.digest, m.media_type, m.body FROM repositories r "
    "JOIN manifests m ON m.repository_id = r.id WHERE r.name = ? AND m.digest = ?"
)
LINKED_BLOB: Final = (
    "SELECT b.digest, b.size, b.key FROM repositories r "
    "JOIN blob_links l ON l.repository_id = r.id "
    "JOIN blobs b ON b.digest = l.digest WHERE r.name = ? AND l.digest = ?"
)

ManifestRow = tuple[str, str, bytes]
BlobRow = tuple[str, int, str]


def manifest_of(row: ManifestRow | None) -> StoredManifest | None:
    if row is None:
        return None
    return StoredManifest(digest=stored_digest(row[0]), media_type=row[1], body=row[2])


def blob_of(row: BlobRow | None, digest: Digest) -> StoredBlob | None:
    return None if row is None else StoredBlob(digest=digest, size=row[1], key=row[2])
