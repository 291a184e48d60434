"""Answers without an end on a real socket: clients that go, that do not read, and draining."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from atomic_registry.web.endpoint import Access, Endpoint, Router
from atomic_registry.web.guard import Guard
from atomic_registry.web.messages import Request, Response, StreamBody
from atomic_registry.web.server import HttpServer, ServerLimits
from tests.system.demo import make_guard
from tests.system.test_server import Client, connect

LIMITS = ServerLimits(header_seconds=0.5, body_idle_seconds=0.4, send_seconds=0.3)


@dataclass
class Source:
    """What the handler of `/stream` sends; it says how its streams ended."""

    queue: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    closed: list[str] = field(default_factory=list)
    is_ended: asyncio.Event = field(default_factory=asyncio.Event)
    bodies: list[StreamBody] = field(default_factory=list)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        try:
            while (piece := await self.queue.get()) is not None:
                yield piece
        finally:
            self.closed.append("pieces")

    async def flood(self) -> AsyncGenerator[bytes, None]:
        while True:
            yield b"x" * 65536

    async def handler(self, request: Request) -> Response:
        pieces = self.flood() if request.path == "/flood" else self.pieces()
        body = StreamBody(pieces=pieces, on_end=(self.end,))
        self.bodies.append(body)
        return Response(status=200, body=body)

    def end(self) -> None:
        self.closed.append("body")
        self.is_ended.set()

    async def ended(self) -> None:
        async with asyncio.timeout(3):
            await self.is_ended.wait()


@pytest.fixture
def source() -> Source:
    return Source()


def guard_of(root: Path, source: Source) -> Guard:
    guard = make_guard(root)
    rows = [Endpoint("GET", path, Access(), source.handler) for path in ("/stream", "/flood")]
    guard.face = type(guard.face)(
        name="demo",
        router=Router([*rows, *guard.face.router.endpoints], {}),
        render_error=guard.face.render_error,
        render_internal=guard.face.render_internal,
        default_headers={},
    )
    return guard


@pytest_asyncio.fixture
async def server(tmp_path: Path, source: Source) -> AsyncIterator[HttpServer]:
    server = HttpServer(guard_of(tmp_path, source), LIMITS)
    yield server
    server.abort()


@pytest_asyncio.fixture
async def port(server: HttpServer) -> AsyncIterator[int]:
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    yield listener.sockets[0].getsockname()[1]
    listener.close()


async def chunk(client: Client) -> bytes:
    async with asyncio.timeout(2):
        size = int(await client.reader.readline(), 16)
        piece = await client.reader.readexactly(size)
        assert b"\r\n" == await client.reader.readexactly(2)
    return piece


async def begun(port: int, version: str = "1.1", method: str = "GET") -> Client:
    client = await connect(port)
    client.send(f"{method} /stream HTTP/{version}\r\nHost: x\r\n\r\n".encode())
    return client


async def test_each_piece_comes_at_once_and_the_connection_goes_on_after_the_end(
    port: int, source: Source
) -> None:
    client = await begun(port)
    status, headers = await client.head()
    assert (200, "chunked") == (status, headers["transfer-encoding"])
    assert "content-length" not in headers
    for piece in (b"one\n", b"two\n"):
        source.queue.put_nowait(piece)
        assert piece == await chunk(client)
    source.queue.put_nowait(None)
    assert b"" == await chunk(client)
    assert ["pieces", "body"] == source.closed and 8 == source.bodies[0].sent
    client.send(b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n")
    assert 200 == (await client.answer())[0]
    client.writer.close()


async def test_a_client_of_the_old_protocol_gets_it_plain_until_the_connection_closes(
    port: int, source: Source
) -> None:
    client = await begun(port, "1.0")
    status, headers = await client.head()
    assert (200, "close") == (status, headers["connection"])
    assert "transfer-encoding" not in headers
    for piece in (b"one\n", b"two\n", None):
        source.queue.put_nowait(piece)
    assert b"one\ntwo\n" == await client.rest()


async def test_a_client_that_goes_ends_its_stream_while_nothing_is_sent(
    port: int, source: Source
) -> None:
    client = await begun(port)
    await client.head()
    client.writer.close()
    await source.ended()
    assert ["pieces", "body"] == source.closed


async def test_a_client_that_does_not_read_is_cut_off(port: int, source: Source) -> None:
    client = await connect(port)
    client.send(b"GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
    await client.head()
    client.reader._transport.pause_reading()  # type: ignore[attr-defined]
    await source.ended()
    assert source.bodies[0].sent < 64 * 1024 * 1024
    client.writer.close()


async def test_draining_ends_streams_with_a_clean_end(
    port: int, source: Source, server: HttpServer
) -> None:
    client = await begun(port)
    await client.head()
    source.queue.put_nowait(b"one\n")
    assert b"one\n" == await chunk(client)
    server.close_idle()
    assert b"" == await chunk(client)
    assert b"" == await client.rest()
    await source.ended()


async def test_a_stream_that_begins_while_draining_ends_at_once(
    port: int, source: Source, server: HttpServer
) -> None:
    client = await connect(port)
    server.draining = True
    client.send(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    status, headers = await client.head()
    assert (200, "close") == (status, headers["connection"])
    assert b"" == await chunk(client)
    assert b"" == await client.rest()
    await source.ended()


async def test_a_question_for_the_head_opens_no_stream(port: int, source: Source) -> None:
    client = await begun(port, method="HEAD")
    status, headers = await client.head()
    assert (200, "chunked") == (status, headers["transfer-encoding"])
    await source.ended()
    assert ["body"] == source.closed
    client.writer.close()


async def test_a_stream_that_fails_is_cut_so_that_its_client_sees_it(
    port: int, source: Source
) -> None:
    client = await begun(port)
    await client.head()
    source.queue.put_nowait("no bytes")  # type: ignore[arg-type]
    assert b"" == await client.rest()
    await source.ended()
