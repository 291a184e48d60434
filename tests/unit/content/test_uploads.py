"""Upload sessions on a real metadata store and blobs in memory."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.kit.clock import ManualClock
from tests.kit.databases import new_sqlite

from atomic_registry.content.admission import Admission
from atomic_registry.content.leases import Chunk, UploadLimits
from atomic_registry.content.uploads import UploadService
from atomic_registry.errors import (
    BodyInterrupted,
    DigestMismatch,
    RangeMismatch,
    SizeMismatch,
    UploadBusy,
    UploadUnknown,
)
from atomic_registry.identity.actors import ANONYMOUS
from atomic_registry.identity.policy import OpenPolicy
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.store.blobs.memory import MemoryBlobStore
from atomic_registry.store.metadata import MetadataDatabase, open_metadata

NAME = RepositoryName.parse("demo/app")
OTHER = RepositoryName.parse("demo/other")


async def body(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def broken_body(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    raise BodyInterrupted(received=sum(map(len, pieces)))


class Bench:
    """The service with its parts at hand."""

    def __init__(self, metadata: MetadataDatabase, clock: ManualClock) -> None:
        self.metadata = metadata
        self.clock = clock
        self.blobs = MemoryBlobStore()
        self.uploads = UploadService(
            metadata,
            self.blobs,
            clock,
            node="node-1",
            limits=UploadLimits(),
            admission=Admission(OpenPolicy()),
        )

    async def read(self, digest: Digest) -> bytes | None:
        """Return the bytes of a blob as a pull would, or None."""
        blob = await self.metadata.find_blob(NAME, digest)
        if blob is None:
            return None
        reader = await self.blobs.open(blob.key)
        return b"".join([piece async for piece in reader.read(0, blob.size)])


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    url = new_sqlite(tmp_path)
    clock = ManualClock()
    metadata = open_metadata(url, clock)
    yield Bench(metadata, clock)
    await metadata.close()


async def test_a_streamed_upload_becomes_a_blob(bench: Bench) -> None:
    session = await bench.uploads.start(ANONYMOUS, NAME)
    await bench.uploads.append(NAME, session.id, body(b"ab", b"c"), None)

    await bench.uploads.commit(NAME, session.id, Digest.of(b"abc"), body(), None)

    assert b"abc" == await bench.read(Digest.of(b"abc"))
    assert 0 == await bench.uploads.count_open()


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_chunks_are_hashed_across_requests(bench: Bench, algorithm: str) -> None:
    session = await bench.uploads.start(ANONYMOUS, NAME, algorithm)
    for start, piece in ((0, b"one "), (4, b"two "), (8, b"three")):
        chunk = Chunk(start=start, length=len(piece))
        session = await bench.uploads.append(NAME, session.id, body(piece), chunk)

    digest = Digest.of(b"one two three", algorithm)
    await bench.uploads.commit(NAME, session.id, digest, body(), None)

    assert b"one two three" == await bench.read(digest)


async def test_the_digest_may_be_of_another_algorithm_than_announced(bench: Bench) -> None:
    session = await bench.uploads.start(ANONYMOUS, NAME)
    digest = Digest.of(b"abc", "sha512")

    await bench.uploads.commit(NAME, session.id, digest, body(b"abc"), None)

    assert b"abc" == await bench.read(digest)


async def test_a_zero_byte_blob_is_a_blob(bench: Bench) -> None:
    session = await bench.uploads.start(ANONYMOUS, NAME)

    await bench.uploads.commit(NAME, session.id, Digest.of(b""), body(), None)

    assert b"" == await bench.read(Digest.of(b""))


async def test_a_wrong_digest_leaves_nothing(bench: Bench) -> None:
    session = await bench.uploads.start(ANONYMOUS, NAME)

    with pytest.raises(DigestMismatch):
        await bench.uploads.commit(NAME, session.id, Digest.of(b"x"), body(b"abc"), None)

    assert await bench.read(Digest.of(b"x")) is None
    assert await bench.read(Digest.of(b"abc")) is None
    with pytest.raises(UploadUnknown):
        await bench.uploads.status(NAME, session.id)


async def test_a_chunk_at_the_wrong_place_is_told_the_true_offset(bench: Bench) -> None:
    session = await bench.uploads.start(ANONYMOUS, NAME)
    await bench.uploads.append(NAME, session.id, body(b"abc"), None)

    with pytest.raises(RangeMismatch) as caught:
        await bench.uploads.append(NAME, session.id, body(b"d"), Chunk(start=7, length=1))

    assert 3 == caught.value.offset
    assert 3 == (await bench.uploads.status(NAME, session.id)).offset


@pytest.mark.parametrize("sent", [b"abc", b"abcde"])
async def test_a_chunk_of_another_length_than_announced_is_not_kept(
    bench: Bench, sent: bytes
) -> None:
    session = await bench.uploads.start(ANONYMOUS, NAME)
    await bench.uploads.append(NAME, session.id, body(b"12"), None)

    with pytest.raises(SizeMismatch):
        await bench.uploads.append(NAME, session.id, body(sent), Chunk(start=2, length=4))

    await bench.uploads.commit(NAME, session.id, Digest.of(b"1234"), body(b"34"), None)
    assert b"1234" == await bench.read(Digest.of(b"1234"))


async def test_what_arrived_before_the_client_went_away_can_be_continued(bench: Bench) -> None:
    session = await bench.uploads.start(ANONYMOUS, NAME)
    with pytest.raises(BodyInterrupted):
        await bench.uploads.append(NAME, session.id, broken_body(b"ab", b"c"), None)

    assert 3 == (await bench.uploads.status(NAME, session.id)).offset
    await bench.uploads.commit(NAME, session.id, Digest.of(b"abcdef"), body(b"def"), None)

    assert b"abcdef" == await bench.read(Digest.of(b"abcdef"))


async def test_only_one_request_writes_to_a_session(bench: Bench) -> None:
    session = await bench.uploads.start(ANONYMOUS, NAME)

    async def intruding() -> AsyncIterator[bytes]:
        yield b"ab"
        with pytest.raises(UploadBusy):
            await bench.uploads.append(NAME, session.id, body(b"zz"), None)
        yield b"c"

    await bench.uploads.commit(NAME, session.id, Digest.of(b"abc"), intruding(), None)

    assert b"abc" == await bench.read(Digest.of(b"abc"))


async def test_a_session_belongs_to_its_repository(bench: Bench) -> None:
    session = await bench.uploads.start(ANONYMOUS, NAME)

    with pytest.raises(UploadUnknown):
        await bench.uploads.append(OTHER, session.id, body(b"abc"), None)
    with pytest.raises(UploadUnknown):
        await bench.uploads.status(OTHER, session.id)
    with pytest.raises(UploadUnknown):
        await bench.uploads.cancel(OTHER, session.id)


async def test_a_finished_session_cannot_be_replayed(bench: Bench) -> None:
    session = await bench.uploads.start(ANONYMOUS, NAME)
    await bench.uploads.commit(NAME, session.id, Digest.of(b"abc"), body(b"abc"), None)

    with pytest.raises(UploadUnknown):
        await bench.uploads.commit(NAME, session.id, Digest.of(b"abc"), body(b"abc"), None)


async def test_a_second_upload_of_a_digest_keeps_the_first_bytes(bench: Bench) -> None:
    first = await bench.uploads.push(ANONYMOUS, NAME, Digest.of(b"abc"), body(b"abc"))
    await bench.uploads.push(ANONYMOUS, OTHER, Digest.of(b"abc"), body(b"abc"))

    blob = await bench.metadata.find_blob(OTHER, Digest.of(b"abc"))

    assert blob is not None
    assert first.key == blob.key
    assert b"abc" == await bench.read(Digest.of(b"abc"))
    assert 0 == await bench.uploads.count_open()


async def test_abandoned_sessions_expire_and_their_bytes_go(bench: Bench) -> None:
    session = await bench.uploads.start(ANONYMOUS, NAME)
    session = await bench.uploads.append(NAME, session.id, body(b"abc"), None)
    bench.clock.advance(timedelta(hours=25))

    assert 1 == await bench.uploads.expire()

    assert 0 == await bench.uploads.count_open()
    with pytest.raises(UploadUnknown):
        await bench.uploads.status(NAME, session.id)


async def test_a_blob_survives_the_expiry_of_everything_else(bench: Bench) -> None:
    await bench.uploads.push(ANONYMOUS, NAME, Digest.of(b"abc"), body(b"abc"))
    bench.clock.advance(timedelta(hours=25))

    await bench.uploads.expire()

    assert b"abc" == await bench.read(Digest.of(b"abc"))


async def test_a_request_that_lost_its_session_to_expiry_commits_nothing(bench: Bench) -> None:
    session = await bench.uploads.start(ANONYMOUS, NAME)

    async def slow() -> AsyncIterator[bytes]:
        yield b"abc"
        bench.clock.advance(timedelta(hours=25))
        await bench.uploads.expire()

    with pytest.raises(UploadUnknown):
        await bench.uploads.commit(NAME, session.id, Digest.of(b"abc"), slow(), None)

    assert await bench.read(Digest.of(b"abc")) is None
