"""How long a request may take: what it asks for itself, up to what the server allows.

Source: the query parameter `timeout` of Kubernetes, written as durations are in Go.
"""

import re
from dataclasses import dataclass

from atomic_registry.errors import ParameterInvalid
from atomic_registry.web.messages import Request

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = r"(\d{1,9}(?:\.\d{1,9})?)(h|ms|m|s|us|µs|ns)"
_PARTS = re.compile(_PART)
_DURATION = re.compile(f"(?:{_PART}){{1,7}}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimit:
    """The limit of requests below some paths; a watch has been answered when it begins.

    Below zero there is none but what a request asks for.
    """

    seconds: float
    prefixes: tuple[str, ...]

    def of(self, request: Request) -> float | None:
        """Return the seconds that a request may take, None for those that are not limited.

        Raises:
            ParameterInvalid: it asks for a limit that cannot be read.
        """
        if not request.path.startswith(self.prefixes):
            return None
        asked = _asked(request.query.get("timeout") or "0")
        if self.seconds < 0:
            return asked or None
        return min(asked or self.seconds, self.seconds)


def _asked(text: str) -> float:
    if text == "0":
        return 0.0
    if _DURATION.fullmatch(text) is None:
        reason = "write a duration, for example 30s or 1m30s"
        raise ParameterInvalid(parameter="timeout", value=text, reason=reason)
    return sum(float(number) * _UNITS[unit] for number, unit in _PARTS.findall(text))
