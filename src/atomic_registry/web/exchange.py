"""One request on a connection of aiohttp's server: its body, and the head of its answer."""

import asyncio
import ssl
from asyncio import timeout
from collections.abc import AsyncIterator, Callable, Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol

from aiohttp.http_exceptions import PayloadEncodingError
from aiohttp.http_parser import RawRequestMessage
from aiohttp.http_writer import HttpVersion10
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestPayloadError

from atomic_registry.errors import BodyInterrupted, TooSlow
from atomic_registry.web.messages import ClientCertificate, Response, StreamBody


class Connection(Protocol):
    """What an exchange needs of its connection."""

    transport: asyncio.Transport | None
    remote: str
    scheme: str
    certificate: ClientCertificate | None
    peer_certificate: bytes
    _loop: asyncio.AbstractEventLoop
    _lingering_time: float

    @property
    def is_draining(self) -> bool: ...
    @property
    def writing_paused(self) -> bool: ...
    @property
    def ssl_context(self) -> ssl.SSLContext | None: ...
    async def _drain_helper(self) -> None: ...


class Exchange:
    """One request as aiohttp's protocol handles it, and its own response at once."""

    __slots__ = (
        "_task",
        "body",
        "keep_alive",
        "message",
        "on_gone",
        "payload",
        "protocol",
        "started",
    )

    def __init__(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: Connection,
        _writer: object,
        task: object,
    ) -> None:
        self.message = message
        self.payload = payload
        self.protocol = protocol
        self.keep_alive = not message.should_close
        self.started = False
        self.body: RequestBody | None = None
        self.on_gone: Callable[[], None] | None = None
        self._task = task

    def _finish(self) -> None:
        """Nothing to clean up."""

    def _cancel(self, error: BaseException) -> None:
        self.payload.set_exception(error)
        if self.on_gone is not None:
            self.on_gone()

    async def prepare(self, _request: object) -> None:
        """Everything is sent already."""

    async def write_eof(self) -> None:
        """Everything is sent already."""


class RequestBody:
    """A request body under the stall limit; see `messages.Body`."""

    __slots__ = ("_exchange", "_idle_seconds", "expects", "length", "received")

    def __init__(self, exchange: Exchange, idle_seconds: float, *, expects: bool) -> None:
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


def render_head(exchange: Exchange, response: Response, *, head_only: bool) -> bytes:
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
    lines += _framing(exchange, response, head_only=head_only)
    if not exchange.keep_alive:
        lines.append("Connection: close")
    elif exchange.message.version == HttpVersion10:
        lines.append("Connection: keep-alive")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise ValueError("a response header contains a line break")
    exchange.started = True
    return text.encode() + b"\r\n\r\n"


def _framing(exchange: Exchange, response: Response, *, head_only: bool) -> list[str]:
    """Return the lines that say where the body ends."""
    body = response.body
    if isinstance(body, StreamBody):
        if exchange.message.version != HttpVersion10:
            return ["Transfer-Encoding: chunked"]
        # Only the end of the connection says it.
        exchange.keep_alive = False
        return []
    if response.status < 200 or response.status in {204, 304}:
        return []
    length = response.length if head_only else None
    if length is None:
        length = len(body) if isinstance(body, bytes) else body.length
    return [f"Content-Length: {length}"]


def read_certificate(peer: Mapping[str, Any] | None) -> ClientCertificate | None:
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


def cut(exchange: Exchange) -> None:
    """Close a connection in the middle of an answer, so that the client sees that it is short."""
    exchange.keep_alive = False
    transport = exchange.protocol.transport
    if transport is not None:
        transport.abort()
