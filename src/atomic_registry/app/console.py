"""The console service in its worker process."""

from atomic_registry.app.images import registry_host
from atomic_registry.app.logs import access_log
from atomic_registry.app.master_files import default_public_url
from atomic_registry.clock import Clock
from atomic_registry.config.settings import Settings
from atomic_registry.faces import console
from atomic_registry.identity.policy import OpenPolicy
from atomic_registry.web.endpoint import Router
from atomic_registry.web.guard import Face, Guard, NobodyKnown
from atomic_registry.web.health import ProbeHandlers
from atomic_registry.web.metrics import HttpMetrics

CONSOLE_ROWS = console.ROWS


class ConsoleWorker:
    """The face of the console; it holds no data, so everybody may see all of it."""

    def __init__(self, settings: Settings, *, metrics: HttpMetrics, clock: Clock) -> None:
        master = default_public_url(settings)

        async def render_metrics() -> bytes:
            return metrics.render()

        rows = console.endpoints(
            ProbeHandlers({}, render_metrics),
            registry=registry_host(settings, master),
            master=master,
        )
        face = Face(
            name="console",
            router=Router(rows, {}),
            render_error=console.render_error,
            render_internal=console.render_internal,
            default_headers={"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"},
        )
        self.guard = Guard(
            face,
            OpenPolicy(),
            NobodyKnown(),
            metrics=metrics,
            clock=clock,
            access_log=access_log(settings.log, clock),
        )

    async def close(self) -> None:
        """There is nothing to let go of."""
