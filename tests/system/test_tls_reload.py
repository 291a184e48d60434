"""TLS: the same bytes as in clear, and new certificates without a restart."""

import asyncio
from pathlib import Path

import pytest

from atomic_registry.system.tls import ReloadingContext, TlsOptions
from atomic_registry.web.server import HttpServer, ServerLimits
from tests.kit.certificates import common_name, trusting_context, write_pair
from tests.system.demo import PATTERN, make_guard


async def exchange(port: int, path: str) -> tuple[str, bytes]:
    """Return the common name of the server's certificate and the body of the answer."""
    context = trusting_context()
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        body = await reader.read()
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
    return common_name(der), body


async def test_a_new_pair_is_served_and_a_bad_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(PATTERN)
    certificate, key = write_pair(tmp_path, "one")
    reloading = ReloadingContext(TlsOptions(certificate=certificate, key=key))
    watcher = asyncio.create_task(reloading.watch(interval=0.05))
    server = HttpServer(make_guard(tmp_path), ServerLimits())
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(server, "127.0.0.1", 0, ssl=reloading.context)
    port = listener.sockets[0].getsockname()[1]
    assert await exchange(port, "/file") == ("one", b"<" + PATTERN + b">")

    write_pair(tmp_path, "two")
    async with asyncio.timeout(5):
        while (await exchange(port, "/small"))[0] != "two":  # noqa: ASYNC110, files send no event
            await asyncio.sleep(0.02)

    _, other_key = write_pair(tmp_path / "other", "other")
    key.write_bytes(other_key.read_bytes())
    assert not reloading.reload()
    assert (await exchange(port, "/small"))[0] == "two"
    key.unlink()
    assert not reloading.reload()
    assert (await exchange(port, "/small"))[0] == "two"
    watcher.cancel()
    listener.close()
    server.abort()


def test_a_mismatched_pair_at_the_start_is_an_error(tmp_path: Path) -> None:
    certificate, _ = write_pair(tmp_path, "one")
    _, other_key = write_pair(tmp_path / "other", "other")
    with pytest.raises(OSError, match="mismatch"):
        ReloadingContext(TlsOptions(certificate=certificate, key=other_key))
