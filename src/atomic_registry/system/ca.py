"""The registry's own certificate authority, and the certificates it issues.

Files, their names and the serial file are those of `oadm ca`, so that an authority made by the
original goes on being used. Processes that start together take turns by a lock file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from atomic_registry.clock import Clock
from atomic_registry.config.load import ConfigInvalid, Mistake
from atomic_registry.system.certificates import (
    Authority,
    CertificateRequest,
    certificate_pem,
    common_name,
    general_name,
    is_self_signed,
    is_worn,
    issue,
    issue_authority,
    key_pem,
    names_of,
    subject_name,
)
from atomic_registry.system.durable_files import locked, write_file

SIGNER_DAYS = 1825
CERTIFICATE_DAYS = 730


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Files of a certificate authority."""

    certificate: Path
    key: Path
    serial: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Files of a certificate, followed by its authority's, and of its private key."""

    certificate: Path
    key: Path


def ensure_signer(
    directory: Path, name: str = "", *, clock: Clock, days: int = SIGNER_DAYS
) -> Signer:
    """Return the directory's `ca.crt`, `ca.key` and `ca.serial.txt`; make them if there are none.

    When less than a third of its life remains, the certificate is issued anew for the same key
    and name, so that everything it has signed stays good.

    Raises:
        ConfigInvalid: there are files, but no authority in them; they are left alone.
    """
    signer = Signer(
        certificate=directory / "ca.crt",
        key=directory / "ca.key",
        serial=directory / "ca.serial.txt",
    )
    with locked(directory):
        if not signer.certificate.exists():
            _make_signer(signer, name, clock, days)
        elif signer.key.exists():
            authority = _load_authority(signer)
            if is_self_signed(authority.certificate) and is_worn(authority.certificate, clock):
                renewed = issue_authority(authority.certificate.subject, authority.key, clock, days)
                write_file(signer.certificate, certificate_pem(renewed), 0o644)
    return signer


def ensure_server_certificate(
    directory: Path,
    hostnames: Sequence[str],
    signer: Signer,
    *,
    clock: Clock,
    days: int = CERTIFICATE_DAYS,
    name: str = "master.server",
) -> Pair:
    """Return `<name>.crt` and `<name>.key`, good for every one of the host names and addresses.

    They are issued anew when a name is missing, less than a third of their life remains, or
    another authority signed them.

    Raises:
        ConfigInvalid: the authority or a host name cannot be used.
    """
    if not hostnames:
        raise ConfigInvalid([Mistake(origin=name, key="", reason="it needs a host name")])
    request = CertificateRequest(
        subject=subject_name(common=common_name(hostnames)),
        usage=ExtendedKeyUsageOID.SERVER_AUTH,
        names=tuple(general_name(host) for host in sorted(set(hostnames))),
    )
    return _ensure(directory, name, request, signer, clock, days)


def ensure_client_certificate(
    user: str,
    groups: Sequence[str],
    signer: Signer,
    *,
    clock: Clock,
    days: int = CERTIFICATE_DAYS,
    name: str = "admin",
) -> Pair:
    """Return `<name>.crt` and `<name>.key` beside the authority: who shows them is the user.

    Raises:
        ConfigInvalid: the authority cannot be used, or a name is longer than 64 characters.
    """
    request = CertificateRequest(
        subject=subject_name(common=user, organizations=groups),
        usage=ExtendedKeyUsageOID.CLIENT_AUTH,
    )
    return _ensure(signer.certificate.parent, name, request, signer, clock, days)


def _ensure(
    directory: Path, name: str, request: CertificateRequest, signer: Signer, clock: Clock, days: int
) -> Pair:
    pair = Pair(certificate=directory / f"{name}.crt", key=directory / f"{name}.key")
    with locked(signer.certificate.parent):
        if not _is_good(pair, request, signer, clock):
            # Only an issue needs the authority's key: it may be kept elsewhere until then.
            authority = _load_authority(signer)
            if authority.certificate.not_valid_after_utc <= clock.now():
                raise _unusable(str(signer.certificate), "the certificate authority has expired")
            key = ec.generate_private_key(ec.SECP256R1())
            serial = _next_serial(signer.serial, clock)
            leaf = issue(request, authority, key, serial, clock, days)
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)
            write_file(pair.key, key_pem(key), 0o600)
            write_file(
                pair.certificate, certificate_pem(leaf) + signer.certificate.read_bytes(), 0o644
            )
    return pair


def _is_good(pair: Pair, request: CertificateRequest, signer: Signer, clock: Clock) -> bool:
    try:
        leaf = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        key = load_pem_private_key(pair.key.read_bytes(), None)
        authority = x509.load_pem_x509_certificate(signer.certificate.read_bytes())
        leaf.verify_directly_issued_by(authority)
        names = names_of(leaf)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    return (
        key.public_key() == leaf.public_key()
        and set(request.names) <= names
        and (bool(request.names) or leaf.subject == request.subject)
        and not is_worn(leaf, clock)
    )


def _make_signer(signer: Signer, name: str, clock: Clock, days: int) -> None:
    # A key without a certificate is what a crash between the two left behind.
    key = ec.generate_private_key(ec.SECP256R1())
    common = name or f"atomic-registry-signer@{int(clock.now().timestamp())}"
    certificate = issue_authority(subject_name(common=common), key, clock, days)
    write_file(signer.key, key_pem(key), 0o600)
    write_file(signer.serial, b"00\n", 0o640)
    write_file(signer.certificate, certificate_pem(certificate), 0o644)


def _load_authority(signer: Signer) -> Authority:
    try:
        certificate = x509.load_pem_x509_certificate(signer.certificate.read_bytes())
        key = load_pem_private_key(signer.key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        path = str(getattr(error, "filename", None) or signer.key)
        raise _unusable(path, f"the certificate authority cannot be read: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise _unusable(str(signer.key), "it is neither an EC nor an RSA key")
    if key.public_key() != certificate.public_key():
        raise _unusable(str(signer.key), f"it is not the key of {signer.certificate}")
    return Authority(certificate=certificate, key=key)


def _unusable(path: str, reason: str) -> ConfigInvalid:
    hint = "restore it; a new authority is made only where there is no ca.crt"
    return ConfigInvalid([Mistake(origin=path, key="", reason=reason, hint=hint)])


def _next_serial(path: Path, clock: Clock) -> int:
    """Return the next number of the serial file, or a random one where there is no file.

    It is on disk before it is used: a number must never be given out twice.
    """
    try:
        last = int(path.read_text().strip(), 16)
    except FileNotFoundError:
        return int(clock.new_id(), 16) >> 1 or 2
    except ValueError as error:
        raise _unusable(str(path), "it is not a hexadecimal number") from error
    # The authority itself is number 1.
    number = max(last, 1) + 1
    digits = f"{number:X}"
    write_file(path, f"{digits.zfill(len(digits) + len(digits) % 2)}\n".encode(), 0o640)
    return number
