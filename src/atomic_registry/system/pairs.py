"""A certificate's file and its key's, replaced so that they agree whenever the machine may stop.

The new certificate is on disk beside the old one before the key is replaced, and takes its place
after that. What a crash in between leaves is completed by `settle_pair`.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from atomic_registry.system.durable_files import locked, move_file, write_file

_KEY_MODES = 0o640


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Files of a certificate, followed by its authority's, and of its private key."""

    certificate: Path
    key: Path


def write_pair(pair: Pair, certificate: bytes, key: bytes) -> None:
    """Replace both files; modes and owners of those that are there stay.

    Only one process at a time may do this: hold `locked` on the certificate's directory.
    """
    for path in (pair.certificate, pair.key):
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = _draft(pair)
    write_file(draft, certificate, _mode(pair.certificate, 0o644))
    write_file(pair.key, key, _mode(pair.key, 0o600) & _KEY_MODES)
    _take(draft, pair.certificate)


def settle_pair(pair: Pair) -> None:
    """Complete a replacement that was broken off; without one nothing is touched.

    Raises:
        OSError: there is one, and this user may not complete it.
    """
    if not _draft(pair).exists():
        return
    with locked(pair.certificate.parent):
        settle_locked(pair)


def settle_locked(pair: Pair) -> None:
    """Complete a replacement that was broken off, within `locked`."""
    draft = _draft(pair)
    try:
        content = draft.read_bytes()
    except FileNotFoundError:
        return
    if _agree(content, pair.key):
        _take(draft, pair.certificate)
    else:
        # It was broken off before the key: the old pair is whole.
        draft.unlink()


def _draft(pair: Pair) -> Path:
    return pair.certificate.with_name(f".{pair.certificate.name}.next")


def _take(draft: Path, certificate: Path) -> None:
    if certificate.exists():
        before, now = certificate.stat(), draft.stat()
        if (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
            os.chown(draft, before.st_uid, before.st_gid)
    move_file(draft, certificate)


def _agree(certificate: bytes, key: Path) -> bool:
    try:
        leaf = x509.load_pem_x509_certificate(certificate)
        return load_pem_private_key(key.read_bytes(), None).public_key() == leaf.public_key()
    except (OSError, ValueError, TypeError):
        return False


def _mode(path: Path, default: int) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode) | (default & 0o600)
    except FileNotFoundError:
        return default
