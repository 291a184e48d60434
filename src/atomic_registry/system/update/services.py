"""Restarts the services in order, and tells whether they do well."""

import http.client
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass

from atomic_registry.clock import Clock
from atomic_registry.system.install import layout
from atomic_registry.system.install.target import InstallFailed, Target

_UP = ("active", "activating", "reloading", "failed")
_PAUSE_SECONDS = 0.2
# A service that fails soon after it said to be ready is found out.
_SETTLE_SECONDS = 2.0
_ASK_SECONDS = 5.0
_MAX_RESTARTS = 2
_LINES = 15
_OK = 200
_MAX_ANSWER = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services that run on the machine, with the ports where they can be asked."""

    target: Target
    clock: Clock
    ports: Mapping[str, int]

    def running(self) -> tuple[str, ...]:
        """Return those that are to run, in the order in which they are restarted."""
        return tuple(name for name in layout.SERVICES if self._property(name, "ActiveState") in _UP)

    def restart(self, names: tuple[str, ...], *, seconds: float) -> None:
        """Restart them one by one, and wait until each does well.

        Clients wait meanwhile: systemd holds the sockets.

        Raises:
            InstallFailed: one does not do well in time; the message has what it said.
        """
        for name in names:
            self.target.systemctl("reset-failed", f"{name}.service", check=False)
            self.target.systemctl("restart", "--no-block", f"{name}.service")
            self._wait(name, seconds)
        time.sleep(_SETTLE_SECONDS)
        for name in names:
            fault = self._fault(name)
            if fault:
                raise self._failure(name, fault)

    def _wait(self, name: str, seconds: float) -> None:
        deadline = self.clock.monotonic() + seconds
        # A moment passes before a restart that was asked for begins.
        time.sleep(_PAUSE_SECONDS)
        fault = self._fault(name)
        while fault:
            has_failed = self._property(name, "ActiveState") == "failed"
            is_looping = int(self._property(name, "NRestarts") or 0) > _MAX_RESTARTS
            if has_failed or is_looping or self.clock.monotonic() > deadline:
                raise self._failure(name, fault)
            time.sleep(_PAUSE_SECONDS)
            fault = self._fault(name)

    def _fault(self, name: str) -> str:
        state = self._property(name, "ActiveState")
        if state != "active":
            return f"systemd says {state}"
        if self._property(name, "Job"):
            return "it is being restarted"
        return _ask(self.ports[name])

    def _failure(self, name: str, fault: str) -> InstallFailed:
        journal = ["journalctl", "--no-pager", "--output=cat", f"--lines={_LINES}"]
        said = self.target.run([*journal, "--unit", f"{name}.service"], check=False)
        lines = "\n".join(f"  {line}" for line in said.strip().splitlines())
        return InstallFailed(f"{name} does not do well: {fault}; it said last:\n{lines}")

    def _property(self, name: str, key: str) -> str:
        words = ["show", f"--property={key}", "--value", f"{name}.service"]
        return self.target.systemctl(*words, check=False).strip()


def _ask(port: int) -> str:
    """Return why the service is not ready, or an empty text.

    Nothing is sent but the question, so it does not matter whose certificate it is, nor whether
    the service was set to clear HTTP.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    clear = http.client.HTTPConnection("127.0.0.1", port, timeout=_ASK_SECONDS)
    secure = http.client.HTTPSConnection("127.0.0.1", port, timeout=_ASK_SECONDS, context=context)
    faults = []
    for connection in (secure, clear):
        try:
            connection.request("GET", "/readyz", headers={"User-Agent": "atomic-registry-update"})
            answer = connection.getresponse()
            body = answer.read(_MAX_ANSWER).decode(errors="replace").strip()
            if answer.status == _OK:
                return ""
            faults.append(f"/readyz on port {port} answers {answer.status}: {body}")
        except (OSError, http.client.HTTPException) as error:
            faults.append(f"port {port} does not answer: {error}")
        finally:
            connection.close()
    return faults[0]
