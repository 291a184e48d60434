"""Uploads on a storage that fails at the last step, and by requests that slept past their lease."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.kit.clock import ManualClock
from tests.kit.databases import new_sqlite

from atomic_registry.content.admission import Admission
from atomic_registry.content.leases import UploadLimits
from atomic_registry.content.ports import BlobStore, BlobWriter
from atomic_registry.content.uploads import UploadService
from atomic_registry.errors import StorageFailed, UploadBusy, UploadUnknown
from atomic_registry.identity.actors import ANONYMOUS
from atomic_registry.identity.policy import OpenPolicy
from atomic_registry.oci.digest import Digest, Hasher
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.store.blobs.memory import MemoryBlobStore
from atomic_registry.store.metadata import MetadataDatabase, open_metadata

NAME = RepositoryName("demo/app")
OPEN = Admission(OpenPolicy())
LEASE = timedelta(seconds=60)


class FailingBlobStore(MemoryBlobStore):
    """Takes bytes, and cannot make them durable while `fails` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = True
        self.deleted: list[str] = []

    async def create(  # type: ignore[override]  # what the port asks for
        self, key: str, hasher: Hasher
    ) -> BlobWriter:
        return _FailingWriter(await super().create(key, hasher), self)

    async def resume(  # type: ignore[override]  # what the port asks for
        self, key: str, offset: int, hasher: Hasher
    ) -> BlobWriter:
        return _FailingWriter(await super().resume(key, offset, hasher), self)

    async def delete(self, key: str) -> None:
        self.deleted.append(key)
        await super().delete(key)


class _FailingWriter:
    def __init__(self, writer: BlobWriter, store: FailingBlobStore) -> None:
        self._writer = writer
        self._store = store

    @property
    def offset(self) -> int:
        return self._writer.offset

    async def write(self, chunk: bytes) -> None:
        await self._writer.write(chunk)

    async def flush(self) -> None:
        await self._writer.flush()

    async def finish(self) -> None:
        if self._store.fails:
            raise StorageFailed(what="saving a blob", reason="fsync failed")
        await self._writer.finish()

    async def close(self) -> None:
        await self._writer.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def metadata(tmp_path: Path, clock: ManualClock) -> AsyncIterator[MetadataDatabase]:
    url = new_sqlite(tmp_path)
    store = open_metadata(url, clock)
    yield store
    await store.close()


def make_service(
    metadata: MetadataDatabase, blobs: BlobStore, clock: ManualClock, *, node: str
) -> UploadService:
    return UploadService(
        metadata,
        blobs,
        clock,
        node=node,
        limits=UploadLimits(lease=LEASE),
        admission=OPEN,
    )


async def body(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_bytes_of_unknown_durability_are_given_up_with_their_session(
    metadata: MetadataDatabase, clock: ManualClock
) -> None:
    blobs = FailingBlobStore()
    uploads = make_service(metadata, blobs, clock, node="n")
    digest = Digest.of(b"abc")
    session = await uploads.start(ANONYMOUS, NAME)
    with pytest.raises(StorageFailed):
        await uploads.commit(NAME, session.id, digest, body(b"abc"), None)

    assert [session.key] == blobs.deleted
    assert await metadata.find_blob(NAME, digest) is None
    blobs.fails = False
    with pytest.raises(UploadUnknown):
        await uploads.commit(NAME, session.id, digest, body(b"abc"), None)
    again = await uploads.start(ANONYMOUS, NAME)
    assert 3 == (await uploads.commit(NAME, again.id, digest, body(b"abc"), None)).size


async def test_a_request_that_slept_past_its_lease_writes_nothing_more(
    metadata: MetadataDatabase, clock: ManualClock
) -> None:
    blobs = MemoryBlobStore()
    sleeper = make_service(metadata, blobs, clock, node="a")
    other = make_service(metadata, blobs, clock, node="b")
    session = await sleeper.start(ANONYMOUS, NAME)

    async def sleepy() -> AsyncIterator[bytes]:
        yield b"abc"
        clock.advance(LEASE * 2)
        # It takes the lease that ran out, but the bytes are still open elsewhere.
        with pytest.raises(UploadBusy):
            await other.append(NAME, session.id, body(b"xyz"), None)
        yield b"def"
        yield b"ghi"

    with pytest.raises(UploadUnknown):
        await sleeper.append(NAME, session.id, sleepy(), None)
    digest = Digest.of(b"0123")
    await other.commit(NAME, session.id, digest, body(b"0123"), None)
    blob = await metadata.find_blob(NAME, digest)
    assert blob is not None
    reader = await blobs.open(blob.key)
    assert b"0123" == b"".join([piece async for piece in reader.read(0, blob.size)])
