"""What the face is told once, when it is built."""

import re
from dataclasses import dataclass
from pathlib import Path

# Both end up in a script that people run as root.
_HOST = r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_ORIGIN = re.compile(rf"https://{_HOST}\Z")
_ADDRESS = re.compile(rf"{_HOST}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """A static directory; with `html5` unknown paths show its `index.html`."""

    name: str
    directory: Path
    html5: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOptions:
    """Where clients reach the services, what they are to trust, and the static directories."""

    master_url: str
    registry_host: str
    authority: Path
    extensions: tuple[Extension, ...] = ()

    def __post_init__(self) -> None:
        if not _ORIGIN.match(self.master_url):
            raise ValueError(f"the master is https://host:port, not {self.master_url!r}")
        if not _ADDRESS.match(self.registry_host):
            raise ValueError(f"the registry is host:port, not {self.registry_host!r}")
