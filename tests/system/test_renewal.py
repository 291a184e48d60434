"""Certificates of our own are renewed while the service runs, and those of others are not."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from cryptography import x509

from atomic_registry.app.master_files import prepare_master_files, tls_options
from atomic_registry.app.renewals import master_renewal, registry_renewal
from atomic_registry.config.settings import MasterSettings, Settings
from atomic_registry.system.ca import Issue, ensure_signer, issue_server_pair
from atomic_registry.system.pairs import Pair
from atomic_registry.system.renewal import Renewal
from atomic_registry.system.tls import ReloadingContext, TlsOptions
from atomic_registry.web.server import HttpServer, ServerLimits
from tests.kit.certificates import trusting_context, write_pair
from tests.kit.clock import ManualClock
from tests.system.demo import make_guard

DAY = timedelta(days=1)


class Listener:
    """A listener with its certificate watched and renewed, as in a worker."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def certificate(self) -> x509.Certificate:
        """What a new client is shown."""
        _, writer = await asyncio.open_connection("127.0.0.1", self._port, ssl=trusting_context())
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return x509.load_der_x509_certificate(der)

    async def serial(self) -> int:
        return (await self.certificate()).serial_number

    async def changes_from(self, before: int) -> None:
        async with asyncio.timeout(20):
            while await self.serial() == before:  # noqa: ASYNC110, files send no event
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def listening(folder: Path, tls: TlsOptions, renewal: Renewal) -> AsyncIterator[Listener]:
    reloading = ReloadingContext(tls)
    server = HttpServer(make_guard(folder), ServerLimits())
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(server, "127.0.0.1", 0, ssl=reloading.context)
    tasks = [
        asyncio.create_task(reloading.watch(interval=0.02)),
        asyncio.create_task(renewal.run(interval=0.02)),
    ]
    try:
        yield Listener(listener.sockets[0].getsockname()[1])
    finally:
        for task in tasks:
            task.cancel()
        listener.close()
        server.abort()


def names(certificate: x509.Certificate) -> list[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return found.get_values_for_type(x509.DNSName)


async def test_the_masters_certificate_is_renewed_in_time_and_served_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    settings = Settings(root=tmp_path, master=MasterSettings(hostnames="registry.example.test"))
    files = prepare_master_files(settings, clock)
    tls = tls_options(files)
    async with listening(tmp_path, tls, master_renewal(settings, files, tls, clock)) as listener:
        first = await listener.serial()
        clock.advance(DAY * 480)
        await asyncio.sleep(0.3)
        assert first == await listener.serial()
        clock.advance(DAY * 10)
        await listener.changes_from(first)
        second = await listener.certificate()
        assert clock.now() + DAY * 700 < second.not_valid_after_utc
        assert "registry.example.test" in names(second)
        monkeypatch.setattr("socket.gethostname", lambda: "renamed.example.test")
        await listener.changes_from(second.serial_number)
        assert {"renamed.example.test", "registry.example.test"} <= {
            *names(await listener.certificate())
        }


def test_the_authority_and_the_administrator_are_renewed_too(tmp_path: Path) -> None:
    clock = ManualClock()
    settings = Settings(root=tmp_path)
    files = prepare_master_files(settings, clock)
    folder = tmp_path / "master"
    watched = [folder / it for it in ("ca.crt", "admin.crt", "admin.kubeconfig")]
    before = [path.read_bytes() for path in watched]
    clock.advance(DAY * 1400)
    master_renewal(settings, files, tls_options(files), clock).renew()
    after = [path.read_bytes() for path in watched]
    assert all(old != new for old, new in zip(before, after, strict=True))
    authority = x509.load_pem_x509_certificate(after[0])
    x509.load_pem_x509_certificate(after[1]).verify_directly_issued_by(authority)
    # What was signed before is still vouched for.
    x509.load_pem_x509_certificate(before[1]).verify_directly_issued_by(authority)


async def test_the_registrys_certificate_is_renewed_for_the_names_in_it(tmp_path: Path) -> None:
    clock = ManualClock()
    settings = Settings(root=tmp_path)
    signer = ensure_signer(settings.master_directory, clock=clock)
    pair = Pair(certificate=tmp_path / "tls" / "r.crt", key=tmp_path / "tls" / "r.key")
    issue_server_pair(pair, ["pull.example.test"], signer, how=Issue(clock=clock))
    tls = TlsOptions(certificate=pair.certificate, key=pair.key)
    async with listening(tmp_path, tls, registry_renewal(settings, tls, clock)) as listener:
        first = await listener.serial()
        clock.advance(DAY * 500)
        await listener.changes_from(first)
        assert ["pull.example.test"] == names(await listener.certificate())


@pytest.mark.parametrize("place", ["named by the configuration", "in place of our own"])
def test_a_certificate_from_elsewhere_is_never_touched(tmp_path: Path, place: str) -> None:
    clock = ManualClock()
    settings = Settings(root=tmp_path)
    prepare_master_files(settings, clock)
    folder = tmp_path / "master"
    certificate, key = write_pair(tmp_path / "bought", "bought")
    if place == "in place of our own":
        certificate = certificate.replace(folder / "master.server.crt")
        key = key.replace(folder / "master.server.key")
    else:
        config = folder / "master-config.yaml"
        text = config.read_text().replace("master.server.crt", str(certificate))
        config.write_text(text.replace("master.server.key", str(key)))
    before = certificate.read_bytes(), key.read_bytes()
    files = prepare_master_files(settings, clock)
    tls = tls_options(files)
    assert certificate == tls.certificate
    clock.advance(DAY * 1000)
    master_renewal(settings, files, tls, clock).renew()
    assert before == (certificate.read_bytes(), key.read_bytes())
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key)


def test_a_missing_key_of_the_authority_is_told_with_what_to_do_and_stops_nothing(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    settings = Settings(root=tmp_path)
    files = prepare_master_files(settings, clock)
    before = files.certificate.read_bytes()
    (tmp_path / "master" / "ca.key").unlink()
    clock.advance(DAY * 600)
    with structlog.testing.capture_logs() as lines:
        master_renewal(settings, files, tls_options(files), clock).renew()
    assert before == files.certificate.read_bytes()
    assert {"error"} == {line["log_level"] for line in lines}
    assert "renew-server-cert" in lines[0]["event"]
    assert "ca.key" in lines[0]["reason"]
