"""How long work is shown: one line that changes on a terminal, plain lines elsewhere."""

import sys
import threading

import click

from atomic_registry.clock import Clock

_TERMINAL_SECONDS = 0.2
_PLAIN_SECONDS = 30.0
_MINUTE = 60
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024


class ShownProgress:
    """Implements `system.backup.progress.Progress` on standard error."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._is_terminal = sys.stderr.isatty()
        self._what = ""
        self._total = self._done = 0
        self._start = self._shown = clock.monotonic()

    def begin(self, what: str, total: int) -> None:
        with self._lock:
            self._what, self._total, self._done = what, total, 0
            self._start = self._shown = self._clock.monotonic()

    def add(self, count: int) -> None:
        with self._lock:
            self._done += count
            now = self._clock.monotonic()
            if now - self._shown >= (_TERMINAL_SECONDS if self._is_terminal else _PLAIN_SECONDS):
                self._shown = now
                self._show(self._text(now - self._start), ends=not self._is_terminal)

    def note(self, text: str) -> None:
        with self._lock:
            self._show(text, ends=True)

    def end(self) -> None:
        """Leave the terminal as it was."""
        if self._is_terminal:
            click.echo("\r\x1b[K", err=True, nl=False)

    def _show(self, text: str, *, ends: bool) -> None:
        before = "\r\x1b[K" if self._is_terminal else ""
        click.echo(before + text, err=True, nl=ends)

    def _text(self, seconds: float) -> str:
        share = min(100, 100 * self._done // max(1, self._total))
        speed = self._done / max(seconds, 0.001)
        left = max(0, self._total - self._done) / max(speed, 1)
        return (
            f"{self._what}: {bytes_text(self._done)} of {bytes_text(self._total)} ({share} %), "
            f"{bytes_text(int(speed))}/s, {_duration(left)} left"
        )


def bytes_text(count: int) -> str:
    """Return a number of bytes as people read it."""
    value = float(count)
    for unit in _UNITS:
        if value < _STEP or unit == _UNITS[-1]:
            return f"{int(value)} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= _STEP
    raise AssertionError("the last unit takes every number")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), _MINUTE)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
