"""The audit file: a line for each request that changes something or is refused.

Several worker processes write to it; the lock beside it is held only while it is turned over.
"""

import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
import structlog

from atomic_registry.clock import Clock

_logger = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode
_MODE = 0o640
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_REFUSED = frozenset({401, 403})


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLimits:
    """When the file is turned over, and how long former ones are kept; 0 stands for no limit."""

    max_bytes: int
    kept_files: int
    kept_days: int


class AuditFile:
    """Appends lines, each with one write, so that those of several processes do not mix."""

    def __init__(self, path: Path, limits: AuditLimits, clock: Clock) -> None:
        """Open the file.

        Raises:
            OSError: it cannot be written.
        """
        self._path, self._limits, self._clock = path, limits, clock
        self._file = os.open(path, _FLAGS, _MODE)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    @staticmethod
    def wants(method: str, status: int) -> bool:
        """Tell whether a request belongs into it."""
        return method not in _READS or status in _REFUSED

    def write(self, facts: Mapping[str, object]) -> None:
        """Append a line; a failure is logged, and the request goes on."""
        line = _encode({"timestamp": self._clock.now(), **facts}) + b"\n"
        try:
            self._follow()
            os.write(self._file, line)
            if 0 < self._limits.max_bytes <= os.fstat(self._file).st_size:
                self._turn_over()
        except OSError as error:
            _logger.error(  # noqa: TRY400, the traceback says nothing more
                "audit line not written; see to space and rights",
                file=str(self._path),
                reason=error.strerror,
            )

    def _follow(self) -> None:
        """Go to the present file if another process, or logrotate, has moved ours away."""
        try:
            is_ours = os.path.samestat(os.fstat(self._file), self._path.stat())
        except FileNotFoundError:
            is_ours = False
        if not is_ours:
            opened = os.open(self._path, _FLAGS, _MODE)
            os.close(self._file)
            self._file = opened

    def _turn_over(self) -> None:
        lock = os.open(f"{self._path}.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _MODE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._follow()
            if os.fstat(self._file).st_size < self._limits.max_bytes:
                return
            stamp = f"{self._clock.now():%Y%m%dT%H%M%S.%f}"
            self._path.rename(self._path.with_name(f"{self._path.name}-{stamp}"))
            self._follow()
            self._prune()
        finally:
            os.close(lock)

    def _prune(self) -> None:
        limits = self._limits
        # Names sort as their times do.
        former = sorted(self._path.parent.glob(f"{self._path.name}-[0-9]*T*"))
        extra = former[: -limits.kept_files] if limits.kept_files else []
        oldest = (self._clock.now() - timedelta(days=limits.kept_days)).timestamp()
        for path in former:
            is_old = limits.kept_days > 0 and path.stat().st_mtime < oldest
            if path in extra or is_old:
                path.unlink()
