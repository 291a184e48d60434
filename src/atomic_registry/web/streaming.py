"""Answers that go on until somebody ends them: each piece is sent at once, none is kept back."""

import asyncio
from collections.abc import Callable

from aiohttp.http_writer import HttpVersion10

from atomic_registry.web.exchange import Exchange
from atomic_registry.web.messages import StreamBody
from atomic_registry.web.sending import while_accepting

_LAST_CHUNK = b"0\r\n\r\n"


class Streams:
    """Those that one server is sending."""

    def __init__(self) -> None:
        self._enders: set[Callable[[], None]] = set()

    def end_all(self) -> None:
        """Let each one end as if it had come to its end, at once."""
        for end in tuple(self._enders):
            end()

    async def send(self, exchange: Exchange, body: StreamBody, *, send_seconds: float) -> None:
        """Send pieces until there are no more, the client has gone or the server drains.

        Raises:
            ConnectionError: the client has gone.
            TimeoutError: it does not read.
        """
        loop = asyncio.get_running_loop()
        is_ended = is_slow = False

        def end() -> None:
            nonlocal is_ended
            if not is_ended:
                is_ended = True
                limit.reschedule(loop.time())

        try:
            async with asyncio.timeout(None) as limit:
                self._enders.add(end)
                exchange.on_gone = end
                if exchange.protocol.is_draining:
                    end()
                async for piece in body.pieces:
                    body.sent += len(piece)
                    try:
                        await _send_piece(exchange, piece, send_seconds)
                    except TimeoutError:
                        is_slow = True
                        raise
        except TimeoutError:
            if is_slow or not is_ended:
                raise
        finally:
            self._enders.discard(end)
            exchange.on_gone = None
        _finish(exchange)


def _finish(exchange: Exchange) -> None:
    transport = exchange.protocol.transport
    if exchange.protocol.is_draining:
        exchange.keep_alive = False
    is_chunked = exchange.message.version != HttpVersion10
    if is_chunked and transport is not None and not transport.is_closing():
        transport.write(_LAST_CHUNK)


async def _send_piece(exchange: Exchange, piece: bytes, seconds: float) -> None:
    protocol = exchange.protocol
    transport = protocol.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError
    is_chunked = exchange.message.version != HttpVersion10
    transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
    if protocol.writing_paused:
        async with while_accepting(transport, seconds):
            await protocol._drain_helper()  # noqa: SLF001
