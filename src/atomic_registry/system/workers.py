"""One worker process: accepts, serves, drains, and never outlives its supervisor."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from atomic_registry.system.renewal import Renewal
from atomic_registry.system.sockets import Entrance
from atomic_registry.system.tls import ReloadingContext, TlsOptions
from atomic_registry.web.guard import Guard
from atomic_registry.web.server import HttpServer, ServerLimits

_logger = structlog.get_logger(__name__)
_HANDSHAKE_SECONDS = 10.0
_ACCEPT_PAUSE_SECONDS = 0.1
_ORPHAN_SECONDS = 1.0
_BEAT_SECONDS = 1.0
# Less than the supervisor waits on top of the drain.
_RECORD_SECONDS = 3.0


class WorkerApp(Protocol):
    """What a worker serves."""

    @property
    def guard(self) -> Guard: ...

    async def close(self) -> None:
        """Release what the worker holds; called once, after the last request."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """What every worker of a service has in common."""

    build: Callable[[int], Awaitable[WorkerApp]]
    tls: TlsOptions | None = None
    renewal: Renewal | None = None
    limits: ServerLimits = field(default_factory=ServerLimits)
    max_connections: int = 4096
    drain_seconds: float = 30.0


async def worker_main(
    index: int,
    options: WorkerOptions,
    entrance: Entrance,
    *,
    ready: int,
    life: int,
    beat: Callable[[], None],
) -> None:
    """Serve until SIGTERM (drains) or until the other end of `life` is closed (stops at once).

    `beat` is called every second for as long as the event loop turns.
    """
    loop = asyncio.get_running_loop()
    drain, orphaned = asyncio.Event(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, drain.set)
    loop.add_reader(life, _orphan, loop, life, drain, orphaned)
    if options.tls is not None:
        options.tls.limit_buffers()
    reloading = None if options.tls is None else ReloadingContext(options.tls)
    watchers = [] if reloading is None else [asyncio.create_task(reloading.watch())]
    if options.renewal is not None and index == 0:
        watchers.append(asyncio.create_task(options.renewal.run()))
    watchers.append(asyncio.create_task(_beat(beat)))
    app = await options.build(index)
    acceptor = Acceptor(entrance, app.guard, options, reloading)
    acceptor.start()
    acceptor.turn_away()
    os.write(ready, b"R")
    os.close(ready)
    await drain.wait()
    await acceptor.drain(orphaned, options.drain_seconds)
    for watcher in watchers:
        watcher.cancel()
    if not orphaned.is_set():
        await app.close()


async def _beat(beat: Callable[[], None]) -> None:
    while True:
        beat()
        await asyncio.sleep(_BEAT_SECONDS)


def _orphan(
    loop: asyncio.AbstractEventLoop, life: int, drain: asyncio.Event, orphaned: asyncio.Event
) -> None:
    loop.remove_reader(life)
    orphaned.set()
    drain.set()
    # A thread that hangs in a system call must not keep an orphan alive.
    loop.call_later(_ORPHAN_SECONDS, os._exit, 1)


def _refuse(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        listener.accept()[0].close()


def _nobody(_: bytes) -> bool:
    return False


class Acceptor:
    """Takes one connection for each wake-up, so that workers share them, up to a bound."""

    def __init__(
        self,
        entrance: Entrance,
        guard: Guard,
        options: WorkerOptions,
        reloading: ReloadingContext | None,
    ) -> None:
        self._entrance = entrance
        self._listener = entrance.listener
        self._loop = asyncio.get_running_loop()
        self._server = HttpServer(
            guard,
            options.limits,
            on_closed=self._on_closed,
            is_account=_nobody if reloading is None else reloading.is_account,
        )
        self._context = None if reloading is None else reloading.context
        self._max = options.max_connections
        self._starting: set[asyncio.Task[None]] = set()
        self._accepting = False
        self._stopped = False
        self._closed = asyncio.Event()

    def start(self) -> None:
        """Accept from now on."""
        if not self._accepting and not self._stopped:
            self._accepting = True
            self._loop.add_reader(self._listener, self._accept)

    def turn_away(self) -> None:
        """Close each connection to a socket that is no longer served."""
        if self._entrance.retired is not None:
            self._loop.add_reader(self._entrance.retired, _refuse, self._entrance.retired)

    async def drain(self, orphaned: asyncio.Event, seconds: float) -> None:
        """Stop accepting, let requests finish for so long, then cut what is left."""
        self._stopped = True
        self._pause()
        if self._entrance.retired is not None:
            self._loop.remove_reader(self._entrance.retired)
        self._entrance.close()
        await self._wait(orphaned, seconds)
        self._server.abort()
        for task in self._starting:
            task.cancel()
        # An upload that was cut writes down how far it got, for its client to go on from there.
        await self._wait(orphaned, _RECORD_SECONDS)

    async def _wait(self, orphaned: asyncio.Event, seconds: float) -> None:
        deadline = self._loop.time() + seconds
        while self._open() and not orphaned.is_set() and self._loop.time() < deadline:
            # Again in each round: a handshake may just have ended.
            self._server.close_idle()
            self._closed.clear()
            try:
                await asyncio.wait_for(self._closed.wait(), 0.1)
            except TimeoutError:
                continue

    def _open(self) -> int:
        return self._server.connections + len(self._starting)

    def _pause(self) -> None:
        if self._accepting:
            self._accepting = False
            self._loop.remove_reader(self._listener)

    def _on_closed(self) -> None:
        self._closed.set()
        if self._open() < self._max:
            self.start()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            _logger.error("cannot accept connections for now", reason=str(error))  # noqa: TRY400
            self._pause()
            self._loop.call_later(_ACCEPT_PAUSE_SECONDS, self.start)
            return
        if not self._entrance.takes(connection):
            connection.close()
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._connect(connection))
        self._starting.add(task)
        task.add_done_callback(self._started)
        if self._open() >= self._max:
            self._pause()

    def _started(self, task: asyncio.Task[None]) -> None:
        self._starting.discard(task)
        self._on_closed()

    async def _connect(self, connection: socket.socket) -> None:
        handshake = None if self._context is None else _HANDSHAKE_SECONDS
        try:
            await self._loop.connect_accepted_socket(
                self._server, connection, ssl=self._context, ssl_handshake_timeout=handshake
            )
        except (OSError, TimeoutError) as error:
            _logger.debug("connection not established", reason=str(error))
            connection.close()
