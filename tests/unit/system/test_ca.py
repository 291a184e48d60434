"""The certificate authority: names, modes, renewal, and what real TLS says to it."""

import multiprocessing
import socket
import ssl
import stat
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from tests.kit.clock import ManualClock
from tests.kit.optional import need_commands, run

from atomic_registry.clock import SystemClock
from atomic_registry.config.load import ConfigInvalid
from atomic_registry.system.ca import (
    Pair,
    Signer,
    ensure_client_certificate,
    ensure_server_certificate,
    ensure_signer,
)

HOSTS = ["registry.example.test", "localhost", "127.0.0.1", "::1"]


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return ensure_signer(tmp_path, clock=SystemClock())


def _server(signer: Signer, *hosts: str) -> Pair:
    names = hosts or HOSTS
    directory = signer.certificate.parent
    return ensure_server_certificate(directory, names, signer, clock=SystemClock())


def _leaf(pair: Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes())


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_openssl_verifies_name_address_and_purpose_of_a_server(signer: Signer) -> None:
    need_commands("openssl")
    pair = _server(signer)
    base = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver"]
    base += ["-CAfile", str(signer.certificate)]
    for check in (["-verify_hostname", "localhost"], ["-verify_ip", "127.0.0.1"]):
        assert "OK" in run([*base, *check, pair.certificate])
    assert "mismatch" in run(
        [*base, "-verify_hostname", "evil.test", pair.certificate], check=False
    )
    assert "OK" in run(["openssl", "verify", "-x509_strict", "-CAfile", *[signer.certificate] * 2])


def test_the_file_holds_the_leaf_and_then_the_authority(signer: Signer) -> None:
    pair = _server(signer)
    leaf, authority = x509.load_pem_x509_certificates(pair.certificate.read_bytes())
    assert x509.load_pem_x509_certificate(signer.certificate.read_bytes()) == authority
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ["localhost", "registry.example.test"] == sorted(names.get_values_for_type(x509.DNSName))
    addresses = names.get_values_for_type(x509.IPAddress)
    assert ["127.0.0.1", "::1"] == sorted(str(it) for it in addresses)
    assert "127.0.0.1" == leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    assert leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value == (
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_handshake_checks_the_host_by_name_and_by_address(signer: Signer, host: str) -> None:
    pair = _server(signer)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pair.certificate, pair.key)
    assert host == _handshake(server, _trusting(signer), host)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"mismatch|doesn't match"):
        _handshake(server, _trusting(signer), "other.example.test")


def test_a_client_certificate_names_user_and_groups_to_the_server(signer: Signer) -> None:
    client_pair = ensure_client_certificate(
        "system:admin",
        ["system:cluster-admins", "ops"],
        signer,
        clock=SystemClock(),
    )
    assert "admin.crt" == client_pair.certificate.name
    pair = _server(signer)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pair.certificate, pair.key)
    server.load_verify_locations(signer.certificate)
    server.verify_mode = ssl.CERT_REQUIRED
    context = _trusting(signer)
    context.load_cert_chain(client_pair.certificate, client_pair.key)
    assert "localhost" == _handshake(server, context, "localhost")
    subject = _leaf(client_pair).subject
    groups = [it.value for it in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    assert ["system:cluster-admins", "ops"] == groups
    assert "system:admin" == subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value


def test_a_server_certificate_does_not_pass_for_a_clients(signer: Signer) -> None:
    need_commands("openssl")
    pair = _server(signer)
    done = run(
        [
            "openssl",
            "verify",
            "-purpose",
            "sslclient",
            "-CAfile",
            signer.certificate,
            pair.certificate,
        ],
        check=False,
    )
    assert "unsuitable certificate purpose" in done or "unsupported certificate purpose" in done


def test_keys_are_private_and_certificates_public(signer: Signer) -> None:
    pair = _server(signer)
    assert [0o600, 0o600] == [_mode(signer.key), _mode(pair.key)]
    assert [0o644, 0o644] == [_mode(signer.certificate), _mode(pair.certificate)]
    assert 0o640 == _mode(signer.serial)
    assert [] == [it.name for it in signer.key.parent.iterdir() if it.name.endswith(".new")]


def test_what_is_good_is_kept(signer: Signer) -> None:
    first = _server(signer).certificate.read_bytes()
    authority = signer.certificate.read_bytes()
    ensure_signer(signer.certificate.parent, clock=SystemClock())
    assert first == _server(signer, "localhost").certificate.read_bytes()
    assert authority == signer.certificate.read_bytes()


def test_a_missing_name_has_the_certificate_issued_anew(signer: Signer) -> None:
    first = _leaf(_server(signer))
    second = _leaf(_server(signer, *HOSTS, "new.example.test"))
    assert (2, 3) == (first.serial_number, second.serial_number)
    assert "03" == signer.serial.read_text().strip()


def test_serial_numbers_go_on_in_hexadecimal_with_even_digits(signer: Signer) -> None:
    signer.serial.write_text("FF")
    assert 256 == _leaf(_server(signer)).serial_number
    assert "0100" == signer.serial.read_text().strip()


def test_without_a_serial_file_numbers_are_random(signer: Signer) -> None:
    signer.serial.unlink()
    assert _leaf(_server(signer)).serial_number > 2**32
    assert not signer.serial.exists()


def test_a_certificate_is_renewed_in_the_last_third_of_its_life(tmp_path: Path) -> None:
    clock = ManualClock()
    signer = ensure_signer(tmp_path, clock=clock)

    def serial() -> int:
        pair = ensure_server_certificate(tmp_path, ["localhost"], signer, clock=clock, days=90)
        return _leaf(pair).serial_number

    assert 2 == serial()
    clock.advance(timedelta(days=59))
    assert 2 == serial()
    clock.advance(timedelta(days=2))
    assert 3 == serial()


def test_a_renewed_authority_still_vouches_for_what_it_signed(tmp_path: Path) -> None:
    clock = ManualClock()
    signer = ensure_signer(tmp_path, clock=clock)
    old = signer.certificate.read_bytes()
    leaf = _leaf(ensure_server_certificate(tmp_path, ["localhost"], signer, clock=clock))
    clock.advance(timedelta(days=1500))
    ensure_signer(tmp_path, clock=clock)
    renewed = x509.load_pem_x509_certificate(signer.certificate.read_bytes())
    assert old != signer.certificate.read_bytes()
    leaf.verify_directly_issued_by(renewed)


def test_no_certificate_outlives_its_authority(tmp_path: Path) -> None:
    clock = ManualClock()
    signer = ensure_signer(tmp_path, clock=clock, days=30)
    leaf = _leaf(ensure_server_certificate(tmp_path, ["localhost"], signer, clock=clock))
    authority = x509.load_pem_x509_certificate(signer.certificate.read_bytes())
    assert authority.not_valid_after_utc == leaf.not_valid_after_utc


def test_a_damaged_pair_is_issued_anew(signer: Signer) -> None:
    pair = _server(signer)
    pair.key.write_text("nonsense")
    again = _leaf(_server(signer))
    assert 3 == again.serial_number
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pair.certificate, pair.key)


def test_a_damaged_authority_is_reported_and_left_alone(signer: Signer) -> None:
    signer.key.write_text("nonsense")
    with pytest.raises(ConfigInvalid, match=r"ca\.key"):
        ensure_signer(signer.certificate.parent, clock=SystemClock())
    assert "nonsense" == signer.key.read_text()


def test_the_authoritys_key_may_be_kept_elsewhere_while_nothing_is_issued(signer: Signer) -> None:
    first = _server(signer)
    signer.key.unlink()
    ensure_signer(signer.certificate.parent, clock=SystemClock())
    assert first == _server(signer)
    with pytest.raises(ConfigInvalid, match=r"ca\.key"):
        _server(signer, "new.example.test")


def test_a_crash_between_key_and_certificate_leaves_nothing_that_is_in_the_way(
    signer: Signer,
) -> None:
    signer.certificate.unlink()
    (signer.key.parent / ".ca.crt.new").write_text("half")
    ensure_signer(signer.certificate.parent, clock=SystemClock())
    assert "localhost" in str(_leaf(_server(signer)).extensions)


def test_a_name_that_an_administrator_has_added_outlives_an_issue(signer: Signer) -> None:
    _server(signer, "added.test", "one.test")
    names = _leaf(_server(signer, "one.test", "two.test")).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert {"added.test", "one.test", "two.test"} == set(
        names.value.get_values_for_type(x509.DNSName)
    )


@pytest.mark.parametrize("hosts", [[], ["bad..name.test"], ["x" * 64 + ".test"]])
def test_an_impossible_host_name_is_reported(signer: Signer, hosts: list[str]) -> None:
    with pytest.raises(ConfigInvalid):
        ensure_server_certificate(signer.key.parent, hosts, signer, clock=SystemClock())


def test_a_user_name_that_no_certificate_can_hold_is_reported(signer: Signer) -> None:
    with pytest.raises(ConfigInvalid, match="64"):
        ensure_client_certificate("u" * 65, [], signer, clock=SystemClock(), name="u")


def test_processes_that_start_together_make_one_authority(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_start, args=(tmp_path,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [0, 0] == [process.exitcode for process in processes]
    assert "02" == (tmp_path / "ca.serial.txt").read_text().strip()
    pair = Pair(certificate=tmp_path / "master.server.crt", key=tmp_path / "master.server.key")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pair.certificate, pair.key)


def _start(directory: Path) -> None:
    clock = SystemClock()
    signer = ensure_signer(directory, clock=clock)
    ensure_server_certificate(directory, ["localhost"], signer, clock=clock)


def _trusting(signer: Signer) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(signer.certificate)
    return context


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> str:
    """The host that the client accepted."""
    here, there = socket.socketpair()
    here.settimeout(10)
    there.settimeout(10)

    def serve() -> None:
        try:
            with server.wrap_socket(there, server_side=True) as tls:
                tls.recv(1)
        except OSError:
            there.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(here, server_hostname=host) as tls:
            tls.send(b"x")
            return str(tls.server_hostname)
    finally:
        here.close()
        thread.join(10)
