"""Clients that ask and do not read the answer are cut off; those that read slowly are not."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from atomic_registry.system.tls import ReloadingContext, TlsOptions
from atomic_registry.web.server import HttpServer, ServerLimits
from tests.kit.certificates import trusting_context, write_pair
from tests.system.demo import PATTERN, make_guard

LIMITS = ServerLimits(send_seconds=0.5, lingering_seconds=0.2)
CUT_OFF_SECONDS = 10.0
FILE = b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n"
MANY_SMALL = b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n" * 12_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    server: HttpServer
    port: int
    is_tls: bool

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect with little room for what is not read."""
        own = socket.socket()
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        own.setblocking(False)
        await asyncio.get_running_loop().sock_connect(own, ("127.0.0.1", self.port))
        context: ssl.SSLContext | None = trusting_context() if self.is_tls else None
        return await asyncio.open_connection(
            sock=own, ssl=context, server_hostname="a" if self.is_tls else None, limit=16384
        )


def _context(folder: Path) -> ssl.SSLContext:
    certificate, key = write_pair(folder, "one")
    return ReloadingContext(TlsOptions(certificate=certificate, key=key)).context


@pytest_asyncio.fixture(params=["clear", "TLS"])
async def serving(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Serving]:
    (tmp_path / "blob").write_bytes(PATTERN)
    is_tls = request.param == "TLS"
    context = _context(tmp_path) if is_tls else None
    server = HttpServer(make_guard(tmp_path), LIMITS)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(server, "127.0.0.1", 0, ssl=context)
    port: int = listener.sockets[0].getsockname()[1]
    yield Serving(server=server, port=port, is_tls=is_tls)
    listener.close()
    server.abort()
    await asyncio.sleep(0.1)


async def cut_off(server: HttpServer) -> None:
    async with asyncio.timeout(CUT_OFF_SECONDS):
        while server.connections:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("asked", [FILE, MANY_SMALL], ids=["a file", "small answers"])
async def test_a_client_that_reads_nothing_is_cut_off(serving: Serving, asked: bytes) -> None:
    reader, writer = await serving.connect()
    writer.write(asked)
    await reader.readuntil(b"\r\n")
    assert serving.server.connections == 1

    await cut_off(serving.server)

    received = 0
    async with asyncio.timeout(5):
        try:
            while chunk := await reader.read(1 << 20):
                received += len(chunk)
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()
    if asked == FILE:
        assert received < len(PATTERN), "the answer must be seen to be short"


async def test_a_client_that_reads_slowly_gets_everything(serving: Serving) -> None:
    reader, writer = await serving.connect()
    writer.write(FILE)
    await reader.readuntil(b"\r\n\r\n")
    started = asyncio.get_running_loop().time()
    received = bytearray()
    while len(received) < len(PATTERN) + 2:
        async with asyncio.timeout(5):
            received += await reader.readexactly(min(1 << 17, len(PATTERN) + 2 - len(received)))
        await asyncio.sleep(0.03)
    assert asyncio.get_running_loop().time() - started > LIMITS.send_seconds
    assert received == b"<" + PATTERN + b">"
    writer.close()
