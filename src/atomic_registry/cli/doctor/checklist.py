"""What was looked at, how it is, and what to do next."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from atomic_registry.cli.documents import Document
from atomic_registry.cli.output import printable

State = Literal["ok", "warning", "failed", "skipped"]

_MARKS: dict[State, str] = {"ok": "✓", "warning": "!", "failed": "✗", "skipped": "-"}
_HOP_WIDTH = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the list; `advice` is empty where nothing is to be done."""

    hop: str
    state: State
    text: str
    advice: str = ""

    def lines(self) -> list[str]:
        """Return it for people."""
        shown = [f"{_MARKS[self.state]} {self.hop.ljust(_HOP_WIDTH)} {printable(self.text)}"]
        indent = " " * (_HOP_WIDTH + 3)
        return [*shown, *(f"{indent}→ {printable(it)}" for it in self.advice.splitlines())]

    def document(self) -> Document:
        """Return it for programs."""
        return {"hop": self.hop, "state": self.state, "text": self.text, "advice": self.advice}


class Checklist:
    """Findings in the order of the way; each is told as it is made."""

    def __init__(self, tell: Callable[[Finding], None]) -> None:
        self._tell = tell
        self.findings: list[Finding] = []

    def ok(self, hop: str, text: str) -> None:
        """Enter what is well."""
        self._enter(Finding(hop=hop, state="ok", text=text))

    def warn(self, hop: str, text: str, advice: str) -> None:
        """Enter what works and should not stay so."""
        self._enter(Finding(hop=hop, state="warning", text=text, advice=advice))

    def fail(self, hop: str, text: str, advice: str) -> None:
        """Enter what keeps clients out."""
        self._enter(Finding(hop=hop, state="failed", text=text, advice=advice))

    def skip(self, hop: str, text: str, advice: str = "") -> None:
        """Enter what could not be looked at, and why."""
        self._enter(Finding(hop=hop, state="skipped", text=text, advice=advice))

    @property
    def failed_hop(self) -> str:
        """The first hop that fails, empty if none does."""
        return next((it.hop for it in self.findings if it.state == "failed"), "")

    def document(self) -> Document:
        """Return the whole list for programs."""
        return {
            "kind": "Checkup",
            "isWell": not self.failed_hop,
            "failedHop": self.failed_hop,
            "checks": [finding.document() for finding in self.findings],
        }

    def _enter(self, finding: Finding) -> None:
        self.findings.append(finding)
        self._tell(finding)
