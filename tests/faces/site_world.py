"""The face of the site in process: raw targets in, answers out."""

from dataclasses import dataclass
from pathlib import Path

from atomic_registry.errors import DomainError
from atomic_registry.faces.api.errors import render_error, render_internal
from atomic_registry.faces.site.options import Extension, SiteOptions
from atomic_registry.faces.site.routes import CONVERTERS, ROWS, SiteHandlers, endpoints
from atomic_registry.identity.policy import OpenPolicy
from atomic_registry.web.endpoint import Router
from atomic_registry.web.guard import Face, Guard, NobodyKnown
from atomic_registry.web.messages import Request, Response, SourceBody
from atomic_registry.web.metrics import HttpMetrics
from atomic_registry.web.target import read_target
from tests.kit.bodies import BytesBody
from tests.kit.clock import ManualClock

MASTER = "https://registry.example.test:8443"
REGISTRY = "registry.example.test:5000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    status: int
    headers: dict[str, str]
    body: bytes


class SiteWorld:
    """A directory of an administrator's, and what the face makes of it."""

    def __init__(self, root: Path, *, html5: bool = False, authority: Path | None = None) -> None:
        self.directory = root / "site"
        self.directory.mkdir(exist_ok=True)
        options = SiteOptions(
            master_url=MASTER,
            registry_host=REGISTRY,
            authority=authority or root / "ca.crt",
            extensions=(Extension(name="docs", directory=self.directory, html5=html5),),
        )
        face = Face(
            name="site",
            router=Router(endpoints(SiteHandlers(options, ManualClock())), CONVERTERS),
            render_error=render_error,
            render_internal=render_internal,
            default_headers={},
        )
        metrics = HttpMetrics(((row[0], row[1]) for row in ROWS), workers=1)
        self._guard = Guard(
            face,
            OpenPolicy(),
            NobodyKnown(),
            metrics=metrics,
            clock=ManualClock(),
        )

    async def ask(self, target: str, method: str = "GET", **headers: str) -> Seen:
        """One request, from its target as the client wrote it."""
        try:
            path, query = read_target(target)
        except DomainError as error:
            return await seen(render_error(error, None))
        request = Request(
            method=method,
            path=path,
            query=query,
            headers={key.replace("_", "-"): value for key, value in headers.items()},
            body=BytesBody(b""),
            id="request-1",
        )
        return await seen(await self._guard.serve(request))


async def seen(response: Response) -> Seen:
    body = b""
    if isinstance(response.body, SourceBody):
        source = response.body.source
        for part in response.body.slices:
            body += b"".join([it async for it in source.read(part.offset, part.length)])
        source.close()
    elif isinstance(response.body, bytes):
        body = response.body
    return Seen(status=response.status, headers=response.headers, body=body)
