"""What a certificate says, in the words of a report."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

WARN_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """Whose it is, whose word that is, and how long it is good."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    begins: datetime
    ends: datetime

    def days_left(self, now: datetime) -> int:
        """Return the whole days until it ends; below zero when it has ended."""
        return (self.ends - now).days


def facts_of(content: bytes) -> CertificateFacts:
    """Return the facts of the first certificate, in PEM or DER.

    Raises:
        ValueError: it is none.
    """
    # Loaded when a certificate is looked at, which not every command does.
    from cryptography import x509  # noqa: PLC0415

    if b"-----BEGIN" in content:
        found = x509.load_pem_x509_certificate(content)
    else:
        found = x509.load_der_x509_certificate(content)
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    begins, ends = found.not_valid_before_utc, found.not_valid_after_utc
    return CertificateFacts(
        subject=found.subject.rfc4514_string(),
        issuer=found.issuer.rfc4514_string(),
        names=tuple(str(getattr(name, "value", name)) for name in names),
        begins=begins,
        ends=ends,
    )


def facts_of_file(path: Path) -> CertificateFacts:
    """Return the facts of the first certificate in a file.

    Raises:
        ValueError: it cannot be read, or is none.
    """
    try:
        return facts_of(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
