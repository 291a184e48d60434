"""A certificate and its key are replaced together, wherever the machine stops in between."""

import os
import ssl
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from tests.kit.clock import ManualClock
from tests.kit.optional import need_root

from atomic_registry.system import durable_files, pairs
from atomic_registry.system.ca import (
    Issue,
    Signer,
    ensure_server_pair,
    ensure_signer,
    issue_server_pair,
    renew_server_pair,
)
from atomic_registry.system.pairs import Pair, settle_pair

DAY = timedelta(days=1)


class PowerCut(BaseException):
    """The machine stops here."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def signer(tmp_path: Path, clock: ManualClock) -> Signer:
    return ensure_signer(tmp_path / "master", clock=clock)


@pytest.fixture
def pair(tmp_path: Path, signer: Signer, clock: ManualClock) -> Pair:
    made = Pair(certificate=tmp_path / "r" / "registry.crt", key=tmp_path / "r" / "registry.key")
    issue_server_pair(made, ["a.test"], signer, how=Issue(clock=clock))
    return made


def load(pair: Pair) -> x509.Certificate:
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pair.certificate, pair.key)
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes())


@pytest.mark.parametrize("writes", range(6))
def test_a_pair_agrees_after_a_power_cut_at_any_write(
    pair: Pair, signer: Signer, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    before = load(pair).serial_number
    left = writes
    move = durable_files.move_file

    def moving(draft: Path, path: Path) -> None:
        nonlocal left
        if left == 0:
            raise PowerCut
        left -= 1
        move(draft, path)

    monkeypatch.setattr(durable_files, "move_file", moving)
    monkeypatch.setattr(pairs, "move_file", moving)
    try:
        issue_server_pair(pair, ["b.test"], signer, how=Issue(clock=clock))
        was_cut = False
    except PowerCut:
        was_cut = True
    monkeypatch.undo()
    # The serial number, the draft of the certificate, the key, the certificate.
    assert was_cut == (writes < 4)
    settle_pair(pair)
    assert (load(pair).serial_number == before) == (writes < 3)
    assert [] == list(pair.certificate.parent.glob(".*.next"))


def test_the_service_itself_completes_what_was_broken_off(
    pair: Pair, signer: Signer, clock: ManualClock
) -> None:
    old = pair.certificate.read_bytes()
    issue_server_pair(pair, ["b.test"], signer, how=Issue(clock=clock))
    pair.certificate.rename(pair.certificate.with_name(".registry.crt.next"))
    pair.certificate.write_bytes(old)
    assert not ensure_server_pair(pair, ["b.test"], signer, how=Issue(clock=clock))
    assert 3 == load(pair).serial_number


def test_a_renewed_pair_keeps_names_modes_and_owners(
    pair: Pair, signer: Signer, clock: ManualClock
) -> None:
    need_root()
    for path, mode in ((pair.certificate, 0o640), (pair.key, 0o640)):
        os.chown(path, 1001, 1002)
        path.chmod(mode)
    clock.advance(DAY * 600)
    assert renew_server_pair(pair, signer, how=Issue(clock=clock))
    names = load(pair).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ["a.test"] == names.get_values_for_type(x509.DNSName)
    for path in (pair.certificate, pair.key):
        status = path.stat()
        assert (1001, 1002, 0o640) == (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))


def test_a_key_that_others_may_read_is_theirs_no_longer(
    pair: Pair, signer: Signer, clock: ManualClock
) -> None:
    pair.key.chmod(0o666)
    issue_server_pair(pair, ["a.test"], signer, how=Issue(clock=clock))
    assert 0o640 == stat.S_IMODE(pair.key.stat().st_mode)
