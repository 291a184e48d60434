"""Bytes on their way, hashed as they pass."""

from collections.abc import Callable
from hashlib import sha256
from typing import BinaryIO

from atomic_registry.oci.digest import Digest, PlainHasher
from atomic_registry.system.backup.failures import BackupFailed
from atomic_registry.system.backup.progress import Progress

PIECE = 1024 * 1024


def pass_bytes(
    source: BinaryIO,
    write: Callable[[bytes], object],
    progress: Progress,
    *,
    digest: Digest,
    size: int,
) -> str:
    """Pass on as many bytes as there should be; return what is wrong with them, or nothing."""
    hasher = PlainHasher(digest.algorithm)
    left = size
    while left:
        try:
            piece = source.read(min(PIECE, left))
        except OSError as error:
            return f"reading it fails: {error.strerror or error}"
        if not piece:
            return f"it ends after {size - left} of {size} bytes"
        hasher.update(piece)
        write(piece)
        left -= len(piece)
        progress.add(len(piece))
    if source.read(1):
        return f"it is longer than its {size} bytes"
    if hasher.digest() != digest:
        return f"its bytes have the digest {hasher.digest()}"
    return ""


def pass_file(source: BinaryIO, write: Callable[[bytes], object], name: str, size: int) -> str:
    """Pass on that many bytes and return their SHA-256.

    Raises:
        BackupFailed: there are fewer.
    """
    hasher = sha256()
    left = size
    while left:
        piece = source.read(min(PIECE, left))
        if not piece:
            raise BackupFailed(f"{name} has only {size - left} of {size} bytes; try once more")
        hasher.update(piece)
        write(piece)
        left -= len(piece)
    return hasher.hexdigest()


def ignore(_: bytes) -> None:
    """Take bytes that only their digest is wanted of."""
