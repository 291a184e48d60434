"""An upload session against a model: a byte string that grows in the order of the requests."""

import asyncio
import tempfile
from collections.abc import AsyncIterator

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.kit.databases import new_sqlite

from atomic_registry.clock import SystemClock
from atomic_registry.content.admission import Admission
from atomic_registry.content.leases import Chunk, UploadLimits
from atomic_registry.content.uploads import UploadService
from atomic_registry.errors import BodyInterrupted, DigestMismatch, RangeMismatch, SizeMismatch
from atomic_registry.identity.actors import ANONYMOUS
from atomic_registry.identity.policy import OpenPolicy
from atomic_registry.oci.digest import ALGORITHMS, Digest
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.store.blobs.memory import MemoryBlobStore
from atomic_registry.store.metadata import open_metadata

NAME = RepositoryName.parse("demo/app")
PIECES = st.lists(st.binary(max_size=20), max_size=4)


async def stream(pieces: list[bytes], *, breaks: bool = False) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    if breaks:
        raise BodyInterrupted(received=0)


class UploadMachine(RuleBasedStateMachine):
    """Requests to one session, in any order, through two processes' services."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory()
        url = new_sqlite(self.directory.name)
        self.blobs = MemoryBlobStore()
        self.runner.run(self.open(url))
        self.expected = b""

    async def open(self, url: str) -> None:
        clock = SystemClock()
        self.metadata = open_metadata(url, clock)
        self.services = [
            UploadService(
                self.metadata,
                self.blobs,
                clock,
                node=node,
                limits=UploadLimits(),
                admission=Admission(OpenPolicy()),
            )
            for node in ("a", "b")
        ]
        self.session_id = (await self.services[0].start(ANONYMOUS, NAME)).id

    def teardown(self) -> None:
        self.runner.run(self.metadata.close())
        self.runner.close()
        self.directory.cleanup()

    def send(self, node: int, pieces: list[bytes], chunk: Chunk | None, *, breaks: bool) -> None:
        service = self.services[node]
        self.runner.run(service.append(NAME, self.session_id, stream(pieces, breaks=breaks), chunk))

    @rule(node=st.integers(0, 1), pieces=PIECES)
    def stream_bytes(self, node: int, pieces: list[bytes]) -> None:
        self.send(node, pieces, None, breaks=False)
        self.expected += b"".join(pieces)

    @rule(node=st.integers(0, 1), piece=st.binary(min_size=1, max_size=50))
    def send_the_next_chunk(self, node: int, piece: bytes) -> None:
        chunk = Chunk(start=len(self.expected), length=len(piece))
        self.send(node, [piece], chunk, breaks=False)
        self.expected += piece

    @rule(node=st.integers(0, 1), pieces=PIECES)
    def lose_the_connection(self, node: int, pieces: list[bytes]) -> None:
        try:
            self.send(node, pieces, None, breaks=True)
        except BodyInterrupted:
            self.expected += b"".join(pieces)

    @rule(node=st.integers(0, 1), piece=st.binary(min_size=1, max_size=9), shift=st.integers(1, 9))
    def send_a_chunk_for_elsewhere(self, node: int, piece: bytes, shift: int) -> None:
        chunk = Chunk(start=len(self.expected) + shift, length=len(piece))
        try:
            self.send(node, [piece], chunk, breaks=False)
        except RangeMismatch as error:
            assert len(self.expected) == error.offset
        else:
            raise AssertionError("a chunk for elsewhere was taken")

    @rule(node=st.integers(0, 1), piece=st.binary(min_size=2, max_size=9), lie=st.integers(-1, 1))
    def lie_about_the_length(self, node: int, piece: bytes, lie: int) -> None:
        chunk = Chunk(start=len(self.expected), length=len(piece) + lie)
        try:
            self.send(node, [piece], chunk, breaks=False)
        except SizeMismatch:
            assert lie != 0
        else:
            assert lie == 0
            self.expected += piece

    @precondition(lambda self: len(self.expected) < 500)
    @rule(node=st.integers(0, 1), rest=PIECES, algorithm=st.sampled_from(ALGORITHMS))
    def finish(self, node: int, rest: list[bytes], algorithm: str) -> None:
        content = self.expected + b"".join(rest)
        digest = Digest.of(content, algorithm)
        self.runner.run(
            self.services[node].commit(NAME, self.session_id, digest, stream(rest), None)
        )
        assert content == self.runner.run(self.read(digest))
        self.begin_again()

    @rule(node=st.integers(0, 1))
    def finish_with_a_wrong_digest(self, node: int) -> None:
        wrong = Digest.of(self.expected + b"!")
        try:
            self.runner.run(
                self.services[node].commit(NAME, self.session_id, wrong, stream([]), None)
            )
        except DigestMismatch:
            assert self.runner.run(self.metadata.find_blob(NAME, wrong)) is None
        else:
            raise AssertionError("a wrong digest was taken")
        self.begin_again()

    def begin_again(self) -> None:
        self.session_id = self.runner.run(self.services[0].start(ANONYMOUS, NAME)).id
        self.expected = b""

    async def read(self, digest: Digest) -> bytes:
        blob = await self.metadata.find_blob(NAME, digest)
        assert blob is not None
        reader = await self.blobs.open(blob.key)
        return b"".join([piece async for piece in reader.read(0, blob.size)])

    @invariant()
    def the_status_tells_the_truth(self) -> None:
        session = self.runner.run(self.services[1].status(NAME, self.session_id))
        assert len(self.expected) == session.offset


UploadMachine.TestCase.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)
TestUploadSession = UploadMachine.TestCase
