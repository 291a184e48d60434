"""The HTTP server on a real socket, also against clients that break the rules."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from atomic_registry.web.server import HttpServer, ServerLimits
from tests.system.demo import KILOBYTE, PATTERN, make_guard

LIMITS = ServerLimits(header_seconds=0.5, body_idle_seconds=0.4, lingering_seconds=0.3)


@pytest_asyncio.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    (tmp_path / "blob").write_bytes(PATTERN)
    server = HttpServer(make_guard(tmp_path), LIMITS)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    yield listener.sockets[0].getsockname()[1]
    listener.close()
    server.abort()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> tuple[int, dict[str, str]]:
        async with asyncio.timeout(5):
            text = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = text.strip().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines)
        return int(first.split()[1]), {name.lower(): value for name, value in pairs}

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        status, headers = await self.head()
        async with asyncio.timeout(10):
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return status, headers, body

    async def rest(self) -> bytes:
        async with asyncio.timeout(5):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""
            finally:
                self.writer.close()


async def connect(port: int) -> Client:
    return Client(*await asyncio.open_connection("127.0.0.1", port))


async def assert_alive(port: int) -> None:
    client = await connect(port)
    client.send(b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await client.answer())[0] == 200
    client.writer.close()


async def test_a_connection_serves_many_requests_with_the_headers_of_the_face(port: int) -> None:
    client = await connect(port)
    ids = set()
    for _ in range(3):
        client.send(b"GET /small?n=1 HTTP/1.1\r\nHost: a\r\n\r\n")
        status, headers, body = await client.answer()
        assert (status, body, headers["x-face"]) == (200, KILOBYTE, "demo")
        ids.add(headers["x-request-id"])
    assert len(ids) == 3
    client.writer.close()


@pytest.mark.parametrize("path", ["/small", "/plain"])
async def test_a_request_in_pieces_is_answered_however_it_is_cut(port: int, path: str) -> None:
    client = await connect(port)
    request = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    for cut in (1, 5, len(request) - 3, len(request) - 1):
        client.send(request[:cut])
        await asyncio.sleep(0.01)
        client.send(request[cut:])
        assert (await client.answer())[2] == KILOBYTE
    client.writer.close()


async def test_quick_and_other_answers_keep_their_order(port: int) -> None:
    client = await connect(port)
    order = ["small", "plain", "missing", "plain", "small", "small"]
    client.send(b"".join(f"GET /{p} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for p in order))
    for path in order:
        status, _, body = await client.answer()
        assert (status, body == KILOBYTE) == ((404, False) if path == "missing" else (200, True))
    for path in order:
        client.send(f"GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert (await client.answer())[0] == (404 if path == "missing" else 200)
    client.writer.close()


@pytest.mark.parametrize("path", ["/small", "/plain"])
async def test_a_connection_ends_after_the_answer_where_the_client_asks_for_it(
    port: int, path: str
) -> None:
    for end in ("HTTP/1.1\r\nConnection: close", "HTTP/1.0"):
        client = await connect(port)
        client.send(f"GET {path} {end}\r\nHost: a\r\n\r\n".encode())
        status, headers, body = await client.answer()
        assert (status, headers["connection"], body) == (200, "close", KILOBYTE)
        assert await client.rest() == b""


async def test_a_client_that_reads_nothing_is_not_answered_without_end(port: int) -> None:
    client = await connect(port)
    transport = client.writer.transport
    assert isinstance(transport, asyncio.Transport)
    transport.pause_reading()
    request = b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n"
    sent = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(3):
            while sent < 200_000:
                client.send(request * 100)
                await client.writer.drain()
                sent += 100
    assert sent < 200_000
    client.writer.transport.abort()


async def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    client = await connect(port)
    client.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /small HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await client.answer())[2] == b"slow"
    assert (await client.answer())[2] == KILOBYTE
    client.writer.close()


async def test_head_has_the_length_of_get_and_no_body(port: int) -> None:
    client = await connect(port)
    client.send(b"HEAD /file HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    _, headers = await client.head()
    assert int(headers["content-length"]) == len(PATTERN) + 2
    assert await client.rest() == b""


async def test_a_file_is_sent_with_its_prefix_and_suffix_and_the_connection_goes_on(
    port: int,
) -> None:
    client = await connect(port)
    for _ in range(2):
        client.send(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.answer())[2] == b"<" + PATTERN + b">"
    client.writer.close()


async def test_a_client_that_leaves_during_a_download_harms_nobody(port: int) -> None:
    client = await connect(port)
    client.send(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n")
    await client.head()
    client.writer.transport.abort()
    await assert_alive(port)


async def test_a_head_that_arrived_while_the_loop_was_busy_is_read(port: int) -> None:
    client = await connect(port)
    client.send(b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.sleep(0)
    time.sleep(LIMITS.header_seconds + 0.2)  # noqa: ASYNC251 - the stall
    assert (await client.answer())[0] == 200
    client.writer.close()


async def test_100_continue_is_sent_when_the_body_is_read(port: int) -> None:
    client = await connect(port)
    start = b" HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    client.send(b"PUT /echo" + start)
    assert (await client.head())[0] == 100
    client.send(b"abc")
    assert (await client.answer())[2] == b"abc"
    client.send(b"PUT /early" + start)
    status, headers, _ = await client.answer()
    assert (status, headers["connection"]) == (403, "close")
    assert await client.rest() == b""


async def test_another_expectation_is_417(port: int) -> None:
    client = await connect(port)
    client.send(b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: tea\r\n\r\n")
    assert (await client.answer())[0] == 417
    client.writer.close()


async def test_a_chunked_body_arrives_whole(port: int) -> None:
    client = await connect(port)
    client.send(b"PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    client.send(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert (await client.answer())[2] == b"abcde"
    client.writer.close()


@pytest.mark.parametrize("field", [b"Content-Length: 9", b"Transfer-Encoding: chunked"])
async def test_a_stalled_body_is_408_and_the_connection_closes(port: int, field: bytes) -> None:
    client = await connect(port)
    client.send(b"PUT /echo HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n\r\n3\r\n")
    status, headers, _ = await client.answer()
    assert (status, headers["connection"]) == (408, "close")
    assert await client.rest() == b""


@pytest.mark.parametrize("field", [b"Content-Length: 9", b"Transfer-Encoding: chunked"])
async def test_a_truncated_body_is_no_success(port: int, field: bytes) -> None:
    client = await connect(port)
    client.send(b"PUT /echo HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n\r\n3\r\nabc")
    client.writer.write_eof()
    assert b" 200 " not in await client.rest()
    await assert_alive(port)


async def test_an_early_answer_does_not_desynchronise_the_connection(port: int) -> None:
    client = await connect(port)
    body = b"GET /crash HTTP/1.1\r\nHost: a\r\n\r\n"
    client.send(b"PUT /early HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body))
    assert (await client.answer())[0] == 403
    client.send(body + b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await client.answer())[2] == KILOBYTE
    client.writer.close()


async def test_a_crash_is_500_with_the_request_id_only(port: int) -> None:
    client = await connect(port)
    client.send(b"GET /crash HTTP/1.1\r\nHost: a\r\n\r\n")
    status, headers, body = await client.answer()
    assert (status, body.decode()) == (500, headers["x-request-id"])
    client.writer.close()


@pytest.mark.parametrize("first", [b"", b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n"])
async def test_a_dripping_header_is_cut_off(port: int, first: bytes) -> None:
    client = await connect(port)
    client.send(first)
    if first:
        await client.answer()
    client.send(b"GET /small HTTP/1.1\r\n")

    async def drip() -> None:
        while True:
            client.send(b"X-A: b\r\n")
            await asyncio.sleep(0.05)

    task = asyncio.create_task(drip())
    assert await client.rest() == b""
    task.cancel()


HOSTILE = {
    "length and chunked": b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
    b"Content-Length: 4\r\n\r\nabcd",
    "bare LF": b"GET /small HTTP/1.1\nHost: a\n\n",
    "NUL in header": b"GET /small HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    "no Host": b"GET /small HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /small HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "64 KB header": b"GET /small HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 65536 + b"\r\n\r\n",
    "huge URL": b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "space before colon": b"GET /small HTTP/1.1\r\nHost : a\r\n\r\n",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_broken_request_is_400_in_the_form_of_the_face(port: int, data: bytes) -> None:
    client = await connect(port)
    client.send(data)
    answer = await client.rest()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert answer == b"" or answer.endswith(b'{"errors":["Invalid"]}')
    await assert_alive(port)


TARGETS = [
    "/a%2Fb",
    "/a%00b",
    "/a%5Cb",
    "/a\\b",
    "/%ff",
    "/../small",
    "/%2e/small",
    "/a%0d%0ab",
    "*",
]


@pytest.mark.parametrize("target", TARGETS)
async def test_a_doubtful_path_is_refused(port: int, target: str) -> None:
    client = await connect(port)
    client.send(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    assert (await client.rest()).startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 "))


@pytest.mark.parametrize("target", ["/sm%61ll", "http://a/small"])
async def test_other_spellings_of_a_path_reach_it(port: int, target: str) -> None:
    client = await connect(port)
    client.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert (await client.answer())[0] == 200
    client.writer.close()


async def test_a_query_with_too_many_fields_is_refused(port: int) -> None:
    client = await connect(port)
    client.send(b"GET /small?" + b"a=1&" * 300 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    status, _, body = await client.answer()
    assert (status, body) == (400, b'{"errors":["ParameterInvalid"]}')
    client.writer.close()
