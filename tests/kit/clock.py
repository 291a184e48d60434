"""A clock that tests set."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """Stands still until it is moved; its identifiers count up."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        self._ids = 0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    def new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:032x}"

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self._now += by
