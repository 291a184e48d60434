"""The aiohttp adapter: bytes of a connection to requests, responses to bytes.

Nothing outside this file knows aiohttp's server. Its low-level protocol is used without an
Application; every wait for a client has a limit.
"""

import asyncio
from asyncio import timeout
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any, cast

import structlog
from aiohttp import http_parser, web
from aiohttp.http_exceptions import PayloadEncodingError
from aiohttp.http_parser import RawRequestMessage
from aiohttp.http_writer import HttpVersion10
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler, RequestPayloadError

from atomic_registry.errors import (
    BodyInterrupted,
    DomainError,
    Invalid,
    TooSlow,
    Unsupported,
)
from atomic_registry.web.guard import Guard
from atomic_registry.web.messages import ClientCertificate, Request, Response, SourceBody
from atomic_registry.web.sending import while_accepting
from atomic_registry.web.target import read_target

_logger = structlog.get_logger(__name__)

_SENDFILE_BYTES = 4 * 1024 * 1024
_WRITE_BYTES = 1024 * 1024
_UNREADABLE = Invalid("the request is not valid HTTP/1.1; the connection is closed")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What one client may cost."""

    keepalive_seconds: float = 60.0
    header_seconds: float = 20.0
    body_idle_seconds: float = 60.0
    send_seconds: float = 120.0
    """How long a client may accept next to nothing of an answer; see `sending`."""
    lingering_seconds: float = 5.0
    max_line_bytes: int = 16384
    max_header_bytes: int = 32768


def require_c_parser() -> None:
    """Refuse to go on with aiohttp's Python parser, which had most of its smuggling errors.

    Raises:
        RuntimeError: the C parser is missing.
    """
    if getattr(http_parser, "HttpRequestParserC", None) is not http_parser.HttpRequestParser:
        raise RuntimeError(
            "aiohttp was installed without its C parser; install the aiohttp wheel for this "
            "platform and unset AIOHTTP_NO_EXTENSIONS"
        )


class HttpServer:
    """Makes one protocol for each connection; `on_closed` is called after each has ended."""

    def __init__(
        self,
        guard: Guard,
        limits: ServerLimits,
        *,
        on_closed: Callable[[], None] = lambda: None,
    ) -> None:
        require_c_parser()
        self.guard = guard
        self.limits = limits
        self.on_closed = on_closed
        self.draining = False
        self._server = web.Server(
            cast("Any", self._handle),
            # Handlers get the exchange itself: a BaseRequest would cost 5 us and offer nothing.
            request_factory=cast("Any", _Exchange),
        )

    def __call__(self) -> "_Connection":
        return _Connection(self, self._server)

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return len(self._server.connections)

    def close_idle(self) -> None:
        """Close what waits for a request; every other connection closes after its answer."""
        # Not aiohttp's `close`: it drops what still arrives of a running upload.
        self.draining = True
        for connection in self._server.connections:
            waiter = connection._waiter  # noqa: SLF001
            if waiter is not None and not waiter.done():
                connection.force_close()

    def abort(self) -> None:
        """Cut every connection."""
        for connection in self._server.connections:
            if connection.transport is not None:
                connection.transport.abort()
            connection.force_close()

    async def _handle(self, exchange: "_Exchange") -> "_Exchange":
        message = exchange.message
        try:
            request = self._read_head(exchange, message)
        except DomainError as error:
            expectation = isinstance(error, Unsupported)
            response = self.guard.refuse(error, status=417 if expectation else None)
        else:
            response = await self.guard.serve(request)
        await self._send(exchange, response, head_only=message.method == "HEAD")
        return exchange

    def _read_head(self, exchange: "_Exchange", message: RawRequestMessage) -> Request:
        headers = message.headers
        if message.version < HttpVersion10:
            raise Invalid("the request line names no HTTP version from 1.0 on")
        expects = False
        if "Expect" in headers:
            if headers["Expect"].lower() != "100-continue":
                raise Unsupported(what="the expectation", hint="only 100-continue is known")
            expects = message.version != HttpVersion10
        path, query = read_target(message.path)
        body = _Body(exchange, self.limits.body_idle_seconds, expects=expects)
        exchange.body = body
        return Request(
            method=message.method,
            path=path,
            query=query,
            headers=headers,
            body=body,
            id=self.guard.new_request_id(),
            remote=exchange.protocol.remote,
            scheme=exchange.protocol.scheme,
            certificate=exchange.protocol.certificate,
        )

    async def _send(self, exchange: "_Exchange", response: Response, *, head_only: bool) -> None:
        body = response.body
        protocol = exchange.protocol
        transport = protocol.transport
        try:
            if transport is None or transport.is_closing():
                return
            head = _render_head(exchange, response, head_only=head_only)
            if isinstance(body, bytes):
                transport.write(head if head_only else head + body)
            else:
                transport.write(head)
                if not head_only:
                    await self._send_source(protocol, transport, body)
            if protocol.writing_paused:
                async with while_accepting(transport, self.limits.send_seconds):
                    await protocol._drain_helper()  # noqa: SLF001
        except (ConnectionError, TimeoutError):
            _cut(exchange)
        except BaseException:
            _cut(exchange)
            raise
        finally:
            if isinstance(body, SourceBody):
                body.source.close()

    async def _send_source(
        self, protocol: "_Connection", transport: asyncio.Transport, body: SourceBody
    ) -> None:
        in_clear = body.source.file is not None and protocol.ssl_context is None
        for part in body.slices:
            if part.prefix:
                transport.write(part.prefix)
            send = self._send_file if in_clear else self._send_pieces
            await send(protocol, transport, body, part.offset, part.length)
        if body.suffix:
            transport.write(body.suffix)

    async def _send_file(
        self,
        protocol: "_Connection",
        transport: asyncio.Transport,
        body: SourceBody,
        offset: int,
        length: int,
    ) -> None:
        loop = asyncio.get_running_loop()
        file = body.source.file
        if file is None:
            raise AssertionError
        end = offset + length
        while offset < end:
            count = min(_SENDFILE_BYTES, end - offset)
            if transport.is_closing():
                raise ConnectionResetError
            try:
                async with while_accepting(transport, self.limits.send_seconds):
                    sent = await loop.sendfile(transport, file, offset, count, fallback=False)
            except asyncio.SendfileNotAvailableError:
                # asyncio's name for any failure of the first system call: a file system that
                # cannot do it, or a lost peer, which the slower way then finds out.
                await self._send_pieces(protocol, transport, body, offset, end - offset)
                return
            if sent != count:
                _logger.error("stored content is shorter than recorded", missing=end - offset)
                raise ConnectionAbortedError
            offset += sent

    async def _send_pieces(
        self,
        protocol: "_Connection",
        transport: asyncio.Transport,
        body: SourceBody,
        offset: int,
        length: int,
    ) -> None:
        remaining = length
        async for chunk in body.source.read(offset, length):
            for start in range(0, len(chunk), _WRITE_BYTES):
                if transport.is_closing():
                    raise ConnectionResetError
                transport.write(chunk[start : start + _WRITE_BYTES])
                async with while_accepting(transport, self.limits.send_seconds):
                    await protocol._drain_helper()  # noqa: SLF001
            remaining -= len(chunk)
        if remaining:
            _logger.error("stored content is shorter than recorded", missing=remaining)
            raise ConnectionAbortedError


class _Connection(RequestHandler):
    __slots__ = ("_head_timer", "_http_server", "certificate", "remote", "scheme")

    def __init__(self, server: HttpServer, manager: web.Server) -> None:
        limits = server.limits
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=limits.keepalive_seconds,
            lingering_time=limits.lingering_seconds,
            max_line_size=limits.max_line_bytes,
            max_field_size=limits.max_header_bytes,
            auto_decompress=False,
            access_log=cast("Any", None),
        )
        self._http_server = server
        self._head_timer: asyncio.TimerHandle | None = None
        self.remote = ""
        self.scheme = "http"
        self.certificate: ClientCertificate | None = None

    @property
    def is_draining(self) -> bool:
        return self._http_server.draining

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = self.peername
        self.remote = peer[0] if isinstance(peer, tuple) else ""
        if self.ssl_context is not None:
            self.scheme = "https"
            self.certificate = _read_certificate(transport.get_extra_info("peercert"))
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._messages:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None
        elif self._head_timer is None and self._waiter is not None:
            self._expect_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        super().connection_lost(exc)
        # aiohttp forgets the connection when its task has ended, one turn of the loop later.
        self._loop.call_soon(self._loop.call_soon, self._http_server.on_closed)

    def _expect_head(self) -> None:
        seconds = self._http_server.limits.header_seconds
        self._head_timer = self._loop.call_later(seconds, self._head_late)

    def _head_late(self) -> None:
        # After a stall of the loop the head may lie in the socket, unread: read first, then judge.
        self._head_timer = self._loop.call_later(0, self._give_up_on_head)

    def _give_up_on_head(self) -> None:
        self._head_timer = None
        if self._waiter is not None and not self._waiter.done():
            self.force_close()

    def handle_error(
        self,
        request: Any,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> Any:
        """Answer what the parser refused, and what no handler may raise, in the face's form."""
        guard = self._http_server.guard
        transport = self.transport
        request.keep_alive = False
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            response = guard.refuse(_UNREADABLE, status=HTTPStatus.BAD_REQUEST)
        else:
            _logger.error("request failed in the server", exc_info=exc)
            response = guard.face.render_internal(guard.new_request_id())
        if transport is not None and not request.started and isinstance(response.body, bytes):
            transport.write(_render_head(request, response, head_only=False) + response.body)
        elif transport is not None:
            transport.abort()
        return request


class _Exchange:
    """One request as aiohttp's protocol handles it, and its own response at once."""

    __slots__ = ("_task", "body", "keep_alive", "message", "payload", "protocol", "started")

    def __init__(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: _Connection,
        _writer: object,
        task: object,
    ) -> None:
        self.message = message
        self.payload = payload
        self.protocol = protocol
        self.keep_alive = not message.should_close
        self.started = False
        self.body: _Body | None = None
        self._task = task

    def _finish(self) -> None:
        """Nothing to clean up."""

    def _cancel(self, error: BaseException) -> None:
        self.payload.set_exception(error)

    async def prepare(self, _request: object) -> None:
        """Everything is sent already."""

    async def write_eof(self) -> None:
        """Everything is sent already."""


class _Body:
    """A request body under the stall limit; see `messages.Body`."""

    __slots__ = ("_exchange", "_idle_seconds", "expects", "length", "received")

    def __init__(self, exchange: _Exchange, idle_seconds: float, *, expects: bool) -> None:
        self._exchange = exchange
        self._idle_seconds = idle_seconds
        self.expects = expects
        self.received = 0
        self.length: int | None
        message = exchange.message
        if message.chunked:
            self.length = None
        else:
            self.length = int(message.headers.get("Content-Length", 0))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        payload = self._exchange.payload
        self._answer_expectation()
        while not payload.at_eof():
            try:
                async with timeout(self._idle_seconds):
                    chunk = await payload.readany()
            except TimeoutError as error:
                self._exchange.keep_alive = False
                raise TooSlow(limit_seconds=round(self._idle_seconds)) from error
            except (ConnectionError, PayloadEncodingError, RequestPayloadError) as error:
                self._exchange.keep_alive = False
                raise BodyInterrupted(received=self.received) from error
            if chunk:
                self.received += len(chunk)
                yield chunk
        if self.length is not None and self.received != self.length:
            self._exchange.keep_alive = False
            raise BodyInterrupted(received=self.received)

    def _answer_expectation(self) -> None:
        if not self.expects:
            return
        self.expects = False
        transport = self._exchange.protocol.transport
        if transport is not None and not self._exchange.payload.is_eof():
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _render_head(exchange: _Exchange, response: Response, *, head_only: bool) -> bytes:
    status = response.status
    body = exchange.body
    protocol = exchange.protocol
    if body is not None and body.expects and body.length != 0:
        # The client may send the body or not, now that it got no 100: nobody can know.
        exchange.keep_alive = False
        protocol._lingering_time = 0.1  # noqa: SLF001
    if protocol.is_draining:
        exchange.keep_alive = False
    lines = [_status_line(status), _date_line(int(exchange.protocol._loop.time()))]  # noqa: SLF001
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    if status >= 200 and status not in {204, 304}:
        length = response.length if head_only else None
        if length is None:
            content = response.body
            length = len(content) if isinstance(content, bytes) else content.length
        lines.append(f"Content-Length: {length}")
    if not exchange.keep_alive:
        lines.append("Connection: close")
    elif exchange.message.version == HttpVersion10:
        lines.append("Connection: keep-alive")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise ValueError("a response header contains a line break")
    exchange.started = True
    return text.encode() + b"\r\n\r\n"


def _read_certificate(peer: Mapping[str, Any] | None) -> ClientCertificate | None:
    """Return the subject of a verified client certificate, as `SSLSocket.getpeercert` gives it."""
    if not peer:
        return None
    parts = [pair for names in peer.get("subject", ()) for pair in names]
    names = [value for key, value in parts if key == "commonName"]
    if len(names) != 1:
        return None
    organizations = tuple(value for key, value in parts if key == "organizationName")
    return ClientCertificate(common_name=names[0], organizations=organizations)


@lru_cache(maxsize=64)
def _status_line(status: int) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}"


@lru_cache(maxsize=2)
def _date_line(_second: int) -> str:
    return f"Date: {formatdate(usegmt=True)}"


def _cut(exchange: _Exchange) -> None:
    """Close a connection in the middle of an answer, so that the client sees that it is short."""
    exchange.keep_alive = False
    transport = exchange.protocol.transport
    if transport is not None:
        transport.abort()
