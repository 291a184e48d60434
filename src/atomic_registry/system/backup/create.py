"""Makes a backup while the services run.

The database goes first and the blobs that it names follow, so that what is pushed meanwhile is
not missed: it belongs to the next backup.
"""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from atomic_registry import __version__
from atomic_registry.clock import Clock
from atomic_registry.content.ports import StoredBlob
from atomic_registry.system.backup.destination import Destination, open_destination
from atomic_registry.system.backup.failures import BackupFailed
from atomic_registry.system.backup.manifest import (
    DATABASE,
    FILES,
    FORMAT,
    DatabaseFacts,
    Kind,
    Manifest,
    Missing,
    encode_manifest,
)
from atomic_registry.system.backup.progress import Progress
from atomic_registry.system.backup.trees import Tree, read_tree

_THREADS = 4
_WAITING = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is backed up, and how its database and its blobs are read."""

    kind: Kind
    root: Path
    trees: tuple[Tree, ...]
    snapshot: Callable[[Path], DatabaseFacts]
    list_blobs: Callable[[Path], Iterator[StoredBlob]]
    check: Callable[[Path], list[str]]
    open_blob: Callable[[StoredBlob], BinaryIO]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a backup."""

    snapshot: str
    taken_at: datetime
    seconds: float
    blobs: int
    blob_bytes: int
    copied: int
    copied_bytes: int
    missing: tuple[Missing, ...]


@dataclass(slots=True, kw_only=True)
class _Tally:
    copied: int = 0
    copied_bytes: int = 0


def create_backup(
    subject: Subject, path: Path, *, rehash: bool, progress: Progress, clock: Clock
) -> Report:
    """Write a backup; one that was there before stays until this one is whole.

    Raises:
        BackupFailed, Unavailable: nothing came of it.
    """
    start = clock.monotonic()
    name = clock.now().strftime("%Y-%m-%dT%H-%M-%SZ")
    with open_destination(path, name) as destination:
        work = _Work(subject, destination, progress, clock, rehash=rehash)
        manifest, place = work.run()
    return Report(
        snapshot=str(place),
        taken_at=manifest.taken_at,
        seconds=round(clock.monotonic() - start, 3),
        blobs=manifest.database.blobs,
        blob_bytes=manifest.database.blob_bytes,
        copied=work.tally.copied,
        copied_bytes=work.tally.copied_bytes,
        missing=manifest.missing,
    )


class _Work:
    def __init__(
        self,
        subject: Subject,
        destination: Destination,
        progress: Progress,
        clock: Clock,
        *,
        rehash: bool,
    ) -> None:
        self.tally = _Tally()
        self._subject = subject
        self._destination = destination
        self._database = destination.scratch / DATABASE
        self._progress = progress
        self._clock = clock
        self._rehash = rehash
        self._lock = threading.Lock()
        self._done: set[StoredBlob] | None = set() if not destination.is_parallel else None

    def run(self) -> tuple[Manifest, Path]:
        taken_at = self._clock.now()
        facts, missing = self._take()
        if missing:
            self._progress.note(
                f"blobs that could not be read whole: {len(missing)}; looking whether they were "
                "deleted meanwhile, with a new snapshot of the database"
            )
            # What is named still was not deleted: the registry has lost it.
            taken_at = self._clock.now()
            facts, missing = self._take()
        places = tuple(read_tree(tree, self._take_file) for tree in self._subject.trees)
        with self._database.open("rb") as file:
            size = self._database.stat().st_size
            digest = self._destination.add_file(DATABASE, file, size)
        self._database.unlink()
        manifest = Manifest(
            format=FORMAT,
            release=__version__,
            kind=self._subject.kind,
            host=socket.gethostname(),
            root=str(self._subject.root),
            taken_at=taken_at,
            finished_at=self._clock.now(),
            database=facts,
            database_size=size,
            database_sha256=digest,
            places=places,
            missing=tuple(missing),
        )
        return manifest, self._destination.finish(*encode_manifest(manifest))

    def _take(self) -> tuple[DatabaseFacts, list[Missing]]:
        """Copy the database and the blobs that it names; return which are not whole."""
        self._database.unlink(missing_ok=True)
        facts = self._subject.snapshot(self._database)
        faults = self._subject.check(self._database)
        if faults:
            raise BackupFailed(
                f"the copy of the database is damaged ({faults[0]}), and so may be the database: "
                "stop the services and bring it back from an earlier backup"
            )
        self._progress.begin("blobs", facts.blob_bytes)
        return facts, self._copy_blobs(self._subject.list_blobs(self._database))

    def _take_file(self, name: str, content: BinaryIO, size: int) -> str:
        return self._destination.add_file(f"{FILES}/{name}", content, size)

    def _copy_blobs(self, blobs: Iterable[StoredBlob]) -> list[Missing]:
        missing = []
        with ThreadPoolExecutor(_THREADS if self._destination.is_parallel else 1) as threads:
            running: set[Future[Missing | None]] = set()
            try:
                for blob in blobs:
                    if len(running) >= _WAITING:
                        done, running = wait(running, return_when=FIRST_COMPLETED)
                        missing += [it for it in (one.result() for one in done) if it]
                    running.add(threads.submit(self._copy_blob, blob))
                missing += [it for it in (one.result() for one in running) if it]
            finally:
                # After a failure what waits need not be begun.
                for one in running:
                    one.cancel()
        return sorted(missing, key=lambda it: it.digest)

    def _copy_blob(self, blob: StoredBlob) -> Missing | None:
        if self._done is not None and blob in self._done:
            return None
        if self._destination.holds(blob, self._progress, rehash=self._rehash):
            return None

        def open_blob() -> BinaryIO:
            try:
                return self._subject.open_blob(blob)
            except OSError as error:
                raise _Unreadable(error.strerror or str(error)) from error

        try:
            fault = self._destination.add_blob(blob, open_blob, self._progress)
        except _Unreadable as error:
            fault = str(error)
        if fault:
            return Missing(digest=str(blob.digest), reason=fault)
        with self._lock:
            self.tally.copied += 1
            self.tally.copied_bytes += blob.size
            if self._done is not None:
                self._done.add(blob)
        return None


class _Unreadable(Exception):
    """The registry itself cannot read the blob."""
