"""Brings a backup back: everything is read, compared and written aside before a name changes."""

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec

from atomic_registry.clock import Clock
from atomic_registry.content.ports import StoredBlob
from atomic_registry.oci.digest import Digest
from atomic_registry.system.backup import journal
from atomic_registry.system.backup.copying import pass_bytes
from atomic_registry.system.backup.failures import BackupFailed, explain
from atomic_registry.system.backup.manifest import (
    DATABASE,
    DATABASE_FILE,
    FILES,
    SNAPSHOTS,
    Entry,
    Manifest,
    Place,
    blob_name,
)
from atomic_registry.system.backup.progress import Progress
from atomic_registry.system.backup.source import DirectorySource, Source, read_manifest
from atomic_registry.system.backup.staging import Staged
from atomic_registry.system.durable_files import sync_directory

_THREADS = 4
_BATCH = 256
_SHARED_FILE = 0o660
_LOGS = (f"{DATABASE_FILE}-wal", f"{DATABASE_FILE}-shm", f"{DATABASE_FILE}-journal")
# Room for directories and names besides the bytes.
_SPARE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """Where a backup goes, and how the database there is read and owned."""

    to: Path
    force: bool
    schema_version: int
    list_blobs: Callable[[Path], Iterator[StoredBlob]]
    check: Callable[[Path], list[str]]
    own: Callable[[Path, str, str], None]
    key_path: Callable[[Path, str], Path]


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    manifest: Manifest
    snapshot: str
    replaced: tuple[str, ...]


def restore_snapshot(
    source: Source, at: str | None, plan: Restoration, progress: Progress, clock: Clock
) -> Restored:
    """Restore a snapshot, all of it or nothing.

    Raises:
        BackupFailed: the backup is damaged or too new, or something is there already.
    """
    name, manifest = read_manifest(source, at)
    _refuse_newer(manifest, plan.schema_version)
    _refuse_tricks(manifest)
    datastore = plan.to / next(it.path for it in manifest.places if it.holds == "database")
    if journal.undo(datastore):
        progress.note("a restore was interrupted here: what was there before it is back")
    mark = f"{clock.now():%Y%m%dT%H%M%SZ}-{clock.new_id()[:6]}"
    staged: list[Staged] = []
    try:
        work = _Work(source, name, manifest, plan, progress)
        for place in manifest.places:
            companions = _LOGS if place.holds == "database" else ()
            here = Staged.begin(plan.to / place.path, mark, companions=companions)
            staged.append(here)
            work.directories[place.holds, place.path] = here.draft
        _refuse_small_disks(manifest, staged)
        work.run()
        _refuse_replacing(staged, plan)
        journal.begin(datastore, staged)
        for place, here in zip(manifest.places, staged, strict=True):
            here.commit()
            if here.made:
                here.directory.chmod(place.mode)
                plan.own(here.directory, place.owner, place.group)
        journal.end(datastore)
    except OSError as error:
        _take_back(staged, datastore)
        raise explain(error, "nothing was restored", plan.to) from error
    except BaseException:
        _take_back(staged, datastore)
        raise
    replaced = [path for path in (here.end() for here in staged) if path is not None]
    return Restored(manifest=manifest, snapshot=name, replaced=tuple(map(str, replaced)))


def _take_back(staged: list[Staged], datastore: Path) -> None:
    if journal.is_interrupted(datastore):
        journal.undo(datastore)
    for here in reversed(staged):
        here.take_back()


def _refuse_newer(manifest: Manifest, schema_version: int) -> None:
    facts = manifest.database
    if facts.compat_version > schema_version:
        raise BackupFailed(
            f"the backup was made by Atomic Registry {manifest.release} with a database of schema "
            f"version {facts.schema_version}, and this release knows version {schema_version}: "
            f"install Atomic Registry {facts.compat_release} or later"
        )


def _refuse_tricks(manifest: Manifest) -> None:
    """Whoever made the backup says what the files hold, but not which others are overwritten."""
    paths = [place.path for place in manifest.places]
    paths += [entry.path for place in manifest.places for entry in place.entries]
    for path in paths:
        if path.startswith("/") or ".." in path.split("/"):
            raise BackupFailed(f"the backup names {path!r}, which lies outside of what it is for")
    links = {it.path for place in manifest.places for it in place.entries if it.type == "link"}
    for path in paths:
        if any(str(parent) in links for parent in Path(path).parents):
            raise BackupFailed(f"the backup names {path!r}, which lies behind a symbolic link")


def _refuse_replacing(staged: list[Staged], plan: Restoration) -> None:
    there = [str(path) for here in staged for path in here.replaced()]
    if there and not plan.force:
        shown = ", ".join(there[:5]) + (" and more" if len(there) > 5 else "")
        raise BackupFailed(
            f"there is something already: {shown}; nothing was changed. Name another place with "
            "--to, or add --force: then what is there is moved aside, not deleted"
        )


def _refuse_small_disks(manifest: Manifest, staged: list[Staged]) -> None:
    needed: dict[int, int] = {}
    directories: dict[int, Path] = {}
    for place, here in zip(manifest.places, staged, strict=True):
        count = {
            "blobs": manifest.database.blob_bytes,
            "database": manifest.database_size,
            "files": sum(entry.size for entry in place.entries),
        }[place.holds]
        device = here.directory.stat().st_dev
        needed[device] = needed.get(device, _SPARE_BYTES) + count
        directories[device] = here.directory
    for device, count in needed.items():
        free = shutil.disk_usage(directories[device]).free
        if free < count:
            raise BackupFailed(
                f"the disk of {directories[device]} has {free} bytes left and {count} are needed; "
                "nothing was changed: make room, or name another place with --to"
            )


class _Work:
    def __init__(
        self, source: Source, name: str, manifest: Manifest, plan: Restoration, progress: Progress
    ) -> None:
        self.directories: dict[tuple[str, str], Path] = {}
        self._source = source
        self._name = name
        self._manifest = manifest
        self._plan = plan
        self._progress = progress

    def run(self) -> None:
        by_kind = {place.holds: place for place in self._manifest.places}
        for place in self._manifest.places:
            if place.holds == "files":
                self._write_files(place)
        database = self._write_database(by_kind["database"])
        self._write_blobs(by_kind["blobs"], self._plan.list_blobs(database))
        for directory in self.directories.values():
            for path, _, _ in os.walk(directory):
                sync_directory(Path(path))

    def _write_files(self, place: Place) -> None:
        draft = self.directories["files", place.path]
        for entry in place.entries:
            target = draft / entry.path
            if entry.type == "directory":
                target.mkdir(mode=0o700)
            elif entry.type == "link":
                target.symlink_to(entry.target)
            else:
                name = "/".join(filter(None, (FILES, place.path, entry.path)))
                self._write(target, f"{SNAPSHOTS}/{self._name}/{name}", entry.size, entry.sha256)
        # Once everything is written: a directory may be closed to its owner.
        for entry in reversed(place.entries):
            self._give(draft / entry.path, entry)

    def _give(self, target: Path, entry: Entry) -> None:
        if entry.type != "link":
            self._plan.own(target, entry.owner, entry.group)
            # After the owner, whose change takes setgid bits away.
            target.chmod(entry.mode)

    def _write_database(self, place: Place) -> Path:
        target = self.directories["database", place.path] / DATABASE_FILE
        name = f"{SNAPSHOTS}/{self._name}/{DATABASE}"
        self._write(target, name, self._manifest.database_size, self._manifest.database_sha256)
        faults = self._plan.check(target)
        if faults:
            raise BackupFailed(f"{name} is damaged: {faults[0]}; nothing was changed")
        self._plan.own(target, place.owner, place.group)
        target.chmod(_SHARED_FILE)
        return target

    def _write_blobs(self, place: Place, blobs: Iterator[StoredBlob]) -> None:
        draft = self.directories["blobs", place.path]
        missing = {it.digest for it in self._manifest.missing}
        wanted = (blob for blob in blobs if str(blob.digest) not in missing)
        self._progress.begin("blobs", self._manifest.database.blob_bytes)
        is_parallel = isinstance(self._source, DirectorySource)
        with ThreadPoolExecutor(_THREADS if is_parallel else 1) as threads:
            while batch := list(islice(wanted, _BATCH)):
                for parent in {self._plan.key_path(draft, blob.key).parent for blob in batch}:
                    parent.mkdir(parents=True, exist_ok=True)
                for _ in threads.map(lambda blob: self._write_blob(draft, blob), batch):
                    pass
        for path, directories, files in os.walk(draft):
            for name in directories:
                directory = Path(path) / name
                self._plan.own(directory, place.owner, place.group)
                directory.chmod(place.mode & (stat.S_ISGID | 0o777))
            for name in files:
                self._plan.own(Path(path) / name, place.owner, place.group)

    def _write_blob(self, draft: Path, blob: StoredBlob) -> None:
        target = self._plan.key_path(draft, blob.key)
        self._copy(target, blob_name(blob.digest), blob.size, blob.digest, self._progress)
        target.chmod(_SHARED_FILE)

    def _write(self, target: Path, name: str, size: int, expected: str) -> None:
        self._copy(target, name, size, Digest("sha256", expected), _Silent())

    def _copy(self, target: Path, name: str, size: int, digest: Digest, progress: Progress) -> None:
        with self._open(name) as source:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                fault = pass_bytes(source, file.write, progress, digest=digest, size=size)
                file.flush()
                os.fsync(descriptor)
        if fault:
            raise BackupFailed(
                f"{name} in the backup is damaged: {fault}; nothing was changed. "
                "`atomic-registry backup verify` lists all that is damaged"
            )

    def _open(self, name: str) -> BinaryIO:
        try:
            return self._source.open(name)
        except FileNotFoundError as error:
            raise BackupFailed(f"{name} is missing in the backup; nothing was changed") from error


class _Silent:
    """Small files count for nothing."""

    def begin(self, what: str, total: int) -> None:
        """Tell nobody."""

    def add(self, count: int) -> None:
        """Tell nobody."""

    def note(self, text: str) -> None:
        """Tell nobody."""
