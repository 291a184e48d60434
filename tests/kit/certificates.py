"""Certificates made in the test."""

import datetime as dt
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from atomic_registry.clock import SystemClock
from atomic_registry.system.ca import Pair, ensure_client_certificate, ensure_signer


def write_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """Write tls.crt with this common name and tls.key; return both paths."""
    folder.mkdir(exist_ok=True)
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


def trusting_context() -> ssl.SSLContext:
    """Return a client's context that takes any certificate: the test looks at it instead."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def common_name(der: bytes | None) -> str:
    """Return the common name of a certificate in DER form."""
    assert der is not None, "the server showed no certificate"
    subject = x509.load_der_x509_certificate(der).subject
    return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


class ClientAuthorityFiles:
    """An authority of its own in a folder, and client certificates that it has signed."""

    def __init__(self, folder: Path) -> None:
        self._signer = ensure_signer(folder, clock=SystemClock())
        self.ca = self._signer.certificate

    def issue(self, name: str, *groups: str) -> Pair:
        """Make a client certificate of this common name."""
        return ensure_client_certificate(
            name, groups, self._signer, clock=SystemClock(), name=f"client-{len(name)}-{name[:8]}"
        )

    def shown(self, name: str, *groups: str) -> bytes:
        """Return the DER of such a certificate, as a listener sees it."""
        pem = self.issue(name, *groups).certificate.read_bytes()
        leaf = x509.load_pem_x509_certificates(pem)[0]
        return leaf.public_bytes(serialization.Encoding.DER)
