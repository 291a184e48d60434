"""The only wrapper round a handler: who calls, may they, and what a failure looks like."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from atomic_registry.clock import Clock
from atomic_registry.errors import DomainError
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.policy import Policy, require
from atomic_registry.web.endpoint import Router
from atomic_registry.web.logs import AccessLog
from atomic_registry.web.messages import Request, Response
from atomic_registry.web.metrics import UNMATCHED, HttpMetrics

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """What one HTTP face decides about its answers.

    `render_error` gets None for the request where the request could not even be read.
    """

    name: str
    router: Router
    render_error: Callable[[DomainError, Request | None], Response]
    render_internal: Callable[[str], Response]
    default_headers: dict[str, str]


class Guard:
    """Serves every request of one face."""

    def __init__(
        self,
        face: Face,
        policy: Policy,
        authenticate: Callable[[Request], Actor],
        *,
        metrics: HttpMetrics,
        clock: Clock,
        access_log: bool = True,
    ) -> None:
        self.face = face
        self.clock = clock
        # An identifier for each request would cost a system call; these are as unique.
        self._id_prefix = clock.new_id()[:20]
        self._served = 0
        self._policy = policy
        self._authenticate = authenticate
        self._metrics = metrics
        self._access_log = AccessLog(clock) if access_log else None

    async def serve(self, request: Request) -> Response:
        """Answer the request; raises nothing but cancellation."""
        start = self.clock.monotonic()
        route = UNMATCHED
        self._metrics.enter()
        try:
            try:
                endpoint, request.parameters = self.face.router.match(request.method, request.path)
                route = endpoint.path
                verb = endpoint.access.verb
                if verb is not None:
                    request.actor = self._authenticate(request)
                    repository = request.parameters.get("repository")
                    require(self._policy, request.actor, verb, repository)
                response = await endpoint.handler(request)
            except DomainError as error:
                response = self.face.render_error(error, request)
        except Exception:
            _logger.exception("request failed", id=request.id, method=request.method, route=route)
            response = self.face.render_internal(request.id)
        finally:
            self._metrics.leave()
        self._complete(request, response, route, start)
        return response

    def new_request_id(self) -> str:
        """Return a name for one request, unique among all workers and restarts."""
        self._served += 1
        return f"{self._id_prefix}{self._served:012x}"

    def refuse(self, error: DomainError, *, status: int | None = None) -> Response:
        """Answer a request that could not be read, in the form of the face."""
        request_id = self.new_request_id()
        response = self.face.render_error(error, None)
        if status is not None:
            response.status = status
        self._metrics.record("-", UNMATCHED, response.status, 0.0, 0, response_length(response))
        _logger.info("request refused", id=request_id, status=response.status, reason=error.message)
        self._add_headers(response, request_id)
        return response

    def _complete(self, request: Request, response: Response, route: str, start: float) -> None:
        seconds = self.clock.monotonic() - start
        received = getattr(request.body, "received", 0)
        sent = 0 if request.method == "HEAD" else response_length(response)
        self._metrics.record(request.method, route, response.status, seconds, received, sent)
        if self._access_log is not None:
            self._access_log.write(request, response.status, route, received, sent, seconds)
        self._add_headers(response, request.id)

    def _add_headers(self, response: Response, request_id: str) -> None:
        headers = response.headers
        for name, value in self.face.default_headers.items():
            headers.setdefault(name, value)
        headers["X-Request-Id"] = request_id


def response_length(response: Response) -> int:
    """Bytes that the body of a GET with this answer has."""
    if response.length is not None:
        return response.length
    body = response.body
    return len(body) if isinstance(body, bytes) else body.length
