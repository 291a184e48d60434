"""The reads that every request may make, as plain SQL on a driver's connection."""

from typing import Final

import msgspec

from atomic_registry.content.ports import StoredBlob, StoredManifest
from atomic_registry.identity.ports import StoredToken, TokenKind
from atomic_registry.oci.digest import Digest
from atomic_registry.store.metadata.statements import stored_digest
from atomic_registry.store.metadata.tables import moment_of

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
TOKENS_BY_ID: Final = (
    "SELECT id, kind, user_name, user_uid, client, scopes, description, created_at, expires_at, "
    "last_used_at, inactivity_seconds, family, state FROM tokens WHERE id = ?"
)
LAST_REVISION: Final = "SELECT value FROM revision"

_SCOPES: Final = msgspec.json.Decoder(tuple[str, ...])
_STATE: Final = msgspec.json.Decoder(dict[str, str])

ManifestRow = tuple[str, str, bytes]
BlobRow = tuple[str, int, str]
TokenRow = tuple[
    str, str, str, str, str, str, str, int, int | None, int | None, int | None, str, str
]


def manifest_of(row: ManifestRow | None) -> StoredManifest | None:
    if row is None:
        return None
    return StoredManifest(digest=stored_digest(row[0]), media_type=row[1], body=row[2])


def blob_of(row: BlobRow | None, digest: Digest) -> StoredBlob | None:
    return None if row is None else StoredBlob(digest=digest, size=row[1], key=row[2])


def token_of(row: TokenRow | None) -> StoredToken | None:
    if row is None:
        return None
    expires_at, last_used_at = row[8:10]
    return StoredToken(
        id=row[0],
        kind=TokenKind(row[1]),
        user=row[2],
        user_uid=row[3],
        client=row[4],
        scopes=_SCOPES.decode(row[5]),
        description=row[6],
        created_at=moment_of(row[7]),
        expires_at=None if expires_at is None else moment_of(expires_at),
        last_used_at=None if last_used_at is None else moment_of(last_used_at),
        inactivity_seconds=row[10],
        family=row[11],
        state=_STATE.decode(row[12]),
    )
