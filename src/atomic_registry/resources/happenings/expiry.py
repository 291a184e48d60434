"""Removes events that were counted, once they are old or too many."""

import asyncio
from collections import defaultdict
from datetime import datetime

import structlog

from atomic_registry.clock import Clock
from atomic_registry.content.ports import Transaction
from atomic_registry.errors import Unavailable
from atomic_registry.kube.objects import timestamp
from atomic_registry.resources.event_records import COMPONENT, Event
from atomic_registry.resources.happenings.service import KeptEvents
from atomic_registry.resources.images.surroundings import Transactions

_logger = structlog.get_logger(__name__)
_INTERVAL_SECONDS = 300.0
_PAGE = 500


class EventExpiry:
    """One process of an installation does it, more do no harm."""

    def __init__(self, metadata: Transactions, clock: Clock, kept: KeptEvents) -> None:
        self._metadata = metadata
        self._clock = clock
        self._kept = kept

    async def run(self) -> None:
        """Remove again and again until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL_SECONDS)
            try:
                await self.expire()
            except Unavailable as error:
                _logger.warning("old events not removed", reason=error.message)

    async def expire(self) -> int:
        """Remove what need not be kept and return how much that was.

        Raises:
            Unavailable: the database cannot be read or written.
        """
        before = timestamp(self._clock.now() - self._kept.age)
        dead: list[Event] = []
        alive: dict[tuple[str, str], list[Event]] = defaultdict(list)
        after = ("", "")
        while page := await self._page(after):
            after = (page[-1].metadata.namespace, page[-1].metadata.name)
            for event in page:
                if (event.last_timestamp or "") < before:
                    dead.append(event)
                else:
                    alive[event.metadata.namespace, event.reason].append(event)
        for events in alive.values():
            events.sort(key=lambda it: it.last_timestamp or "", reverse=True)
            dead += events[self._kept.count :]
        for start in range(0, len(dead), _PAGE):
            await self._remove(dead[start : start + _PAGE], self._clock.now())
        return len(dead)

    async def _page(self, after: tuple[str, str]) -> list[Event]:
        return await self._metadata.read(
            lambda tx: tx.objects.list(Event, after=after, limit=_PAGE)
        )

    async def _remove(self, events: list[Event], now: datetime) -> None:
        def change(tx: Transaction) -> None:
            for event in events:
                tx.objects.remove(event, actor=COMPONENT, now=now)

        await self._metadata.write(change)
