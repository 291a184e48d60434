"""Takes old snapshots out of a backup, and the blobs that only they named."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from atomic_registry.content.ports import StoredBlob
from atomic_registry.system.backup.destination import DRAFTS, hold_directory
from atomic_registry.system.backup.manifest import SNAPSHOTS, blob_name
from atomic_registry.system.backup.source import DirectorySource, copied_database


def prune(directory: Path, *, keep: int, list_blobs: Callable[[Path], Iterator[StoredBlob]]) -> int:
    """Keep the newest snapshots; return how many others went.

    Killed at any point, it leaves whole snapshots whole.

    Raises:
        BackupFailed: another backup is writing there.
        MetadataFailed: which blobs a snapshot needs cannot be read; then no blob went.
    """
    with hold_directory(directory):
        source = DirectorySource(directory)
        names = source.snapshots()
        old = names[:-keep]
        if not old:
            return 0
        drafts = directory / DRAFTS
        shutil.rmtree(drafts, ignore_errors=True)
        drafts.mkdir(mode=0o700)
        for name in old:
            # It is no snapshot from this moment on, also if its blobs go only later.
            (directory / SNAPSHOTS / name).rename(drafts / name)
        needed = set()
        for name in names[-keep:]:
            with copied_database(source, name, drafts) as database:
                needed |= {blob_name(blob.digest) for blob in list_blobs(database)}
        for path, _, files in os.walk(directory / "blobs"):
            for file in files:
                place = Path(path) / file
                if str(place.relative_to(directory)) not in needed:
                    place.unlink()
        shutil.rmtree(drafts)
        return len(old)
