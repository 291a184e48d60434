"""Keeps the change log from growing without end; who is further behind than it reaches starts anew."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import structlog

from atomic_registry.clock import Clock
from atomic_registry.errors import Unavailable
from atomic_registry.events.ports import ChangeLog

_logger = structlog.get_logger(__name__)
_INTERVAL_SECONDS = 300.0
# Writers wait for each batch.
_BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptChanges:
    """A change is dropped when it is older than this and this many came after it."""

    age: timedelta
    count: int


class Compaction:
    """Drops old changes; several processes may do it at once."""

    def __init__(self, log: ChangeLog, clock: Clock, kept: KeptChanges) -> None:
        self._log = log
        self._clock = clock
        self._kept = kept

    async def run(self) -> None:
        """Compact again and again until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL_SECONDS)
            try:
                await self.compact()
            except Unavailable as error:
                _logger.warning("change log not compacted", reason=error.message)

    async def compact(self) -> int:
        """Drop what need not be kept and return how much that was.

        Raises:
            Unavailable: the database cannot be written.
        """
        before = self._clock.now() - self._kept.age
        total, dropped = 0, _BATCH
        while dropped == _BATCH:
            dropped = await self._log.drop_changes(
                before=before, keep=self._kept.count, limit=_BATCH
            )
            total += dropped
        if total:
            _logger.info("old changes dropped", count=total)
        return total
