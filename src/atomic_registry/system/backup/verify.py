"""Reads a backup and compares every byte with its digest."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import islice
from pathlib import Path

import msgspec

from atomic_registry.content.ports import StoredBlob
from atomic_registry.system.backup.copying import ignore, pass_bytes
from atomic_registry.system.backup.manifest import (
    DATABASE,
    FILES,
    SNAPSHOTS,
    Manifest,
    blob_name,
)
from atomic_registry.system.backup.progress import Progress
from atomic_registry.system.backup.source import (
    DirectorySource,
    Source,
    copied_database,
    read_manifest,
)

_THREADS = 4
_BATCH = 256


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a snapshot; it can be restored whole if nothing is."""

    snapshot: str
    blobs: int
    blob_bytes: int
    faults: tuple[str, ...]


def verify_snapshot(
    source: Source,
    at: str | None,
    *,
    list_blobs: Callable[[Path], Iterator[StoredBlob]],
    check: Callable[[Path], list[str]],
    progress: Progress,
) -> Verdict:
    """Read everything that a snapshot needs.

    Raises:
        BackupFailed: there is no such snapshot, or its manifest is damaged.
    """
    name, manifest = read_manifest(source, at)
    faults = [
        f"blob {it.digest} was not whole in the registry: {it.reason}" for it in manifest.missing
    ]
    faults += _file_faults(source, name, manifest)
    place = f"{SNAPSHOTS}/{name}/{DATABASE}"
    fault = _fault_of(source, place, manifest.database_size, manifest.database_sha256)
    if fault:
        # Which blobs there should be is not known then.
        faults.append(fault)
    else:
        with copied_database(source, name) as database:
            faults += [f"{place}: {line}" for line in check(database)]
            progress.begin("blobs", manifest.database.blob_bytes)
            known = {it.digest for it in manifest.missing}
            faults += _blob_faults(source, list_blobs(database), known, progress)
    return Verdict(
        snapshot=name,
        blobs=manifest.database.blobs,
        blob_bytes=manifest.database.blob_bytes,
        faults=tuple(faults),
    )


def _file_faults(source: Source, name: str, manifest: Manifest) -> list[str]:
    found = []
    for place in manifest.places:
        for entry in place.entries:
            if entry.type == "file":
                path = "/".join(filter(None, (SNAPSHOTS, name, FILES, place.path, entry.path)))
                found.append(_fault_of(source, path, entry.size, entry.sha256))
    return [fault for fault in found if fault]


def _fault_of(source: Source, name: str, size: int, expected: str) -> str:
    hasher = sha256()
    count = 0
    try:
        with source.open(name) as file:
            while piece := file.read(1024 * 1024):
                hasher.update(piece)
                count += len(piece)
    except OSError as error:
        return f"{name}: {error.strerror or error}"
    if count != size:
        return f"{name}: it has {count} bytes instead of {size}"
    return (
        "" if hasher.hexdigest() == expected else f"{name}: its bytes are not those of the backup"
    )


def _blob_faults(
    source: Source, blobs: Iterator[StoredBlob], known: set[str], progress: Progress
) -> list[str]:
    def fault_of(blob: StoredBlob) -> str:
        if str(blob.digest) in known:
            return ""
        name = blob_name(blob.digest)
        try:
            with source.open(name) as file:
                fault = pass_bytes(file, ignore, progress, digest=blob.digest, size=blob.size)
        except OSError as error:
            fault = error.strerror or str(error)
        return f"{name}: {fault}" if fault else ""

    # A tar file has one position to read from.
    is_parallel = isinstance(source, DirectorySource)
    faults: list[str] = []
    with ThreadPoolExecutor(_THREADS if is_parallel else 1) as threads:
        while batch := list(islice(blobs, _BATCH)):
            faults += [fault for fault in threads.map(fault_of, batch) if fault]
    return faults
