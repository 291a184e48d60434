"""Why a backup or a restore ends."""

import errno
from pathlib import Path


class BackupFailed(Exception):
    """It cannot go on; the message says why, what is left as it was, and what to do."""


def explain(error: OSError, what: str, place: Path) -> BackupFailed:
    """Return the failure for an error of the system; what was there before is untouched."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BackupFailed(
            f"{what}: the disk of {place} is full; what was there before is as it was: make room, "
            "or name another place, and try again"
        )
    where = f"{error.filename}: " if error.filename else ""
    return BackupFailed(
        f"{what}: {where}{error.strerror or error}; what was there before is as it was"
    )
