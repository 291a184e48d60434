"""The aiohttp adapter: bytes of a connection to requests, responses to bytes.

Nothing outside this file knows aiohttp's server. Its low-level protocol is used without an
Application; every wait for a client has a limit.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import structlog
from aiohttp import http_parser, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawRequestMessage
from aiohttp.http_writer import HttpVersion10
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from atomic_registry.errors import (
    DomainError,
    Invalid,
    Unsupported,
)
from atomic_registry.web.exchange import (
    Connection,
    Exchange,
    RequestBody,
    cut,
    read_certificate,
    render_head,
)
from atomic_registry.web.guard import Guard
from atomic_registry.web.messages import (
    ClientCertificate,
    Request,
    Response,
    SourceBody,
    StreamBody,
)
from atomic_registry.web.sending import while_accepting
from atomic_registry.web.streaming import Streams
from atomic_registry.web.target import read_target

_logger = structlog.get_logger(__name__)

_SENDFILE_BYTES = 4 * 1024 * 1024
_WRITE_BYTES = 1024 * 1024
# Between two requests of a client that has more to ask; closing earlier would lose one in flight.
_BUSY_SECONDS = 1.0
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
    """Makes one protocol for each connection; `on_closed` is called after each has ended.

    `is_account` tells of a verified client certificate, in DER, whether it stands for an account.
    """

    def __init__(
        self,
        guard: Guard,
        limits: ServerLimits,
        *,
        on_closed: Callable[[], None] = lambda: None,
        is_account: Callable[[bytes], bool] = lambda _: True,
    ) -> None:
        require_c_parser()
        self.guard = guard
        self.is_account = is_account
        self.limits = limits
        self.on_closed = on_closed
        self.draining = False
        self._streams = Streams()
        self._server = web.Server(
            cast("Any", self._handle),
            # Handlers get the exchange itself: a BaseRequest would cost 5 us and offer nothing.
            request_factory=cast("Any", Exchange),
        )

    def __call__(self) -> "_Connection":
        return _Connection(self, self._server)

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return len(self._server.connections)

    def close_idle(self) -> None:
        """Close what waits for a request, end streams; other connections close after their answer.

        A connection that has just begun to wait is left open for a moment, so call this again: its
        next request may be on the way, and would be lost.
        """
        # Not aiohttp's `close`: it drops what still arrives of a running upload.
        self.draining = True
        self._streams.end_all()
        for connection in self._server.connections:
            if cast("_Connection", connection).is_still:
                connection.force_close()

    def abort(self) -> None:
        """Cut every connection."""
        for connection in self._server.connections:
            if connection.transport is not None:
                connection.transport.abort()
            connection.force_close()

    async def _handle(self, exchange: Exchange) -> Exchange:
        message = exchange.message
        try:
            request = self.read_head(exchange, message)
        except DomainError as error:
            expectation = isinstance(error, Unsupported)
            response = self.guard.refuse(error, status=417 if expectation else None)
        else:
            response = await self.guard.serve(request)
        await self._send(exchange, response, head_only=message.method == "HEAD")
        return exchange

    def read_head(self, exchange: Exchange, message: RawRequestMessage) -> Request:
        """Return the request that a parsed head stands for.

        Raises:
            Invalid, Unsupported, RouteUnknown: nothing can be done with it.
        """
        headers = message.headers
        if message.version < HttpVersion10:
            raise Invalid("the request line names no HTTP version from 1.0 on")
        expects = False
        if "Expect" in headers:
            if headers["Expect"].lower() != "100-continue":
                raise Unsupported(what="the expectation", hint="only 100-continue is known")
            expects = message.version != HttpVersion10
        path, query = read_target(message.path)
        body = RequestBody(exchange, self.limits.body_idle_seconds, expects=expects)
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
            peer_certificate=exchange.protocol.peer_certificate,
        )

    async def _send(self, exchange: Exchange, response: Response, *, head_only: bool) -> None:
        body = response.body
        protocol = exchange.protocol
        transport = protocol.transport
        try:
            if transport is None or transport.is_closing():
                return
            head = render_head(exchange, response, head_only=head_only)
            await self._write(exchange, response, head, head_only=head_only)
            if protocol.writing_paused:
                async with while_accepting(transport, self.limits.send_seconds):
                    await protocol._drain_helper()  # noqa: SLF001
        except (ConnectionError, TimeoutError):
            cut(exchange)
        except BaseException:
            cut(exchange)
            raise
        finally:
            if isinstance(body, SourceBody):
                body.source.close()
            elif isinstance(body, StreamBody):
                await body.close()

    async def _write(
        self, exchange: Exchange, response: Response, head: bytes, *, head_only: bool
    ) -> None:
        body = response.body
        protocol = exchange.protocol
        transport = protocol.transport
        if transport is None:
            raise ConnectionResetError
        if head_only or isinstance(body, bytes):
            transport.write(head + body if isinstance(body, bytes) and not head_only else head)
            return
        transport.write(head)
        if isinstance(body, StreamBody):
            await self._streams.send(exchange, body, send_seconds=self.limits.send_seconds)
        else:
            await self._send_source(protocol, transport, body)

    async def _send_source(
        self, protocol: Connection, transport: asyncio.Transport, body: SourceBody
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
        protocol: Connection,
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
        protocol: Connection,
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
    __slots__ = (
        "_head_timer",
        "_http_server",
        "_made",
        "certificate",
        "peer_certificate",
        "remote",
        "scheme",
    )

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
        self._made = self._loop.time()
        self.remote = ""
        self.scheme = "http"
        self.certificate: ClientCertificate | None = None
        self.peer_certificate = b""

    @property
    def is_draining(self) -> bool:
        return self._http_server.draining

    @property
    def is_still(self) -> bool:
        """Whether it waits for a request, and has done so for longer than a busy client takes."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            return False
        answered = self._next_keepalive_close_time - self._keepalive_timeout
        return self._loop.time() - max(self._made, answered) > _BUSY_SECONDS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = self.peername
        self.remote = peer[0] if isinstance(peer, tuple) else ""
        if self.ssl_context is not None:
            self.scheme = "https"
            self._read_certificate(transport)
        self._expect_head()

    def _read_certificate(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peercert")
        if not peer:
            return
        shown = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        self.peer_certificate = shown
        if self._http_server.is_account(shown):
            self.certificate = read_certificate(peer)

    def data_received(self, data: bytes) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done() or self._messages or self._upgraded:
            super().data_received(data)
        elif not self._force_close and not self._close:
            self._read_idle(data)
        if self._messages:
            self._stop_head_timer()
        elif self._head_timer is None and self._waiter is not None:
            self._expect_head()

    def _read_idle(self, data: bytes) -> None:
        """Do what aiohttp does with data, but answer at once what can be answered at once.

        A request that waits for nothing is spared a future, a task and two turns of the loop.
        """
        parser = self._parser
        if parser is None:
            raise AssertionError
        try:
            messages, upgraded, tail = parser.feed_data(data)
        except HttpProcessingError as error:
            refused = _ErrInfo(status=400, exc=error, message=error.message)
            messages, upgraded, tail = [(refused, EMPTY_PAYLOAD)], False, b""
        if len(messages) == 1 and not upgraded and self._answer_now(*messages[0]):
            parser.message_consumed()
            return
        self._messages.extend(messages)
        self._upgraded = upgraded
        self._message_tail = tail if upgraded else b""
        if messages and self._waiter is not None:
            self._waiter.set_result(None)
        if len(self._messages) >= self._max_msg_queue_size:
            self._pause_reading_for_buffer()

    def _answer_now(self, message: RawRequestMessage | _ErrInfo, payload: StreamReader) -> bool:
        transport = self.transport
        if (
            payload is not EMPTY_PAYLOAD
            or isinstance(message, _ErrInfo)
            or transport is None
            or self.writing_paused
        ):
            return False
        exchange = Exchange(message, payload, self, None, None)
        server = self._http_server
        try:
            response = server.guard.serve_now(server.read_head(exchange, message))
        except DomainError:
            return False
        if response is None or not isinstance(response.body, bytes):
            return False
        self._stop_head_timer()
        head_only = message.method == "HEAD"
        head = render_head(exchange, response, head_only=head_only)
        transport.write(head if head_only else head + response.body)
        if exchange.keep_alive:
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        else:
            self.force_close()
        return True

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

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
            transport.write(render_head(request, response, head_only=False) + response.body)
        elif transport is not None:
            transport.abort()
        return request
