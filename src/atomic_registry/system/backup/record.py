"""When the last backup was made, where others find it: `last-backup.json` in the root."""

from datetime import datetime
from pathlib import Path

import msgspec

from atomic_registry.system.durable_files import write_file

RECORD = "last-backup.json"


class LastBackup(msgspec.Struct, frozen=True, kw_only=True):
    """`missing` counts the blobs that the registry itself no longer had whole."""

    taken_at: datetime
    place: str
    blobs: int
    blob_bytes: int
    missing: int


def write_record(root: Path, record: LastBackup) -> None:
    """Remember the backup.

    Raises:
        OSError: the root cannot be written.
    """
    write_file(root / RECORD, msgspec.json.format(msgspec.json.encode(record)) + b"\n", 0o644)


def read_record(root: Path) -> LastBackup | None:
    """Return what is known of the last backup; None where there is nothing to read."""
    try:
        return msgspec.json.decode((root / RECORD).read_bytes(), type=LastBackup)
    except (OSError, msgspec.MsgspecError):
        return None
