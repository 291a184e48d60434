"""The services: whether they answer, and what systemd says of them."""

import shutil
import subprocess
from dataclasses import dataclass

from atomic_registry.cli.client import Answer
from atomic_registry.cli.documents import Document, text_at
from atomic_registry.cli.output import printable
from atomic_registry.cli.trust import Trust, make_context
from atomic_registry.cli.wire import Endpoint, ExchangeFailed, Line

_SECONDS = 2.0
_SYSTEMCTL_SECONDS = 2.0
_PROPERTIES = "ActiveState,SubState,ActiveEnterTimestamp,Result"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """`fault` is empty where it is ready; `identity` is the master's word on who is let in."""

    name: str
    address: str
    fault: str
    is_up: bool
    identity: str = ""

    def document(self) -> Document:
        """Return it for programs."""
        state = "ready" if not self.fault else "not ready" if self.is_up else "down"
        return {
            "name": self.name,
            "address": self.address,
            "state": state,
            "reason": self.fault,
        }


def ask_service(name: str, endpoint: Endpoint, trust: Trust) -> ServiceState:
    """Return how the service is; in clear where TLS is not spoken, as nothing secret is sent."""
    scheme = "" if name == "registry" else "https://"
    address = f"{scheme}{endpoint}"
    line = Line(endpoint=endpoint, context=make_context(trust))
    try:
        try:
            answer = line.send("GET", "/readyz", seconds=_SECONDS)
        except ExchangeFailed as error:
            if name != "registry" or not error.is_clear:
                raise
            line = Line(endpoint=endpoint, context=None)
            answer = line.send("GET", "/readyz", seconds=_SECONDS)
    except ExchangeFailed as error:
        is_trust = "certificate" in str(error)
        fault = str(error) if is_trust else f"cannot be reached: {error}"
        return ServiceState(name=name, address=address, fault=fault, is_up=is_trust)
    fault = "" if answer.status == 200 else describe_unready(answer)
    return ServiceState(
        name=name,
        address=address,
        fault=fault,
        is_up=True,
        identity=printable(text_at(answer.document(), "identity")),
    )


def describe_unready(answer: Answer) -> str:
    """Return what fails, as the service itself says."""
    probes = {key: text for key, text in answer.document().items() if key != "identity"}
    failing = [f"{key}: {text}" for key, text in probes.items() if text != "ok"]
    return printable(f"not ready: {'; '.join(failing) or f'it answered {answer.status}'}")


def unit_state(unit: str) -> str:
    """Return what systemd says: active since when, or why not; empty where there is none."""
    program = shutil.which("systemctl")
    if program is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - a list of words, no shell
            [program, "show", f"--property={_PROPERTIES}", f"{unit}.service"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SYSTEMCTL_SECONDS,
            check=False,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    state, result = found.get("ActiveState", ""), found.get("Result", "")
    if state == "active":
        return f"active since {found.get('ActiveEnterTimestamp', '')}"
    return f"{state} ({result})" if result not in {"", "success"} else state
