"""Tells whose authority has issued a client certificate.

The listener trusts several authorities at once, and its handshake says only that one of them
vouches. Being good for one purpose must not make a certificate good for another.
"""

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID


class ClientAuthority:
    """The authorities of one file.

    An intermediate authority has to stand in the file as well: what a client sends beside its own
    certificate is not looked at.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            OSError: it cannot be read.
            ValueError: it holds no certificate, or one that cannot be parsed.
        """
        self._issuers = tuple(x509.load_pem_x509_certificates(path.read_bytes()))

    def has_issued(self, der: bytes) -> bool:
        """Tell whether one of them has signed the certificate; nothing is none of theirs."""
        try:
            leaf = x509.load_der_x509_certificate(der)
        except ValueError:
            return False
        return any(_is_issued_by(leaf, issuer) for issuer in self._issuers)


def common_name_of(der: bytes) -> str:
    """Return the common name of a certificate's subject, empty if it has none or several."""
    try:
        subject = x509.load_der_x509_certificate(der).subject
        names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError:
        return ""
    return str(names[0].value) if len(names) == 1 else ""


def _is_issued_by(leaf: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
