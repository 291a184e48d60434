"""The guard: access before the handler, one form for every failure, and its traces."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from atomic_registry.clock import SystemClock
from atomic_registry.errors import DomainError, TagInvalid, Unauthenticated
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.policy import Reason, Right, Verb
from atomic_registry.web.endpoint import Access, Endpoint, Router
from atomic_registry.web.guard import Face, Guard
from atomic_registry.web.logs import escape, redact
from atomic_registry.web.messages import Query, Request, Response
from atomic_registry.web.metrics import HttpMetrics

ALICE = Actor(name="alice")


class Name(str):
    """A repository's name, as far as the guard looks at it."""

    __slots__ = ()

    @property
    def value(self) -> str:
        return str(self)


class EmptyBody:
    length: int | None = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.length or 0):
            yield b"x"


class AlicePulls:
    is_open = False

    def __init__(self) -> None:
        self.looks = 0

    def allowed(self, actor: Actor, verb: Verb, repository: Any) -> bool:
        return actor == ALICE and verb is Verb.PULL and repository in ("a", self.newly_granted())

    def newly_granted(self) -> str:
        """Granted after the first look."""
        self.looks += 1
        return "c" if self.looks > 1 else ""

    def grants(self, actor: Actor, right: Right) -> bool:
        return False

    def explain(self, actor: Actor, right: Right) -> Reason:
        return Reason(granted=False, text="it is a test")


async def answer(request: Request) -> Response:
    return Response(status=200, headers={"X-Own": "1"}, body=request.actor.name.encode())


async def bad_tag(_request: Request) -> Response:
    raise TagInvalid(tag="-")


async def crash(_request: Request) -> Response:
    raise ZeroDivisionError("secret detail")


async def cancelled(_request: Request) -> Response:
    raise asyncio.CancelledError


async def slow(_request: Request) -> Response:
    await asyncio.sleep(30)
    raise AssertionError


async def impatient(_request: Request) -> Response:
    raise TimeoutError("a peer of the handler")


ROWS = [
    Endpoint("GET", "/slow", Access(None), slow),
    Endpoint("GET", "/impatient", Access(None), impatient),
    Endpoint("GET", "/probe", Access(None), answer),
    Endpoint("GET", "/bad", Access(None), bad_tag),
    Endpoint("GET", "/crash", Access(None), crash),
    Endpoint("GET", "/cancelled", Access(None), cancelled),
    Endpoint("GET", "/{repository}/pull", Access(Verb.PULL), answer),
    Endpoint("GET", "/{repository}/push", Access(Verb.PUSH), answer),
]


class Authenticator:
    """Knows Alice; the first refusal of a request is one too many."""

    def __init__(self) -> None:
        self.refreshed = 0

    def recall(self, request: Request, access: Access) -> Actor | None:
        return ALICE if "Authorization" in request.headers else None

    async def authenticate(self, request: Request, access: Access) -> Actor:
        if "Authorization" not in request.headers:
            raise Unauthenticated
        return ALICE

    async def refresh(self) -> bool:
        self.refreshed += 1
        return True


def make_guard(metrics: HttpMetrics) -> Guard:
    def render_error(error: DomainError, _request: Request | None) -> Response:
        return Response(status=400, body=type(error).__name__.encode())

    face = Face(
        name="test",
        router=Router(ROWS, {"repository": Name}),
        render_error=render_error,
        render_internal=lambda request_id: Response(status=500, body=request_id.encode()),
        default_headers={"X-Own": "face", "X-Face": "test"},
        time_limit=lambda request: None if request.path == "/probe" else 0.05,
    )
    return Guard(face, AlicePulls(), Authenticator(), metrics=metrics, clock=SystemClock())


@pytest.fixture
def metrics() -> HttpMetrics:
    return HttpMetrics([(row.method, row.path) for row in ROWS], workers=2)


def request_for(path: str, *, named: bool = True) -> Request:
    headers = {"Authorization": "Basic x"} if named else {}
    return Request(
        method="GET", path=path, query=Query(()), headers=headers, body=EmptyBody(), id="7"
    )


@pytest.mark.parametrize(
    ("path", "named", "expected"),
    [
        ("/probe", False, (200, b"system:anonymous")),
        ("/a/pull", True, (200, b"alice")),
        ("/a/pull", False, (400, b"Unauthenticated")),
        ("/demo/b/pull", True, (400, b"Denied")),
        ("/c/pull", True, (200, b"alice")),
        ("/demo/a/push", True, (400, b"Denied")),
        ("/bad", True, (400, b"TagInvalid")),
        ("/none", True, (400, b"RouteUnknown")),
        ("/crash", True, (500, b"7")),
    ],
)
async def test_every_request_gets_its_answer(
    metrics: HttpMetrics, *, path: str, named: bool, expected: tuple[int, bytes]
) -> None:
    response = await make_guard(metrics).serve(request_for(path, named=named))
    assert (response.status, response.body) == expected


async def test_default_headers_do_not_replace_those_of_the_handler(metrics: HttpMetrics) -> None:
    response = await make_guard(metrics).serve(request_for("/probe"))
    assert response.headers == {"X-Own": "1", "X-Face": "test", "X-Request-Id": "7"}


async def test_a_handler_that_takes_too_long_is_given_up(metrics: HttpMetrics) -> None:
    response = await make_guard(metrics).serve(request_for("/slow"))

    assert (400, b"TimedOut") == (response.status, response.body)
    assert b"requests_in_flight 0.0" in metrics.render()


async def test_a_timeout_of_the_handlers_own_is_not_taken_for_the_limit(
    metrics: HttpMetrics,
) -> None:
    response = await make_guard(metrics).serve(request_for("/impatient"))

    assert 500 == response.status


async def test_cancellation_is_never_swallowed(metrics: HttpMetrics) -> None:
    with pytest.raises(asyncio.CancelledError):
        await make_guard(metrics).serve(request_for("/cancelled"))
    assert b"requests_in_flight 0.0" in metrics.render()


async def test_requests_of_all_workers_are_counted(metrics: HttpMetrics) -> None:
    guard = make_guard(metrics)
    await guard.serve(request_for("/a/pull"))
    metrics.attach(1)
    await guard.serve(request_for("/a/pull"))
    text = metrics.render().decode()
    labels = 'method="GET",route="/{repository}/pull"'
    assert f'atomic_registry_http_requests_total{{{labels},status="200"}} 2.0' in text
    assert f"atomic_registry_http_request_seconds_count{{{labels}}} 2.0" in text
    assert f"atomic_registry_http_response_bytes_total{{{labels}}} 10.0" in text


def test_secrets_are_masked_at_every_depth() -> None:
    event = redact(None, "", {"Authorization": "x", "headers": {"Set-Cookie": "y"}, "id": "z"})
    assert event == {"Authorization": "***", "headers": {"Set-Cookie": "***"}, "id": "z"}


def test_a_path_cannot_break_a_log_line() -> None:
    stream = io.StringIO()
    json.dump({"path": escape("/a\n\x1b[31m")}, stream)
    assert json.loads(stream.getvalue()) == {"path": "/a\\n\\x1b[31m"}
