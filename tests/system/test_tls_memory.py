"""What connections in TLS keep of memory while nothing happens on them."""

import asyncio
import tracemalloc
from asyncio import sslproto
from pathlib import Path

import pytest

from atomic_registry.system.tls import SMALL_BUFFER, ReloadingContext, TlsOptions
from tests.kit.certificates import trusting_context, write_pair

CONNECTIONS = 20


async def test_a_thousand_idle_connections_in_tls_keep_less_than_100_mb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sslproto.SSLProtocol, "max_size", sslproto.SSLProtocol.max_size)
    certificate, key = write_pair(tmp_path, "one")
    options = TlsOptions(certificate=certificate, key=key, buffer_bytes=SMALL_BUFFER)
    options.limit_buffers()
    ended = asyncio.Event()

    async def idle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(idle, "127.0.0.1", ssl=ReloadingContext(options).context)
    address = server.sockets[0].getsockname()[:2]
    trust = trusting_context()
    tracemalloc.start()
    try:
        opened = [await asyncio.open_connection(*address, ssl=trust) for _ in range(CONNECTIONS)]
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    ended.set()
    for _, writer in opened:
        writer.close()
    server.close()

    # Both ends are in this process.
    assert kept / (2 * CONNECTIONS) < 100_000
