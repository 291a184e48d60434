"""Small files that are written whole or not at all, and turns between processes."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

LOCK_NAME = ".lock"


def write_file(path: Path, content: bytes, mode: int) -> None:
    """Put the content in place whole; at no moment may others read more than the mode says.

    A file that is replaced keeps its owner: the service that reads it goes on being able to.
    Only one process at a time may write a path: hold `locked`.
    """
    draft = path.with_name(f".{path.name}.new")
    # Writers take turns, so what is there was left by one that died.
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        _keep_owner(path, descriptor)
        os.fchmod(descriptor, mode)
        file.flush()
        os.fsync(descriptor)
    move_file(draft, path)


def move_file(draft: Path, path: Path) -> None:
    """Put a file that is whole on disk into the place of another one, for good."""
    draft.replace(path)
    sync_directory(path.parent)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Make the directory if need be, and keep other processes out of this block.

    It waits for its turn, so do only short work inside.
    """
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        # Closing gives the lock back.
        os.close(descriptor)


def _keep_owner(path: Path, descriptor: int) -> None:
    try:
        before = path.stat()
    except FileNotFoundError:
        return
    now = os.fstat(descriptor)
    if (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
        # Refused unless this is root, and then nothing is replaced.
        os.fchown(descriptor, before.st_uid, before.st_gid)


def sync_directory(directory: Path) -> None:
    """Have the names in the directory survive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
