"""A tiny face and service for the tests of the server; run as a module it serves for real."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from atomic_registry.clock import SystemClock
from atomic_registry.errors import DomainError, RouteUnknown, TooSlow
from atomic_registry.identity.policy import OpenPolicy, Verb
from atomic_registry.system.serve import Service, run_services
from atomic_registry.system.workers import WorkerOptions
from atomic_registry.web.endpoint import Access, Endpoint, Router
from atomic_registry.web.guard import Face, Guard, NobodyKnown
from atomic_registry.web.logs import AccessLog, configure_logging
from atomic_registry.web.messages import Request, Response, Slice, SourceBody
from atomic_registry.web.metrics import HttpMetrics

PATTERN = bytes(range(256)) * 4096 * 6
KILOBYTE = b"x" * 1024


class FileSource:
    def __init__(self, path: Path) -> None:
        self.file: BinaryIO | None = path.open("rb")

    async def read(self, offset: int, length: int) -> AsyncIterator[bytes]:
        assert self.file is not None
        self.file.seek(offset)
        while length:
            chunk = self.file.read(min(length, 1 << 20))
            length -= len(chunk)
            yield chunk

    def close(self) -> None:
        assert self.file is not None
        self.file.close()


def make_guard(root: Path, *, access_log: bool = False) -> Guard:
    def quick_small(_request: Request) -> Response:
        headers = {"Content-Type": "text/plain", "ETag": '"a"', "X-A": "1", "X-B": "2"}
        return Response(status=200, headers=headers, body=KILOBYTE)

    async def small(request: Request) -> Response:
        return quick_small(request)

    def quick_missing(request: Request) -> Response:
        raise RouteUnknown(path=request.path)

    async def missing(request: Request) -> Response:
        return quick_missing(request)

    async def echo(request: Request) -> Response:
        return Response(status=200, body=b"".join([chunk async for chunk in request.body]))

    async def early(_request: Request) -> Response:
        return Response(status=403, body=b"no")

    async def crash(_request: Request) -> Response:
        raise ZeroDivisionError

    async def slow(_request: Request) -> Response:
        await asyncio.sleep(1)
        return Response(status=200, body=b"slow")

    async def file(_request: Request) -> Response:
        slices = (Slice(0, 100, b"<"), Slice(100, len(PATTERN) - 100, b""))
        body = SourceBody(source=FileSource(root / "blob"), slices=slices, suffix=b">")
        return Response(status=200, body=body)

    rows = [
        Endpoint("GET", "/small", Access(Verb.PULL), small, quick_small),
        Endpoint("GET", "/plain", Access(Verb.PULL), small),
        Endpoint("GET", "/missing", Access(Verb.PULL), missing, quick_missing),
        Endpoint("PUT", "/echo", Access(Verb.PUSH), echo),
        Endpoint("PUT", "/early", Access(None), early),
        Endpoint("GET", "/crash", Access(None), crash),
        Endpoint("GET", "/slow", Access(None), slow),
        Endpoint("GET", "/file", Access(Verb.PULL), file),
    ]
    metrics = HttpMetrics(((row.method, row.path) for row in rows), workers=1)
    face = Face(
        name="demo",
        router=Router(rows, {}),
        render_error=_render_error,
        render_internal=lambda request_id: Response(status=500, body=request_id.encode()),
        default_headers={"X-Face": "demo"},
    )
    return Guard(
        face,
        OpenPolicy(),
        NobodyKnown(),
        metrics=metrics,
        clock=SystemClock(),
        access_log=AccessLog(SystemClock()) if access_log else None,
    )


def _render_error(error: DomainError, _request: Request | None) -> Response:
    status = 408 if isinstance(error, TooSlow) else 404 if isinstance(error, RouteUnknown) else 400
    return Response(
        status=status,
        headers={"Content-Type": "application/json"},
        body=b'{"errors":["' + type(error).__name__.encode() + b'"]}',
    )


class App:
    def __init__(self, root: Path) -> None:
        self.guard = make_guard(root)

    async def close(self) -> None:
        """Nothing is held."""


def main() -> int:
    root, port, workers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    configure_logging()

    async def build(_index: int) -> App:
        return App(root)

    service = Service(
        name="demo",
        listen=("127.0.0.1", port),
        workers=workers,
        options=WorkerOptions(build=build, drain_seconds=10),
    )
    return run_services(
        [service], root=root, environment={}, on_ready=lambda: print("READY", flush=True)
    )


if __name__ == "__main__":
    sys.exit(main())
