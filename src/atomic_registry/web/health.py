"""What is asked of the service itself: API version, health and metrics."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from atomic_registry.errors import DomainError
from atomic_registry.web.messages import Request, Response

Probe = Callable[[], Awaitable[None]]


class ProbeHandlers:
    """`probes` are tried by name for readiness; `render_metrics` gives the metrics page.

    `notices` are shown with the readiness and do not change it.
    """

    def __init__(
        self,
        probes: Mapping[str, Probe],
        render_metrics: Callable[[], Awaitable[bytes]],
        *,
        notices: Mapping[str, str] | None = None,
    ) -> None:
        self._probes = probes
        self._render_metrics = render_metrics
        self._notices = dict(notices or {})

    async def version(self, request: Request) -> Response:
        return Response(status=200, headers={"Content-Type": "application/json"}, body=b"{}")

    async def live(self, request: Request) -> Response:
        return Response(status=200, headers={"Content-Type": "text/plain"}, body=b"ok\n")

    async def ready(self, request: Request) -> Response:
        """Try what a push needs, and name what fails."""
        results: dict[str, str] = {}
        for name, probe in self._probes.items():
            try:
                await probe()
                results[name] = "ok"
            except DomainError as error:
                results[name] = error.message
        is_ready = all(result == "ok" for result in results.values())
        return Response(
            status=200 if is_ready else 503,
            headers={"Content-Type": "application/json"},
            body=msgspec.json.encode({**results, **self._notices}),
        )

    async def metrics(self, request: Request) -> Response:
        return Response(
            status=200,
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
            body=await self._render_metrics(),
        )
