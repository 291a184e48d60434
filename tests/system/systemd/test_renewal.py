"""Certificates near their end, renewed by the timer's service; the services get them at once."""

import contextlib
import socket
import ssl
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography import x509

from atomic_registry.system.ca import Issue, issue_server_pair
from atomic_registry.system.pairs import Pair
from atomic_registry.system.signers import signer_in
from tests.kit.clock import ManualClock
from tests.kit.nspawn import run_here
from tests.kit.registry import wait_until
from tests.system.systemd.conftest import NAMES, Installed
from tests.system.systemd.test_load import Caller, loaded

UNIT = "atomic-registry-certificates"
PLACES = {
    "registry": "registry/registry",
    "master": "master/master.server",
    "console": "console/console",
}


def _pair(installed: Installed, service: str) -> Pair:
    place = f"/etc/atomic-registry/{PLACES[service]}"
    certificate, key = (installed.machine.path(f"{place}.{it}") for it in ("crt", "key"))
    return Pair(certificate=certificate, key=key)


def _age(installed: Installed, service: str) -> int:
    """A certificate that was issued 700 days ago for 730; its serial number."""
    clock = ManualClock()
    clock.advance(datetime.now(UTC) - timedelta(days=700) - clock.now())
    signer = signer_in(installed.machine.path("/etc/atomic-registry/master"))
    pair = _pair(installed, service)
    issue_server_pair(pair, [*NAMES, "127.0.0.1"], signer, how=Issue(clock=clock, days=730))
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes()).serial_number


def _served(installed: Installed, port: int) -> x509.Certificate:
    context = ssl.create_default_context(cafile=str(installed.authority))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        shown = client.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown)


def _is_new(installed: Installed, port: int, worn: int) -> bool:
    return worn != _served(installed, port).serial_number


def _ports(installed: Installed) -> dict[str, int]:
    return {
        "registry": installed.registry_port,
        "master": installed.master_port,
        "console": installed.console_port,
    }


def test_worn_certificates_are_renewed_and_served_without_a_lost_request(
    installed: Installed,
) -> None:
    worn = {name: _age(installed, name) for name in PLACES}
    units = [f"atomic-registry{it}.service" for it in ("-master", "", "-console")]
    installed.machine.run("systemctl", "restart", *units)
    ports = _ports(installed)
    for name, port in ports.items():
        assert worn[name] == _served(installed, port).serial_number
    with contextlib.ExitStack() as callers, loaded() as load:
        for name, port in ports.items():
            path = {"registry": "/v2/", "master": "/healthz", "console": "/"}[name]
            caller = Caller(installed, port, path, keeps=name == "registry")
            callers.callback(caller.close)
            load.add(name, caller)
        load.wait_for_more(1)
        installed.machine.run("systemctl", "start", f"{UNIT}.service")
        for name, port in ports.items():
            wait_until(
                f"the {name} shows a new certificate",
                partial(_is_new, installed, port, worn[name]),
                60,
            )
        load.wait_for_more(1)
    assert load.failures == []
    for name, port in ports.items():
        certificate = _served(installed, port)
        assert certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=700)
        shown = installed.machine.run(
            "stat", "--format=%a %U", f"/etc/atomic-registry/{PLACES[name]}.key"
        )
        assert "600 root\n" == shown.output


def test_a_certificate_put_in_place_by_hand_is_served_after_the_next_look(
    installed: Installed, tmp_path: Path
) -> None:
    pair = _pair(installed, "console")
    before = pair.certificate.read_bytes(), pair.key.read_bytes()
    key, own = tmp_path / "own.key", tmp_path / "own.crt"
    run_here(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-subj", "/CN=own", "-addext", "subjectAltName=DNS:localhost",
        "-keyout", str(key), "-out", str(own),
    )  # fmt: skip
    pair.certificate.write_bytes(own.read_bytes())
    pair.key.write_bytes(key.read_bytes())
    try:
        main = installed.machine.show("atomic-registry.service", "MainPID")
        installed.machine.run("systemctl", "start", f"{UNIT}.service")
        wait_until(
            "the console shows it",
            lambda: b"own" in _raw(installed.console_port),
            60,
        )
        assert own.read_bytes() == pair.certificate.read_bytes()
        # Whose certificate is the one on disk goes on undisturbed.
        assert main == installed.machine.show("atomic-registry.service", "MainPID")
    finally:
        pair.certificate.write_bytes(before[0])
        pair.key.write_bytes(before[1])
        installed.machine.run("systemctl", "restart", "atomic-registry-console.service")


def _raw(port: int) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        context.wrap_socket(plain) as client,
    ):
        return client.getpeercert(binary_form=True) or b""


def test_the_timer_runs_with_the_services_and_its_service_is_tightly_sandboxed(
    installed: Installed,
) -> None:
    assert "active" == installed.machine.show(f"{UNIT}.timer", "ActiveState")
    assert installed.machine.show(f"{UNIT}.timer", "NextElapseUSecRealtime")
    checked = installed.machine.run("systemd-analyze", "verify", f"{UNIT}.service", f"{UNIT}.timer")
    assert "atomic-registry" not in checked.output
    judged = installed.machine.run("systemd-analyze", "security", f"{UNIT}.service").output
    assert float(judged.partition("Overall exposure level for ")[2].split()[1]) <= 2.0, judged


def test_a_certificate_that_cannot_be_renewed_fails_the_unit_and_not_the_others(
    installed: Installed,
) -> None:
    worn = _age(installed, "registry")
    key = installed.machine.path("/etc/atomic-registry/master/ca.key")
    away = key.with_name("ca.key.away")
    key.rename(away)
    try:
        done = installed.machine.run("systemctl", "start", f"{UNIT}.service", check=False)
        assert done.code != 0
        told = installed.machine.journal(f"{UNIT}.service")
        assert "not renewed, and tried again tomorrow" in told and "ca.key" in told
        assert "Traceback" not in told
    finally:
        away.rename(key)
    installed.machine.run("systemctl", "start", f"{UNIT}.service")
    wait_until(
        "the registry shows a new certificate",
        lambda: worn != _served(installed, installed.registry_port).serial_number,
        60,
    )
