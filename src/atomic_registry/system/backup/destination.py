"""Where a backup goes: a directory that keeps several snapshots, or one tar file.

Nothing is written under its final name before it is whole and on the disk.
"""

import contextlib
import fcntl
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

from atomic_registry.content.ports import StoredBlob
from atomic_registry.system.backup.copying import ignore, pass_bytes, pass_file
from atomic_registry.system.backup.failures import BackupFailed, explain
from atomic_registry.system.backup.manifest import CHECKSUM, MANIFEST, SNAPSHOTS, blob_name
from atomic_registry.system.backup.progress import Progress
from atomic_registry.system.durable_files import move_file, sync_directory

MARKER = "README"
DRAFTS = "drafts"
_OURS = {".lock", "lost+found", MARKER, DRAFTS}
_README = """\
Backups of an Atomic Registry. They hold its keys: keep this directory to yourself.

  atomic-registry backup list DIR      what is here
  atomic-registry backup verify DIR    read and compare all of it
  atomic-registry restore DIR          bring the newest snapshot back

snapshots/TIME/   database, configuration and keys at one moment, with their digests
blobs/            the bytes of images by their digest, for all snapshots
"""
_OPEN_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW

Opener = Callable[[], BinaryIO]


class Destination(Protocol):
    """Takes the parts of one backup; it counts only after `finish`."""

    is_parallel: bool
    # A private directory for what is not yet part of the backup.
    scratch: Path

    def holds(self, blob: StoredBlob, progress: Progress, *, rehash: bool) -> bool:
        """Tell whether an earlier backup has left the blob here."""
        ...

    def add_blob(self, blob: StoredBlob, open_blob: Opener, progress: Progress) -> str:
        """Take the bytes of a blob; return what is wrong with them, or nothing."""
        ...

    def add_file(self, name: str, content: BinaryIO, size: int) -> str:
        """Take a file of the snapshot; return its SHA-256."""
        ...

    def finish(self, manifest: bytes, checksum: bytes) -> Path:
        """Make it count, for good; return where it is."""
        ...


class DirectoryDestination:
    """Snapshots beside each other, which share blobs."""

    is_parallel = True

    def __init__(self, directory: Path, name: str) -> None:
        self.directory = directory
        self.scratch = directory / DRAFTS
        self._name = name
        self._draft = self.scratch / "snapshot"
        self._changed: set[Path] = set()

    def begin(self) -> None:
        """Make what is missing, and throw away what an interrupted backup has left."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self._draft.mkdir(parents=True, mode=0o700)
        self.scratch.chmod(0o700)
        (self.directory / SNAPSHOTS).mkdir(mode=0o700, exist_ok=True)
        readme = self.directory / MARKER
        if not readme.exists():
            readme.write_text(_README)
            readme.chmod(0o600)

    def holds(self, blob: StoredBlob, progress: Progress, *, rehash: bool) -> bool:
        path = self.directory / blob_name(blob.digest)
        try:
            if path.stat().st_size != blob.size:
                return False
            if rehash:
                with path.open("rb") as file:
                    fault = pass_bytes(file, ignore, progress, digest=blob.digest, size=blob.size)
                return not fault
        except FileNotFoundError:
            return False
        progress.add(blob.size)
        return True

    def add_blob(self, blob: StoredBlob, open_blob: Opener, progress: Progress) -> str:
        place = self.directory / blob_name(blob.digest)
        draft = self.scratch / f"{blob.digest.algorithm}-{blob.digest.encoded}"
        draft.unlink(missing_ok=True)
        with open_blob() as source, _new_file(draft) as target:
            fault = pass_bytes(source, target.write, progress, digest=blob.digest, size=blob.size)
        if fault:
            draft.unlink()
            return fault
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.replace(place)
        self._changed |= {place.parent, *place.parent.parents[:3]}
        return ""

    def add_file(self, name: str, content: BinaryIO, size: int) -> str:
        place = self._draft / name
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _new_file(place) as file:
            return pass_file(content, file.write, name, size)

    def finish(self, manifest: bytes, checksum: bytes) -> Path:
        self.add_file(MANIFEST, BytesIO(manifest), len(manifest))
        self.add_file(CHECKSUM, BytesIO(checksum), len(checksum))
        for directory in sorted(self._changed):
            sync_directory(directory)
        for path, _, _ in os.walk(self._draft):
            sync_directory(Path(path))
        place = self.directory / SNAPSHOTS / self._name
        self._draft.rename(place)
        sync_directory(place.parent)
        sync_directory(self.directory)
        shutil.rmtree(self.scratch)
        return place


class TarDestination:
    """One tar file with one snapshot; it takes its name when it is whole."""

    is_parallel = False

    def __init__(self, path: Path, draft: Path, file: BinaryIO, *, name: str) -> None:
        self._path = path
        self._draft = draft
        self._file = file
        self._name = name
        self.scratch = path.with_name(f".{path.name}.scratch")

    def holds(self, blob: StoredBlob, progress: Progress, *, rehash: bool) -> bool:
        return False

    def add_blob(self, blob: StoredBlob, open_blob: Opener, progress: Progress) -> str:
        with open_blob() as source:
            end = self._begin(blob_name(blob.digest), blob.size) + blob.size
            fault = pass_bytes(
                source, self._file.write, progress, digest=blob.digest, size=blob.size
            )
            # A member that is short would make the rest unreadable.
            self._file.write(bytes(end - self._file.tell() + -blob.size % tarfile.BLOCKSIZE))
        return fault

    def add_file(self, name: str, content: BinaryIO, size: int) -> str:
        self._begin(f"{SNAPSHOTS}/{self._name}/{name}", size)
        digest = pass_file(content, self._file.write, name, size)
        self._file.write(bytes(-size % tarfile.BLOCKSIZE))
        return digest

    def finish(self, manifest: bytes, checksum: bytes) -> Path:
        self.add_file(CHECKSUM, BytesIO(checksum), len(checksum))
        self.add_file(MANIFEST, BytesIO(manifest), len(manifest))
        self._file.write(bytes(2 * tarfile.BLOCKSIZE))
        self._file.flush()
        os.fsync(self._file.fileno())
        move_file(self._draft, self._path)
        return self._path

    def _begin(self, name: str, size: int) -> int:
        """Write the head of a member; return where its bytes begin."""
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o600
        self._file.write(member.tobuf(tarfile.PAX_FORMAT))
        return self._file.tell()


@contextlib.contextmanager
def open_destination(path: Path, name: str) -> Iterator[Destination]:
    """Open a directory, or a tar file where the name ends in `.tar`, for one backup.

    Raises:
        BackupFailed: another backup writes there, or the place is no backup's.
    """
    opened = _open_tar(path, name) if path.suffix == ".tar" else _open_directory(path, name)
    try:
        with opened as destination:
            yield destination
    except OSError as error:
        raise explain(error, "the backup was not made", path) from error


@contextlib.contextmanager
def hold_directory(directory: Path) -> Iterator[None]:
    """Keep other backups out of the directory.

    Raises:
        BackupFailed: one is writing there now.
    """
    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor, directory)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _open_directory(directory: Path, name: str) -> Iterator[Destination]:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    others = {path.name for path in directory.iterdir()} - _OURS
    is_ours = (directory / SNAPSHOTS).is_dir() or not others
    if not is_ours:
        raise BackupFailed(
            f"{directory} holds other files and no backup; name an empty or a new directory"
        )
    directory.chmod(0o700)
    with hold_directory(directory):
        taken = name
        number = 1
        while (directory / SNAPSHOTS / taken).exists():
            number += 1
            taken = f"{name}-{number}"
        destination = DirectoryDestination(directory, taken)
        destination.begin()
        try:
            yield destination
        except BaseException:
            # It gives back the room on a full disk.
            shutil.rmtree(destination.scratch, ignore_errors=True)
            raise


@contextlib.contextmanager
def _open_tar(path: Path, name: str) -> Iterator[Destination]:
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        _lock(descriptor, path)
        os.fchmod(descriptor, 0o600)
        os.ftruncate(descriptor, 0)
        destination = TarDestination(path, draft, file, name=name)
        shutil.rmtree(destination.scratch, ignore_errors=True)
        destination.scratch.mkdir(mode=0o700)
        try:
            yield destination
        except BaseException:
            # It gives back the room on a full disk.
            draft.unlink(missing_ok=True)
            raise
        finally:
            shutil.rmtree(destination.scratch, ignore_errors=True)


def _lock(descriptor: int, place: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BackupFailed(
            f"another backup is being written to {place}: wait for it, or name another place"
        ) from error


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    descriptor = os.open(path, _OPEN_NEW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        yield file
        file.flush()
        os.fsync(descriptor)
