"""The last hop, on the registry's own machine: the disk takes bytes, quickly, and has room."""

import os
from pathlib import Path

from atomic_registry.cli.doctor.checklist import Checklist
from atomic_registry.clock import Clock

_HOP = "storage"
_PROBE_BYTES = 64 << 10
_SLOW_SECONDS = 0.1
_LOW_SHARE = 0.05
_LOW_BYTES = 1 << 30


def check_storage(directories: list[Path], checklist: Checklist, clock: Clock) -> None:
    """Write, sync and remove a file in each directory."""
    for directory in directories:
        try:
            seconds = _write(directory, clock)
            space = os.statvfs(directory)
        except OSError as error:
            checklist.fail(
                _HOP,
                f"{directory} cannot be written: {error.strerror}",
                "see that it is mounted, writable and has room: "
                f"findmnt -T {directory}; df -h {directory}; df -i {directory}",
            )
            continue
        _judge_space(directory, space, checklist)
        text = f"{directory}: a file is safe after {seconds * 1000:.0f} ms"
        if seconds > _SLOW_SECONDS:
            checklist.warn(_HOP, text, "each push waits for that: use a faster or less busy disk")
        else:
            checklist.ok(_HOP, text)


def _write(directory: Path, clock: Clock) -> float:
    path = directory / f".doctor-{clock.new_id()}"
    start = clock.monotonic()
    try:
        with path.open("xb") as stream:
            stream.write(os.urandom(_PROBE_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
    finally:
        path.unlink(missing_ok=True)
    return clock.monotonic() - start


def _judge_space(directory: Path, space: os.statvfs_result, checklist: Checklist) -> None:
    free, size = space.f_bavail * space.f_frsize, space.f_blocks * space.f_frsize
    text = f"{directory}: {free / (1 << 30):.1f} of {size / (1 << 30):.1f} GiB free"
    # Some file systems make inodes as they need them, and count none.
    is_out = 0 < space.f_files and space.f_favail < space.f_files * _LOW_SHARE
    if is_out:
        checklist.warn(_HOP, f"{directory}: {space.f_favail} inodes free", "make room for files")
    if free < min(_LOW_BYTES, size * _LOW_SHARE):
        checklist.warn(_HOP, text, "make room, or move the images to a larger disk")
    else:
        checklist.ok(_HOP, text)
