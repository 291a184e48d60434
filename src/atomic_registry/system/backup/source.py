"""Reading a backup, a directory or a tar file, by the names that its parts have in both."""

import contextlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from atomic_registry.system.backup.failures import BackupFailed
from atomic_registry.system.backup.manifest import (
    CHECKSUM,
    DATABASE,
    MANIFEST,
    SNAPSHOTS,
    Manifest,
    decode_manifest,
)

_MAX_MANIFEST = 256 * 1024 * 1024


class Source(Protocol):
    """The parts of a backup."""

    path: Path

    def snapshots(self) -> list[str]:
        """Return the names of the snapshots that are whole, oldest first."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Open a part.

        Raises:
            FileNotFoundError: it is not there.
        """
        ...


class DirectorySource:
    """Implements `Source`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def snapshots(self) -> list[str]:
        places = (self.path / SNAPSHOTS).glob(f"*/{MANIFEST}")
        return sorted(place.parent.name for place in places)

    def open(self, name: str) -> BinaryIO:
        return (self.path / name).open("rb")


class TarSource:
    """Implements `Source`."""

    def __init__(self, path: Path, tar: tarfile.TarFile) -> None:
        self.path = path
        self._tar = tar
        self._members = {member.name: member for member in tar}

    def snapshots(self) -> list[str]:
        parts = (name.split("/") for name in self._members)
        return sorted(it[1] for it in parts if len(it) == 3 and it[::2] == [SNAPSHOTS, MANIFEST])

    def open(self, name: str) -> BinaryIO:
        member = self._members.get(name)
        file = None if member is None else self._tar.extractfile(member)
        if file is None:
            raise FileNotFoundError(2, "it is not in the backup", name)
        return file  # type: ignore[return-value] # typeshed calls it IO[bytes]


@contextlib.contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a backup for reading.

    Raises:
        BackupFailed: there is none.
    """
    if path.is_dir():
        yield DirectorySource(path)
        return
    try:
        # Without "|" it can be read in any order, and by that not when it is compressed.
        with tarfile.open(path, "r:") as tar:
            source = TarSource(path, tar)
            yield source
    except FileNotFoundError as error:
        if error.filename != str(path):
            raise
        raise BackupFailed(f"there is no backup at {path}") from error
    except tarfile.TarError as error:
        raise BackupFailed(
            f"{path} is neither a directory nor an uncompressed tar file: {error}"
        ) from error


def read_manifest(source: Source, at: str | None) -> tuple[str, Manifest]:
    """Return the name of a snapshot, by default the newest, and what it says of itself.

    Raises:
        BackupFailed: there is no such snapshot, or it is damaged.
    """
    names = source.snapshots()
    if not names:
        raise BackupFailed(
            f"{source.path} holds no whole backup; one that was interrupted does not count"
        )
    name = at or names[-1]
    if name not in names:
        raise BackupFailed(f"{source.path} has no snapshot {name!r}; it has {', '.join(names)}")
    place = f"{SNAPSHOTS}/{name}"
    parts = []
    for part in (MANIFEST, CHECKSUM):
        try:
            with source.open(f"{place}/{part}") as file:
                parts.append(file.read(_MAX_MANIFEST))
        except FileNotFoundError as error:
            raise BackupFailed(f"{source.path}: {place}/{part} is missing") from error
    return name, decode_manifest(parts[0], parts[1], f"{source.path}/{place}")


@contextlib.contextmanager
def copied_database(source: Source, name: str, beside: Path | None = None) -> Iterator[Path]:
    """Give a private copy of a snapshot's database, so that nothing of the backup is touched."""
    with tempfile.TemporaryDirectory(prefix="atomic-registry-", dir=beside) as directory:
        place = Path(directory) / DATABASE
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        part = f"{SNAPSHOTS}/{name}/{DATABASE}"
        with os.fdopen(descriptor, "wb") as target, source.open(part) as file:
            shutil.copyfileobj(file, target, 1024 * 1024)
        yield place
