"""A certificate authority in its three files: made, renewed, loaded, and its serial numbers."""

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from atomic_registry.clock import Clock
from atomic_registry.config.load import ConfigInvalid, Mistake
from atomic_registry.system.certificates import (
    Authority,
    KeyType,
    certificate_pem,
    is_self_signed,
    is_worn,
    issue_authority,
    key_pem,
    new_key,
    subject_name,
)
from atomic_registry.system.durable_files import locked, write_file
from atomic_registry.system.pairs import Pair, settle_locked, write_pair

SIGNER_DAYS = 1825
CERTIFICATE_DAYS = 730


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Files of a certificate authority."""

    certificate: Path
    key: Path
    serial: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """How certificates are issued, whatever they say."""

    clock: Clock
    days: int = CERTIFICATE_DAYS
    key_type: KeyType = "ec"


def signer_in(directory: Path) -> Signer:
    """Return the files of a directory's authority, whether or not they are there."""
    return Signer(
        certificate=directory / "ca.crt",
        key=directory / "ca.key",
        serial=directory / "ca.serial.txt",
    )


def new_signer_name(clock: Clock) -> str:
    """Return the name of an authority that is made now."""
    return f"atomic-registry-signer@{int(clock.now().timestamp())}"


def ensure_signer(
    directory: Path, name: str = "", *, clock: Clock, days: int = SIGNER_DAYS
) -> Signer:
    """Return the directory's `ca.crt`, `ca.key` and `ca.serial.txt`; make them if there are none.

    Raises:
        ConfigInvalid: there are files, but no authority in them; they are left alone.
    """
    signer = signer_in(directory)
    with locked(directory):
        settle_locked(Pair(certificate=signer.certificate, key=signer.key))
        if not signer.certificate.exists():
            _write_signer(signer, name, Issue(clock=clock, days=days))
    renew_signer(signer, clock=clock, days=days)
    return signer


def make_signer(signer: Signer, name: str = "", *, how: Issue) -> None:
    """Make a new authority in any case; a former one is kept as `<file>.old`."""
    with locked(signer.certificate.parent):
        for path, mode in ((signer.certificate, 0o644), (signer.key, 0o600)):
            if path.exists():
                write_file(path.with_name(f"{path.name}.old"), path.read_bytes(), mode)
        _write_signer(signer, name, how)


def renew_signer(signer: Signer, *, clock: Clock, days: int = SIGNER_DAYS) -> bool:
    """Issue the authority's certificate anew when less than a third of its life remains.

    Its key and name stay, so that everything it has signed stays good.

    Raises:
        ConfigInvalid: there are files, but no authority in them; they are left alone.
    """
    with locked(signer.certificate.parent):
        if not signer.key.exists():
            return False
        authority = load_authority(signer)
        if not (is_self_signed(authority.certificate) and is_worn(authority.certificate, clock)):
            return False
        renewed = issue_authority(authority.certificate.subject, authority.key, clock, days)
        write_file(signer.certificate, certificate_pem(renewed), 0o644)
    return True


def _write_signer(signer: Signer, name: str, how: Issue) -> None:
    key = new_key(how.key_type)
    subject = subject_name(common=name or new_signer_name(how.clock))
    certificate = issue_authority(subject, key, how.clock, how.days)
    signer.serial.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_file(signer.serial, b"00\n", 0o640)
    pair = Pair(certificate=signer.certificate, key=signer.key)
    write_pair(pair, certificate_pem(certificate), key_pem(key))


def load_authority(signer: Signer) -> Authority:
    """Return the certificate and the key of the authority.

    Raises:
        ConfigInvalid: one of them cannot be read, or they do not belong together.
    """
    try:
        certificate = x509.load_pem_x509_certificate(signer.certificate.read_bytes())
        key = load_pem_private_key(signer.key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        path = str(getattr(error, "filename", None) or signer.key)
        raise unusable(path, f"the certificate authority cannot be read: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise unusable(str(signer.key), "it is neither an EC nor an RSA key")
    if key.public_key() != certificate.public_key():
        raise unusable(str(signer.key), f"it is not the key of {signer.certificate}")
    return Authority(certificate=certificate, key=key)


def unusable(path: str, reason: str) -> ConfigInvalid:
    """Return the error about a file of the authority."""
    hint = "name the files of the authority, or restore them; a new one is not made over an old one"
    return ConfigInvalid([Mistake(origin=path, key="", reason=reason, hint=hint)])


def next_serial(path: Path, clock: Clock) -> int:
    """Return the next number of the serial file, or a random one where there is no file.

    It is on disk before it is used: a number must never be given out twice.
    """
    try:
        last = int(path.read_text().strip(), 16)
    except FileNotFoundError:
        return int(clock.new_id(), 16) >> 1 or 2
    except ValueError as error:
        raise unusable(str(path), "it is not a hexadecimal number") from error
    # The authority itself is number 1.
    number = max(last, 1) + 1
    digits = f"{number:X}"
    write_file(path, f"{digits.zfill(len(digits) + len(digits) % 2)}\n".encode(), 0o640)
    return number
