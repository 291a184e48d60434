"""The only wrapper round a handler: who calls, may they, and what a failure looks like."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import structlog

from atomic_registry.clock import Clock
from atomic_registry.errors import Denied, DomainError, TimedOut, Unauthenticated
from atomic_registry.identity.actors import ANONYMOUS, Actor
from atomic_registry.identity.policy import Policy, require, require_right
from atomic_registry.web.audit import AuditFile
from atomic_registry.web.cors import Cors
from atomic_registry.web.endpoint import Access, Endpoint, Router
from atomic_registry.web.forwarded import Forwarding
from atomic_registry.web.gate import Gate, no_gate
from atomic_registry.web.impersonation import Impersonator
from atomic_registry.web.logs import AccessLog, request_facts
from atomic_registry.web.messages import Request, Response, StreamBody
from atomic_registry.web.metrics import UNMATCHED, HttpMetrics

_logger = structlog.get_logger(__name__)


def _unlimited(_request: Request) -> float | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """What one HTTP face decides about its answers.

    `render_error` gets None for the request where the request could not even be read.
    `time_limit` says how many seconds a handler may take, None for no limit; it may refuse.
    """

    name: str
    router: Router
    render_error: Callable[[DomainError, Request | None], Response]
    render_internal: Callable[[str], Response]
    default_headers: dict[str, str]
    forwarding: Forwarding = field(default_factory=Forwarding)
    cors: Cors = field(default_factory=Cors)
    impersonator: Impersonator | None = None
    time_limit: Callable[[Request], float | None] = _unlimited
    gate: Callable[[Access, Request], Gate | None] = no_gate
    """Says which requests may not run in any number."""
    on_denied: Callable[[Request, Denied], None] | None = None
    """Told of each request that is refused to somebody who is known."""
    audit: AuditFile | None = None
    """Where changes and refusals are recorded besides the log."""


class Authenticator(Protocol):
    """Finds out who sends a request."""

    def recall(self, request: Request, access: Access) -> Actor | None:
        """Return the sender if nothing has to be waited for to know."""
        ...

    async def authenticate(self, request: Request, access: Access) -> Actor:
        """Return the sender; the anonymous actor if the request has no credentials.

        Raises:
            CredentialsRejected: it has credentials that are not good.
            TooMany: too many of those lately.
        """
        ...

    async def refresh(self) -> bool:
        """Take in what was granted and withdrawn; return False if nothing was."""
        ...


class NobodyKnown:
    """Implements `Authenticator` where there is no access control."""

    def recall(self, request: Request, access: Access) -> Actor | None:
        return ANONYMOUS

    async def authenticate(self, request: Request, access: Access) -> Actor:
        return ANONYMOUS

    async def refresh(self) -> bool:
        return False


class Guard:
    """Serves every request of one face."""

    def __init__(
        self,
        face: Face,
        policy: Policy,
        authenticator: Authenticator,
        *,
        metrics: HttpMetrics,
        clock: Clock,
        access_log: AccessLog | None = None,
    ) -> None:
        self.face = face
        self.clock = clock
        # An identifier for each request would cost a system call; these are as unique.
        self._id_prefix = clock.new_id()[:20]
        self._served = 0
        self._policy = policy
        self._authenticator = authenticator
        self._metrics = metrics
        self._access_log = access_log

    async def serve(self, request: Request) -> Response:
        """Answer the request; raises nothing but cancellation."""
        start = self.clock.monotonic()
        route = UNMATCHED
        self._metrics.enter()
        try:
            self.face.forwarding.apply(request)
            try:
                endpoint, request.parameters = self.face.router.match(request.method, request.path)
                route = endpoint.path
                access = endpoint.access
                request.verb = access.verb
                if not access.is_for_anybody:
                    request.actor = self._authenticator.recall(
                        request, access
                    ) or await self._authenticator.authenticate(request, access)
                    if access.right is not None:
                        await self._decide(partial(self._assume, request))
                    await self._decide(partial(self._require, request, access))
                response = await self._admit(endpoint, request)
            except DomainError as error:
                if isinstance(error, Denied) and self.face.on_denied is not None:
                    self.face.on_denied(request, error)
                # No row is for OPTIONS: a browser's question comes to here.
                response = self.face.cors.answer(request) or self.face.render_error(error, request)
        except Exception:
            _logger.exception("request failed", id=request.id, method=request.method, route=route)
            response = self.face.render_internal(request.id)
        finally:
            self._metrics.leave()
        self._complete(request, response, route, start)
        return response

    def serve_now(self, request: Request) -> Response | None:
        """Answer the request if nothing has to be waited for; with None `serve` has to."""
        start = self.clock.monotonic()
        face = self.face
        try:
            endpoint, request.parameters = face.router.match(request.method, request.path)
        except DomainError:
            return None
        access, quick = endpoint.access, endpoint.quick
        if quick is None or access.verb is None:
            return None
        face.forwarding.apply(request)
        actor = self._authenticator.recall(request, access)
        repository = request.parameters.get("repository")
        if actor is None or not self._policy.allowed(actor, access.verb, repository):
            return None
        request.actor = actor
        try:
            response = quick(request)
        except DomainError as error:
            response = face.render_error(error, request)
        self._complete(request, response, endpoint.path, start)
        return response

    async def _admit(self, endpoint: Endpoint, request: Request) -> Response:
        gate = self.face.gate(endpoint.access, request)
        if gate is None:
            return await self._handle(endpoint, request)
        await gate.enter()
        try:
            response = await self._handle(endpoint, request)
        except BaseException:
            gate.leave()
            raise
        if isinstance(response.body, StreamBody):
            # The work of a stream begins now.
            response.body.on_end = (*response.body.on_end, gate.leave)
        else:
            gate.leave()
        return response

    async def _handle(self, endpoint: Endpoint, request: Request) -> Response:
        seconds = self.face.time_limit(request)
        if seconds is None:
            return await endpoint.handler(request)
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await endpoint.handler(request)
        except TimeoutError as error:
            # A handler may fail of a timeout of its own.
            if not limit.expired():
                raise
            raise TimedOut(seconds=seconds) from error

    async def _decide(self, check: Callable[[], None]) -> None:
        try:
            check()
        except (Denied, Unauthenticated):
            # What was granted a moment ago may not have been taken in yet.
            if not await self._authenticator.refresh():
                raise
            check()

    def _assume(self, request: Request) -> None:
        impersonator = self.face.impersonator
        actor = None if impersonator is None else impersonator.actor_for(request)
        if actor is not None:
            request.impersonator, request.actor = request.actor.name, actor

    def _require(self, request: Request, access: Access) -> None:
        if access.login and not self._policy.is_open and not _has_credentials(request):
            raise Unauthenticated
        if access.verb is not None:
            repository = request.parameters.get("repository")
            require(self._policy, request.actor, access.verb, repository)
        if access.right is not None:
            require_right(self._policy, request.actor, access.right(request))

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
        body = response.body
        if isinstance(body, StreamBody):
            # How long it took and how much it was is known at its end.
            record = partial(self._record, request, response, route, start)
            body.on_end = (*body.on_end, record)
        else:
            self._record(request, response, route, start)
        self.face.cors.add_headers(request, response)
        self._add_headers(response, request.id)

    def _record(self, request: Request, response: Response, route: str, start: float) -> None:
        seconds = self.clock.monotonic() - start
        received = getattr(request.body, "received", 0)
        sent = 0 if request.method == "HEAD" else response_length(response)
        self._metrics.record(request.method, route, response.status, seconds, received, sent)
        if self._access_log is not None:
            self._access_log.write(request, response.status, route, received, sent, seconds)
        audit = self.face.audit
        if audit is not None and audit.wants(request.method, response.status):
            audit.write(request_facts(request, response.status, route, received, sent, seconds))

    def _add_headers(self, response: Response, request_id: str) -> None:
        headers = response.headers
        for name, value in self.face.default_headers.items():
            headers.setdefault(name, value)
        headers["X-Request-Id"] = request_id


def _has_credentials(request: Request) -> bool:
    return "Authorization" in request.headers or request.certificate is not None


def response_length(response: Response) -> int:
    """Bytes that the body of a GET with this answer has; of a stream, has had so far."""
    if response.length is not None:
        return response.length
    body = response.body
    if isinstance(body, StreamBody):
        return body.sent
    return len(body) if isinstance(body, bytes) else body.length
