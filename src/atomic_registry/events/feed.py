"""Follows the change log once for a whole process and hands every change to who listens.

A wake-up that is missed costs time, never a change: subscribers get what lies in the log, in the
order of revisions, without gap or duplicate. Nobody waits for a slow one: it is ended.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence

import structlog

from atomic_registry.errors import Expired, Unavailable
from atomic_registry.events.ports import ADDED, Change, ChangeLog

_logger = structlog.get_logger(__name__)
# Objects have up to 1.5 MiB, so a page is bounded by that times its length.
_PAGE = 100
_MAX_QUEUED = 1000
_MAX_QUEUED_BYTES = 4 * 1024 * 1024
# A row of ours without its texts.
_ROW_BYTES = 200
_PAUSE_SECONDS = 1.0

Wants = Callable[[Change], bool]


class Subscription:
    """Changes for one listener: first from the log, then as they are made.

    It ends when the listener is too slow, or when the log has been cut off before it; whoever
    wants to go on begins again with the present state.
    """

    def __init__(
        self, log: ChangeLog, *, since: int, live_from: int, kinds: Collection[str], wants: Wants
    ) -> None:
        self.kinds = frozenset(kinds)
        self.is_over = False
        self._log = log
        self._wants = wants
        self._handed = self._replayed = since
        self._live_from = live_from
        self.joined_at = live_from
        """Changes up to here are a replay."""
        self._queue: deque[Change] = deque()
        self._queued_bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._is_woken = False

    @property
    def revision(self) -> int:
        """Everything up to here has been handed out."""
        return self._handed if self._queue else max(self._handed, self._replayed)

    def __aiter__(self) -> AsyncIterator[Change]:
        return self

    async def __anext__(self) -> Change:
        while not self.is_over:
            change = await self.next()
            if change is not None:
                return change
        raise StopAsyncIteration

    async def next(self) -> Change | None:
        """Return the next change; None if there was none until `wake`, or it is over.

        Raises:
            Expired: the log was cut off before it could be replayed.
            Unavailable: the database cannot be read.
        """
        if not self._queue and self._replayed < self._live_from:
            await self._replay()
        if not (self._queue or self.is_over or self._is_woken):
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._is_woken = False
        if self.is_over or not self._queue:
            return None
        change = self._queue.popleft()
        self._queued_bytes -= _cost(change)
        self._handed = change.revision
        return change

    def offer(self, changes: Sequence[Change], revision: int) -> None:
        """Take the newest changes; `revision` is the last one of all, whoever wants it."""
        if self._replayed == self._live_from:
            for change in changes:
                if change.revision > self._live_from and self._wanted(change):
                    self._push(change)
            if len(self._queue) > _MAX_QUEUED or self._queued_bytes > _MAX_QUEUED_BYTES:
                self.end()
            self._replayed = max(revision, self._live_from)
        # Whoever still replays finds them in the log: queued now they would come too early.
        self._live_from = max(revision, self._live_from)

    def wake(self) -> None:
        """Let `next` return, with or without a change, now or when it is called."""
        self._is_woken = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def end(self) -> None:
        """Hand out nothing more."""
        self.is_over = True
        self._queue.clear()
        self.wake()

    async def _replay(self) -> None:
        """Queue the next changes that were made before this subscription."""
        while not self._queue and self._replayed < self._live_from and not self.is_over:
            page = await self._log.list_changes(self._replayed, kinds=self.kinds, limit=_PAGE)
            if self._replayed < page.floor:
                raise Expired(revision=self._replayed)
            for change in page.changes:
                if change.revision <= self._live_from and self._wanted(change):
                    self._push(change)
            is_last = len(page.changes) < _PAGE
            self._replayed = page.newest if is_last else page.changes[-1].revision
            self._replayed = min(self._replayed, self._live_from)

    def _wanted(self, change: Change) -> bool:
        return change.kind in self.kinds and self._wants(change)

    def _push(self, change: Change) -> None:
        self._queue.append(change)
        self._queued_bytes += _cost(change)
        self.wake()


class Feed:
    """One follower; `run` it as long as anybody may subscribe."""

    def __init__(self, log: ChangeLog, *, poll_seconds: float = 0.05) -> None:
        self._log = log
        self._poll_seconds = poll_seconds
        self._position = 0
        self._subscriptions: set[Subscription] = set()
        self._is_wanted = asyncio.Event()
        # What joins while changes are read would miss those of its kinds.
        self._reading = asyncio.Lock()

    async def subscribe(
        self, since: int | None, *, kinds: Collection[str], wants: Wants = lambda _: True
    ) -> Subscription:
        """Return every change above a revision, or from now on, of these kinds and as wanted.

        Whoever subscribes must `leave`.

        Raises:
            Expired: the log does not reach back to the revision, or has not reached it yet.
            Unavailable: the database cannot be read.
        """
        page = await self._log.list_changes(0, kinds=(), limit=1)
        since = page.newest if since is None else since
        # A revision that never was: the database has been restored from a copy.
        if not page.floor <= since <= page.newest:
            raise Expired(revision=since)
        async with self._reading:
            if not self._subscriptions:
                self._position = page.newest
            live_from = max(since, self._position)
            subscription = Subscription(
                self._log, since=since, live_from=live_from, kinds=kinds, wants=wants
            )
            self._subscriptions.add(subscription)
            self._is_wanted.set()
        return subscription

    async def was_added(self, kind: str, name: str, *, since: int) -> bool:
        """Tell whether an object of no namespace was made after a revision.

        Raises:
            Unavailable: the database cannot be read.
        """
        while True:
            page = await self._log.list_changes(since, kinds={kind}, limit=_PAGE)
            if any(change.name == name and change.verb == ADDED for change in page.changes):
                return True
            if len(page.changes) < _PAGE:
                return False
            since = page.changes[-1].revision

    def leave(self, subscription: Subscription) -> None:
        """End a subscription; no-op if it has left."""
        subscription.end()
        self._subscriptions.discard(subscription)
        if not self._subscriptions:
            self._is_wanted.clear()

    async def run(self) -> None:
        """Follow the log until cancelled; a database that is away is waited for."""
        while True:
            # Nobody listens most of the time.
            await self._is_wanted.wait()
            try:
                await self.catch_up()
            except Unavailable as error:
                _logger.warning("changes not read", reason=error.message)
                await asyncio.sleep(_PAUSE_SECONDS)
            await asyncio.sleep(self._poll_seconds)

    async def catch_up(self) -> None:
        """Hand on what was committed before this call.

        Raises:
            Unavailable: the database cannot be read.
        """
        if await self._log.last_revision() == self._position:
            return
        async with self._reading:
            is_behind = bool(self._subscriptions)
            while is_behind:
                kinds = frozenset[str]().union(*(each.kinds for each in self._subscriptions))
                page = await self._log.list_changes(self._position, kinds=kinds, limit=_PAGE)
                if not page.floor <= self._position <= page.newest:
                    self._end_all()
                    return
                is_behind = len(page.changes) == _PAGE
                self._position = page.changes[-1].revision if is_behind else page.newest
                for subscription in tuple(self._subscriptions):
                    subscription.offer(page.changes, self._position)

    def _end_all(self) -> None:
        _logger.warning("the change log has been cut off before its follower")
        for subscription in tuple(self._subscriptions):
            self.leave(subscription)


def _cost(change: Change) -> int:
    return _ROW_BYTES + len(change.body)
