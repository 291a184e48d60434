"""What the face is told once, when it is built."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from atomic_registry.identity.grants import MAX_SESSION
from atomic_registry.web.forwarded import origin
from atomic_registry.web.messages import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthOptions:
    """Where the face is reached, and how its pages and sessions behave.

    `issuer` is the URL that clients use, without a path, `aliases` are others that lead here.
    `templates` replaces pages by files: the
    keys are `login`, `providerSelection` and `error`. `session_keys` are 32 bytes each: the first
    one writes cookies, all of them read.
    """

    issuer: str
    session_keys: tuple[bytes, ...]
    aliases: tuple[str, ...] = ()
    session_name: str = "ssn"
    session_max_age_seconds: int = 300
    always_shows_selection: bool = False
    templates: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = urlsplit(self.issuer)
        if parts.scheme != "https" or not parts.netloc or parts.path or parts.query:
            raise ValueError(f"the issuer is https://host:port without a path, not {self.issuer!r}")
        if not self.session_keys or any(len(key) != 32 for key in self.session_keys):
            raise ValueError("sessions need at least one key, each of 32 bytes")
        if not 0 < self.session_max_age_seconds <= MAX_SESSION.total_seconds():
            raise ValueError("a login session lasts between one second and one day")

    def url_for(self, request: Request) -> str:
        """Return the URL by which the browser came: its cookies are for that host only."""
        found = origin(request, default=self.issuer)
        return found if found in self.aliases else self.issuer

    @property
    def cookie_name(self) -> str:
        """The prefix lets browsers refuse cookies of other hosts, ports and plain HTTP under it."""
        return f"__Host-{self.session_name}"
