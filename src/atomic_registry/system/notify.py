"""Tells systemd how a service is: ready, what it does, alive, stopping. Says nothing elsewhere."""

import contextlib
import socket
from collections.abc import Mapping

_MICROSECONDS = 1_000_000
# sd_notify(3): half the time is what systemd asks for, so that one late message harms nothing.
_PINGS_PER_PERIOD = 3


class Notifier:
    """Sends to the socket that systemd names in the environment of a unit of `Type=notify`."""

    def __init__(self, environment: Mapping[str, str], pid: int) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        period = environment.get("WATCHDOG_USEC", "")
        is_meant = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        usable = bool(self._address) and is_meant and period.isdigit()
        self.watchdog_seconds = int(period) / _MICROSECONDS if usable else 0.0

    @property
    def ping_seconds(self) -> float:
        """How often `alive` is to be called; 0 means that nobody waits for it."""
        return self.watchdog_seconds / _PINGS_PER_PERIOD

    def ready(self, status: str) -> None:
        """The service answers from now on."""
        self._send(f"READY=1\nSTATUS={status}")

    def stopping(self, status: str) -> None:
        """The service has begun to stop."""
        self._send(f"STOPPING=1\nSTATUS={status}")

    def failed(self, status: str) -> None:
        """The service ends; `systemctl status` shows why."""
        self._send(f"STATUS={status}")

    def alive(self) -> None:
        """Every worker has lately shown that it turns."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # A name that begins with @ is an abstract one, which starts with a zero byte.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        # A service serves also where nobody listens to how it is.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
        ):
            sender.sendto(message.encode(), address)
