"""What a backup says of itself: when, of what, and the digest of every file.

Blobs are not listed: the database names each with digest and size, and its own digest is here.
"""

from datetime import datetime
from hashlib import sha256
from typing import Literal

import msgspec

from atomic_registry.oci.digest import Digest
from atomic_registry.system.backup.failures import BackupFailed

FORMAT = 1
MANIFEST = "manifest.json"
CHECKSUM = "manifest.json.sha256"
DATABASE = "database.sqlite"
FILES = "files"
SNAPSHOTS = "snapshots"
DATABASE_FILE = "metadata.db"

Kind = Literal["machine", "tree"]
Holds = Literal["files", "database", "blobs"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A file, directory or symbolic link below a place."""

    path: str
    type: Literal["file", "directory", "link"]
    mode: int
    owner: str
    group: str
    size: int = 0
    sha256: str = ""
    target: str = ""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A directory that is restored as one; its path is relative to where a restore goes."""

    path: str
    holds: Holds
    mode: int
    owner: str
    group: str
    was: str
    entries: tuple[Entry, ...] = ()


class DatabaseFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the copy of the database."""

    engine: Literal["sqlite", "postgresql"]
    schema_version: int
    compat_version: int
    compat_release: str
    blobs: int
    blob_bytes: int
    repositories: int
    tags: int


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A blob that the registry itself no longer had whole."""

    digest: str
    reason: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`taken_at` is the moment whose state the backup holds."""

    format: int
    release: str
    kind: Kind
    host: str
    root: str
    taken_at: datetime
    finished_at: datetime
    database: DatabaseFacts
    database_size: int
    database_sha256: str
    places: tuple[Place, ...]
    missing: tuple[Missing, ...] = ()


class _Format(msgspec.Struct, kw_only=True):
    format: int
    release: str = ""


def encode_manifest(manifest: Manifest) -> tuple[bytes, bytes]:
    """Return the document and the line by which `sha256sum --check` finds a change in it."""
    document = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    return document, f"{sha256(document).hexdigest()}  {MANIFEST}\n".encode()


def decode_manifest(document: bytes, checksum: bytes, where: str) -> Manifest:
    """Return the manifest.

    Raises:
        BackupFailed: it is damaged, or of a release that is newer than this one.
    """
    if checksum != f"{sha256(document).hexdigest()}  {MANIFEST}\n".encode():
        raise BackupFailed(
            f"{where}/{MANIFEST} is damaged: its bytes are not those of {CHECKSUM}; "
            "use another snapshot (--at) or another copy of the backup"
        )
    try:
        head = msgspec.json.decode(document, type=_Format)
        if head.format > FORMAT:
            raise BackupFailed(
                f"{where} was made by Atomic Registry {head.release}, in a format that this "
                "release does not know: install that release or a later one"
            )
        return msgspec.json.decode(document, type=Manifest)
    except msgspec.MsgspecError as error:
        raise BackupFailed(f"{where}/{MANIFEST} is no manifest of a backup: {error}") from error


def blob_name(digest: Digest) -> str:
    """Return where the bytes of a digest lie in a backup."""
    return f"blobs/{digest.algorithm}/{digest.encoded[:2]}/{digest.encoded}"
