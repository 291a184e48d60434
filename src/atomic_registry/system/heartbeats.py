"""When each worker's event loop last turned, in memory that the supervisor shares with them."""

import mmap

from atomic_registry.clock import Clock


class Heartbeats:
    """Made before the workers are forked; a place has one writer, so no lock is needed."""

    def __init__(self, clock: Clock, workers: int) -> None:
        self._clock = clock
        self._times = memoryview(mmap.mmap(-1, workers * 8)).cast("d")

    def beat(self, place: int) -> None:
        """The worker in this place is alive now."""
        self._times[place] = self._clock.monotonic()

    def age(self, place: int) -> float:
        """Return the seconds since the worker in this place was alive."""
        return self._clock.monotonic() - self._times[place]
