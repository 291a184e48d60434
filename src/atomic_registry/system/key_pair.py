"""A pair of RSA keys in two files, in the forms of the original's `create-key-pair`."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from atomic_registry.system.certificates import RSA_BITS
from atomic_registry.system.durable_files import locked, write_file


def make_key_pair(*, public_key: Path, private_key: Path) -> None:
    """Write a new pair; the private key only for its owner."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    public_key.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with locked(private_key.parent):
        write_file(private_key, private, 0o600)
        write_file(public_key, public, 0o644)
