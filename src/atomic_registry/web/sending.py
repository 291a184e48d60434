"""How long a client may take over an answer: for as long as its side acknowledges enough of it."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# What a client must accept within one span of its limit; less is a client that holds the
# connection and does not want the answer.
MIN_ACCEPTED_BYTES = 64 * 1024

# `tcpi_bytes_acked` of Linux' struct tcp_info.
_ACKED = struct.Struct("=Q")
_ACKED_OFFSET = 120


@asynccontextmanager
async def while_accepting(transport: asyncio.BaseTransport, seconds: float) -> AsyncIterator[None]:
    """Run the block for as long as the client accepts 64 KiB or more in each span of `seconds`.

    A plain timeout would ask for a rate: the kernel says that a socket can be written to only when
    a third of its buffer, which may be megabytes, has become free.

    Raises:
        TimeoutError: the client accepted less.
    """
    loop = asyncio.get_running_loop()
    accepted = _accepted_bytes(transport)
    timer: asyncio.TimerHandle

    def check() -> None:
        nonlocal accepted, timer
        now_accepted = _accepted_bytes(transport)
        if now_accepted - accepted < MIN_ACCEPTED_BYTES:
            limit.reschedule(loop.time())
        else:
            accepted = now_accepted
            timer = loop.call_later(seconds, check)

    async with asyncio.timeout(None) as limit:
        timer = loop.call_later(seconds, check)
        try:
            yield
        finally:
            timer.cancel()


def _accepted_bytes(transport: asyncio.BaseTransport) -> int:
    """Return how much the peer has acknowledged so far; 0 where that cannot be known."""
    connection = transport.get_extra_info("socket")
    try:
        state = connection.getsockopt(
            socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED_OFFSET + _ACKED.size
        )
        accepted: int = _ACKED.unpack_from(state, _ACKED_OFFSET)[0]
    except (OSError, AttributeError, struct.error):
        return 0
    return accepted
