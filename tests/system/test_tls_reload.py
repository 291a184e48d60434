"""TLS: the same bytes as in clear, and new certificates without a restart."""

import asyncio
import datetime as dt
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from atomic_registry.system.tls import ReloadingContext
from atomic_registry.web.server import HttpServer, ServerLimits
from tests.system.demo import PATTERN, make_guard


def write_pair(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    paths = folder / "tls.crt", folder / "tls.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


async def exchange(port: int, path: str) -> tuple[str, bytes]:
    """Return the common name of the server's certificate and the body of the answer."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        body = await reader.read()
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
    subject = x509.load_der_x509_certificate(der).subject
    return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value), body


async def test_a_new_pair_is_served_and_a_bad_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(PATTERN)
    certificate, key = write_pair(tmp_path, "one")
    reloading = ReloadingContext(certificate, key)
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

    (tmp_path / "other").mkdir()
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
    (tmp_path / "other").mkdir()
    _, other_key = write_pair(tmp_path / "other", "other")
    with pytest.raises(OSError, match="mismatch"):
        ReloadingContext(certificate, other_key)
