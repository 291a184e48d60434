"""What goes into a certificate: subjects, names, uses, and how long it is good."""

import contextlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from atomic_registry.clock import Clock
from atomic_registry.config.load import ConfigInvalid, Mistake

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
KeyType = Literal["ec", "rsa"]

RSA_BITS = 2048

_CLOCK_SKEW = timedelta(minutes=5)
_MAX_COMMON_NAME = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRequest:
    """What a certificate is to say."""

    subject: x509.Name
    usage: x509.ObjectIdentifier
    names: tuple[x509.GeneralName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A loaded signer."""

    certificate: x509.Certificate
    key: PrivateKey


def issue(
    request: CertificateRequest,
    authority: Authority,
    key: PrivateKey,
    serial: int,
    clock: Clock,
    days: int,
) -> x509.Certificate:
    now = clock.now()
    # A chain is as good as its first end: no leaf outlives its authority.
    until = min(now + timedelta(days=days), authority.certificate.not_valid_after_utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(max(now - _CLOCK_SKEW, authority.certificate.not_valid_before_utc))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([request.usage]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_authority_identifier(authority), critical=False)
    )
    if request.names:
        names = x509.SubjectAlternativeName(request.names)
        builder = builder.add_extension(names, critical=False)
    return builder.sign(authority.key, hashes.SHA256())


def issue_authority(
    subject: x509.Name, key: PrivateKey, clock: Clock, days: int
) -> x509.Certificate:
    now = clock.now()
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(is_authority=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Tell whether nobody else vouches for the authority: another's is not ours to renew."""
    own = x509.SubjectKeyIdentifier.from_public_key(certificate.public_key())
    return certificate.issuer == certificate.subject and _identifier(certificate) in {None, own}


def is_worn(certificate: x509.Certificate, clock: Clock) -> bool:
    """Tell whether less than a third of the certificate's life remains."""
    end = certificate.not_valid_after_utc
    return end - clock.now() < (end - certificate.not_valid_before_utc) / 3


def subject_name(*, common: str, organizations: Sequence[str] = ()) -> x509.Name:
    try:
        return x509.Name(
            [
                *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, it) for it in organizations),
                x509.NameAttribute(NameOID.COMMON_NAME, common),
            ]
        )
    except ValueError as error:
        raise ConfigInvalid([Mistake(origin=common, key="", reason=str(error))]) from error


def common_name(hostnames: Sequence[str]) -> str:
    # Some clients still want a common name; a longer one does not fit into a certificate.
    fitting = [host for host in sorted(hostnames) if len(host) <= _MAX_COMMON_NAME]
    return fitting[0] if fitting else "atomic-registry"


def general_name(host: str) -> x509.GeneralName:
    bare = host.removeprefix("[").removesuffix("]")
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(bare))
    try:
        return x509.DNSName(host.encode("idna").decode("ascii"))
    except ValueError as error:
        mistake = Mistake(origin=host, key="", reason=f"it is not a host name: {error}")
        raise ConfigInvalid([mistake]) from error


def names_of(certificate: x509.Certificate) -> set[x509.GeneralName]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return set()
    return set(found.value)


def _authority_identifier(authority: Authority) -> x509.AuthorityKeyIdentifier:
    # An authority of another make may carry an identifier that is no hash of its key.
    own = _identifier(authority.certificate)
    if own is None:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _identifier(certificate: x509.Certificate) -> x509.SubjectKeyIdentifier | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return None


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def new_key(kind: KeyType = "ec") -> PrivateKey:
    """Return a fresh key: on the curve P-256, or of RSA for clients that know nothing else."""
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    return ec.generate_private_key(ec.SECP256R1())


def certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
