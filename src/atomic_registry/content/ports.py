"""What this package needs of a metadata store and of a blob store.

Adapters live in `store` and pass `tests/contract/`.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Literal, Protocol, TypeVar

from atomic_registry.content.quota import Usage
from atomic_registry.content.streams import Images, Streams
from atomic_registry.identity import ports as identity
from atomic_registry.oci.descriptor import Descriptor
from atomic_registry.oci.digest import Digest, Hasher
from atomic_registry.oci.reference import Reference, RepositoryName, Tag

T = TypeVar("T")

Lock = Literal["none", "shared", "exclusive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A stored repository; `pushed_at` is None until its first manifest."""

    id: int
    name: RepositoryName
    pushed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlob:
    """Where the bytes of a digest lie: `key` in the blob store, `size` in bytes."""

    digest: Digest
    size: int
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredManifest:
    """A manifest of one repository, with the exact bytes that were pushed."""

    digest: Digest
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewManifest:
    """A manifest to be stored, with what it says of itself and the content it names.

    `annotations` are kept for the referrers listing; `blobs` and `children` are the content
    that the repository must hold for as long as the manifest lives.
    """

    digest: Digest
    media_type: str
    body: bytes
    artifact_type: str | None
    subject: Digest | None
    annotations: dict[str, str]
    blobs: tuple[Digest, ...]
    children: tuple[Digest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Referrer:
    """A manifest that names a subject, as the referrers listing shows it."""

    descriptor: Descriptor
    artifact_type: str | None
    annotations: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadSession:
    """A resumable blob write.

    `offset` counts the bytes that the blob store holds under `key`.
    `hash_state` lets another process continue the digest; `digest` is the digest of those bytes
    where it is known; both may be None, and then the bytes are read again.
    """

    id: str
    repository: RepositoryName
    key: str
    algorithm: str
    offset: int
    hash_state: bytes | None
    digest: Digest | None
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A row of the change log, written in the transaction that it tells of."""

    kind: str
    repository: RepositoryName
    verb: str
    actor: str
    object: dict[str, str]


class Repositories(Protocol):
    """Repository rows."""

    def find(self, name: RepositoryName, *, lock: Lock = "none") -> Repository | None:
        """Return the repository.

        A shared lock lets others share and keeps exclusive lockers out until the transaction
        ends; whoever removes content of a repository takes it exclusively.
        """
        ...

    def ensure(self, name: RepositoryName, now: datetime) -> Repository:
        """Return the repository, created if need be, locked as shared."""
        ...

    def mark_pushed(self, repository_id: int, now: datetime) -> None:
        """Record a manifest push; from the first one on the repository is listed."""
        ...

    def list_names(self, *, after: str, limit: int) -> list[RepositoryName]:
        """Return names of repositories that have been pushed to, in byte order, after a name."""
        ...

    def remove(self, repository_id: int, name: RepositoryName) -> None:
        """Delete the repository with its tags, manifests and blob links; discard its uploads."""
        ...

    def remove_project(self, project: str) -> list[RepositoryName]:
        """Delete every repository of the project with its tags, manifests and blob links.

        Open uploads to them are discarded. Return the names.
        """
        ...


class Blobs(Protocol):
    """Blob locations, and which repositories link them."""

    def find(self, digest: Digest) -> StoredBlob | None:
        """Return the location of the digest's bytes, whoever links it."""
        ...

    def find_linked(self, repository_id: int, digest: Digest) -> StoredBlob | None:
        """Return the location if this repository links the blob."""
        ...

    def sizes(self, repository_id: int, digests: Sequence[Digest]) -> dict[Digest, int]:
        """Return the sizes of those of the digests that the repository links."""
        ...

    def add(self, blob: StoredBlob, now: datetime) -> bool:
        """Store a location; return False, and change nothing, if the digest has one already."""
        ...

    def link(self, repository_id: int, digest: Digest, now: datetime) -> None:
        """Make the blob part of the repository; no-op if it is."""
        ...

    def link_all(self, repository_id: int, digests: Sequence[Digest], now: datetime) -> None:
        """Make many blobs part of the repository."""
        ...

    def unlink(self, repository_id: int, digest: Digest) -> bool:
        """Take the blob out of the repository; return False if it was not in it."""
        ...

    def list_linking(self, digest: Digest, *, limit: int) -> list[RepositoryName]:
        """Return some of the repositories that link the blob."""
        ...


class Uploads(Protocol):
    """Upload sessions as leased rows: one request at a time writes to a session."""

    def add(self, session: UploadSession, now: datetime) -> None:
        """Store a new session that nobody holds."""
        ...

    def find(self, repository: RepositoryName, upload_id: str) -> UploadSession | None:
        """Return the open session of this repository."""
        ...

    def claim(
        self,
        repository: RepositoryName,
        upload_id: str,
        *,
        owner: str,
        now: datetime,
        until: datetime,
    ) -> UploadSession | None:
        """Take the lease and return the session; None if it is gone or another's lease runs."""
        ...

    def renew(self, upload_id: str, *, owner: str, until: datetime) -> bool:
        """Extend a lease that the owner still holds; False if it is lost."""
        ...

    def release(self, session: UploadSession, *, owner: str) -> bool:
        """Store the session's progress and give the lease back; False if the lease was lost."""
        ...

    def discard(self, upload_id: str) -> bool:
        """Close the session for everybody; its row stays until its bytes are gone.

        Return False if there is no row: then its bytes are gone, or a blob's.
        """
        ...

    def remove(self, upload_id: str) -> None:
        """Delete the row; no-op if it is gone."""
        ...

    def release_all(self, *, owner_prefix: str) -> int:
        """Free the leases of owners that are known to be dead; return how many."""
        ...

    def list_dead(self, *, now: datetime, limit: int) -> list[UploadSession]:
        """Return sessions that are discarded, or expired with no running lease."""
        ...

    def count_open(self) -> int:
        """Return how many sessions are open."""
        ...


class Manifests(Protocol):
    """Manifests of repositories and the edges to what they name."""

    def put(self, repository_id: int, manifest: NewManifest, now: datetime) -> bool:
        """Store the manifest and its edges; return False if the repository had it already.

        A second push of a digest takes over its media type; the bytes are the same.
        """
        ...

    def find(self, repository_id: int, digest: Digest) -> StoredManifest | None:
        """Return the manifest of this repository."""
        ...

    def sizes(self, repository_id: int, digests: Sequence[Digest]) -> dict[Digest, int]:
        """Return the sizes of those of the digests that are manifests of the repository."""
        ...

    def delete(self, repository_id: int, digest: Digest) -> bool:
        """Delete the manifest and its edges; return False if it was not there."""
        ...

    def is_blob_named(self, repository_id: int, digest: Digest) -> bool:
        """Tell whether a manifest of the repository names the blob."""
        ...

    def list_referrers(
        self,
        repository_id: int,
        subject: Digest,
        *,
        artifact_type: str | None,
        after: str,
        limit: int,
    ) -> list[Referrer]:
        """Return manifests that name the subject, in order of digest text, after a digest."""
        ...


class Tags(Protocol):
    """Tags and their history; each move and removal is kept as a tag event."""

    def find(self, repository_id: int, tag: Tag) -> Digest | None:
        """Return the digest that the tag points at."""
        ...

    def move(
        self, repository_id: int, tag: Tag, digest: Digest, *, actor: str, now: datetime
    ) -> Digest | None:
        """Point the tag at the digest; return where it pointed before."""
        ...

    def remove(self, repository_id: int, tag: Tag, *, actor: str, now: datetime) -> bool:
        """Remove the tag; return False if it was not there."""
        ...

    def remove_pointing_at(
        self, repository_id: int, digest: Digest, *, actor: str, now: datetime
    ) -> list[Tag]:
        """Remove every tag that points at the digest; return them."""
        ...

    def trim(self, repository_id: int, tag: Tag, *, keep: int) -> None:
        """Forget all but the newest events of the tag."""
        ...

    def list(self, repository_id: int, *, after: str, limit: int) -> list[str]:
        """Return tags in byte order, after a tag."""
        ...


class Transaction(identity.Transaction, Protocol):
    """One transaction: its parts see and change the same snapshot."""

    @property
    def repositories(self) -> Repositories: ...
    @property
    def blobs(self) -> Blobs: ...
    @property
    def uploads(self) -> Uploads: ...
    @property
    def manifests(self) -> Manifests: ...
    @property
    def tags(self) -> Tags: ...
    @property
    def streams(self) -> Streams: ...
    @property
    def images(self) -> Images: ...
    @property
    def usage(self) -> Usage: ...

    def append(self, change: Change) -> None:
        """Add a row to the change log; revisions are given in commit order, without gaps."""
        ...


class MetadataStore(Protocol):
    """Transactions, and the few reads that are hot enough to bypass them.

    A transaction function is synchronous, touches nothing but its transaction, and may run more
    than once. Every method raises `MetadataFailed`, `StorageFull` or `StorageReadOnly` when the
    database cannot serve.
    """

    hot: "HotReads | None"
    """The same hot reads without waiting, where the store can do that."""

    async def read(self, query: Callable[[Transaction], T]) -> T:
        """Run the function on one consistent snapshot."""
        ...

    async def write(self, change: Callable[[Transaction], T], *, durable: bool = True) -> T:
        """Run the function and commit; on return it survives a crash of the process.

        If `durable`, it survives a loss of power too.
        """
        ...

    async def find_manifest(
        self, repository: RepositoryName, reference: Reference
    ) -> StoredManifest | None:
        """Return the manifest that the reference names in the repository."""
        ...

    async def find_blob(self, repository: RepositoryName, digest: Digest) -> StoredBlob | None:
        """Return the blob's location if the repository links it."""
        ...


class HotReads(Protocol):
    """Reads of an embedded store, in microseconds and on the event loop's thread."""

    def find_manifest_now(
        self, repository: RepositoryName, reference: Reference
    ) -> StoredManifest | None:
        """Do what `MetadataStore.find_manifest` does."""
        ...

    def find_blob_now(self, repository: RepositoryName, digest: Digest) -> StoredBlob | None:
        """Do what `MetadataStore.find_blob` does."""
        ...


class BlobWriter(Protocol):
    """Writes the bytes of one key, in order, and feeds them to the hasher it was opened with."""

    @property
    def offset(self) -> int:
        """Bytes that the key holds and the hasher has seen, after `flush`."""
        ...

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes; they may be buffered, up to a fixed bound.

        Raises:
            StorageFull, StorageReadOnly, StorageFailed: `offset` then counts what is kept.
        """
        ...

    async def flush(self) -> None:
        """Wait until all bytes taken are written and hashed."""
        ...

    async def finish(self) -> None:
        """Flush, make the bytes and their name survive a loss of power, and close."""
        ...

    async def close(self) -> None:
        """Close and keep what is written; no-op if closed. Never raises."""
        ...


class BlobReader(Protocol):
    """Open bytes of one key."""

    file: BinaryIO | None
    """The file, where the bytes are a local one, so that the kernel can send it."""

    def read(self, offset: int, length: int) -> AsyncIterator[bytes]:
        """Yield the bytes of the range in pieces of at most 1 MiB.

        Raises:
            StorageFailed: the bytes end early.
        """
        ...

    def close(self) -> None:
        """Release what is held; no-op if closed."""
        ...


class BlobStore(Protocol):
    """Bytes under keys. A key is chosen once, written once, and never used again."""

    async def create(self, key: str, hasher: Hasher) -> BlobWriter:
        """Open a new key that nobody else knows; nothing is touched until the first bytes."""
        ...

    async def resume(self, key: str, offset: int, hasher: Hasher) -> BlobWriter:
        """Open an unfinished key to go on at the offset.

        From here on no other writer can open the key. Bytes beyond the offset are dropped with
        the first `write`, `flush` or `finish`, so that the caller can still find out that the key
        is no longer its own.

        The hasher must have seen the first `offset` bytes. A key that nothing was written to
        yet counts as one of 0 bytes.

        Raises:
            UploadBusy: another writer, even in another process, has the key open.
            StorageFailed: the key holds fewer bytes than the offset.
        """
        ...

    async def hash_prefix(self, key: str, length: int, hasher: Hasher) -> None:
        """Feed the first `length` bytes of the key to the hasher."""
        ...

    async def open(self, key: str) -> BlobReader:
        """Open a finished key for reading.

        Raises:
            StorageFailed: the key does not exist or cannot be read.
        """
        ...

    async def delete(self, key: str) -> None:
        """Delete the bytes; no-op if there are none."""
        ...

    async def probe(self) -> None:
        """Write, read back and delete a little.

        Raises:
            StorageFull, StorageReadOnly, StorageFailed: as a push would.
        """
        ...
