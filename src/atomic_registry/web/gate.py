"""How many requests run at once: further ones wait for a while, and above that are refused."""

import asyncio
from collections import deque
from dataclasses import dataclass

from atomic_registry.errors import TooMany
from atomic_registry.web.endpoint import Access
from atomic_registry.web.messages import Request

_RETRY_SECONDS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLimits:
    """How many run, how many wait, and for how long."""

    running: int
    waiting: int = 0
    wait_seconds: float = 0


class Gate:
    """Counts the requests of one kind in one process; those who wait come in in their order."""

    def __init__(self, what: str, limits: GateLimits) -> None:
        self._what = what
        self._limits = limits
        self._running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Return when the request may run; `leave` has to follow.

        Raises:
            TooMany: too many wait already, or it has waited too long.
        """
        if self._running < self._limits.running:
            self._running += 1
            return
        if len(self._waiting) >= self._limits.waiting:
            raise self._refusal()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._limits.wait_seconds):
                await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            # The place may have been handed over in the same moment.
            if turn.done() and not turn.cancelled():
                self.leave()
            if isinstance(error, TimeoutError):
                raise self._refusal() from error
            raise
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)

    def leave(self) -> None:
        """Hand the place on to who has waited longest, or give it up."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._running -= 1

    def _refusal(self) -> TooMany:
        limit = self._limits.running
        return TooMany(what=self._what, limit=limit, retry_after_seconds=_RETRY_SECONDS)


def no_gate(_access: Access, _request: Request) -> Gate | None:
    """Let every request in."""
    return None
