"""Every endpoint of the face. Anybody may call them: trust comes before a login."""

from collections.abc import Callable

from atomic_registry.clock import Clock
from atomic_registry.faces.site.authority import AuthorityFile
from atomic_registry.faces.site.extensions import PREFIX, ExtensionHandlers
from atomic_registry.faces.site.options import SiteOptions
from atomic_registry.faces.site.trust import TrustHandlers
from atomic_registry.web.endpoint import Access, Converter, Endpoint, Handler

ANYBODY = Access(None)

CONVERTERS: dict[str, Converter] = {"extension": str, "file": str}


class SiteHandlers:
    """The handlers that the rows point at."""

    def __init__(self, options: SiteOptions, clock: Clock) -> None:
        authority = AuthorityFile(options.authority)
        self.extensions = ExtensionHandlers(options, authority, clock)
        self.trust = TrustHandlers(options, authority)


ROWS: tuple[tuple[str, str, Access, Callable[[SiteHandlers], Handler]], ...] = (
    ("GET", "/trust", ANYBODY, lambda to: to.trust.page),
    ("GET", "/trust/ca.crt", ANYBODY, lambda to: to.trust.certificate),
    ("GET", "/trust/setup.sh", ANYBODY, lambda to: to.trust.script),
    ("GET", "/trust/daemonset.yaml", ANYBODY, lambda to: to.trust.daemon_set),
    ("GET", PREFIX + "/{extension}", ANYBODY, lambda to: to.extensions.to_directory),
    ("GET", PREFIX + "/{extension}/", ANYBODY, lambda to: to.extensions.root),
    ("GET", PREFIX + "/{extension}/{file}", ANYBODY, lambda to: to.extensions.file),
)


def endpoints(handlers: SiteHandlers) -> list[Endpoint]:
    """Return the rows with their handlers."""
    return [Endpoint(method, path, access, pick(handlers)) for method, path, access, pick in ROWS]
