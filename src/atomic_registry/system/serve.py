"""The services: binds, forks workers, replaces those that die, drains them at the end."""

import asyncio
import fcntl
import gc
import os
import select
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from atomic_registry.clock import SystemClock
from atomic_registry.system.failures import CONFIGURATION_EXIT, CannotServe
from atomic_registry.system.heartbeats import Heartbeats
from atomic_registry.system.notify import Notifier
from atomic_registry.system.pairs import Pair, settle_pair
from atomic_registry.system.sockets import Entrance, inherited_sockets, open_entrance
from atomic_registry.system.tls import ReloadingContext, TlsOptions
from atomic_registry.system.workers import WorkerOptions, worker_main

_logger = structlog.get_logger(__name__)
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
_TICK_SECONDS = 0.02
_START_ATTEMPTS = 3
_HEALTHY_SECONDS = 5.0
_MAX_BACKOFF_SECONDS = 10.0
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One listener with its workers; only one process may run the service on a root."""

    name: str
    listen: tuple[str, int]
    workers: int
    options: WorkerOptions


@dataclass(slots=True)
class _Worker:
    service: Service
    entrance: Entrance
    index: int
    pid: int = 0
    ready: int | None = None
    started: float = 0.0
    failures: int = 0
    early_deaths: int = 0
    start_at: float = 0.0
    was_ready: bool = False


def run_services(
    services: Sequence[Service],
    *,
    root: Path,
    environment: Mapping[str, str],
    on_ready: Callable[[], None] = lambda: None,
) -> int:
    """Serve until a signal and return the exit code.

    The environment is that of the process: a unit's has what systemd hands over and waits for.
    """
    locks: list[int] = []
    notifier = Notifier(environment, os.getpid())
    try:
        for service in services:
            locks.append(_lock(root, service.name))
            if service.options.tls is not None:
                _check_tls(service.options.tls)
        given = inherited_sockets(environment, os.getpid())
        bound = [
            (service, open_entrance(service.name, *service.listen, given.get(service.name)))
            for service in services
        ]
        return Supervisor(bound, locks, notifier).run(on_ready)
    except CannotServe as error:
        _logger.error(str(error))  # noqa: TRY400
        notifier.failed(str(error))
        return CONFIGURATION_EXIT
    except WorkersFailed as error:
        _logger.error(str(error))  # noqa: TRY400
        notifier.failed(str(error))
        return 1
    finally:
        for lock in locks:
            os.close(lock)


class WorkersFailed(Exception):
    """No worker becomes ready; another start may do better."""


class Supervisor:
    """The parent of the workers; it serves nothing itself and holds no connection."""

    def __init__(
        self,
        services: Sequence[tuple[Service, Entrance]],
        locks: Sequence[int],
        notifier: Notifier,
    ) -> None:
        self._entrances = [entrance for _, entrance in services]
        self._locks = tuple(locks)
        self._drain_seconds = max(service.options.drain_seconds for service, _ in services)
        self._clock = SystemClock()
        self._workers = [
            _Worker(service, entrance, index)
            for service, entrance in services
            for index in range(service.workers)
        ]
        self._heartbeats = Heartbeats(self._clock, len(self._workers))
        self._notifier = notifier
        self._next_ping = 0.0
        self._life_read, self._life_write = os.pipe()
        self._announced = False

    def run(self, on_ready: Callable[[], None]) -> int:
        """Run the workers until a signal, or until they cannot start."""
        previous = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        gc.collect()
        gc.freeze()
        try:
            return self._supervise(on_ready)
        finally:
            self._kill(signal.SIGKILL)
            self._reap(block=True)
            self._close_entrances()
            os.close(self._life_read)
            os.close(self._life_write)
            signal.pthread_sigmask(signal.SIG_SETMASK, previous)

    def _supervise(self, on_ready: Callable[[], None]) -> int:
        while True:
            for worker in self._workers:
                if not worker.pid and self._clock.monotonic() >= worker.start_at:
                    self._spawn(worker)
            received = signal.sigtimedwait(_SIGNALS, self._tick())
            if received is not None and received.si_signo != signal.SIGCHLD:
                return self._drain()
            self._read_ready()
            self._reap()
            if not all(worker.failures < _START_ATTEMPTS for worker in self._workers):
                raise WorkersFailed(
                    f"a worker stopped {_START_ATTEMPTS} times before it was ready; "
                    "the reason is in the lines above"
                )
            if not self._announced and all(worker.was_ready for worker in self._workers):
                self._announced = True
                on_ready()
                self._notifier.ready(self._status())
            self._ping()

    def _status(self) -> str:
        places = {it.service.name: it.entrance.listener.getsockname()[:2] for it in self._workers}
        return "serving: " + ", ".join(f"{name} on port {at[1]}" for name, at in places.items())

    def _ping(self) -> None:
        """Tell systemd that all is well, unless a worker's event loop stands still."""
        now = self._clock.monotonic()
        if not self._notifier.ping_seconds or now < self._next_ping:
            return
        self._next_ping = now + self._notifier.ping_seconds
        for place, worker in enumerate(self._workers):
            if worker.was_ready and self._heartbeats.age(place) > self._notifier.ping_seconds:
                _logger.error(
                    "worker stands still, so the watchdog is not fed",
                    service=worker.service.name,
                    pid=worker.pid,
                    seconds=round(self._heartbeats.age(place), 1),
                )
                return
        self._notifier.alive()

    def _tick(self) -> float:
        settled = all(worker.pid and worker.ready is None for worker in self._workers)
        return 1.0 if settled else _TICK_SECONDS

    def _spawn(self, worker: _Worker) -> None:
        ready_read, ready_write = os.pipe()
        worker.started = self._clock.monotonic()
        pid = os.fork()
        if pid == 0:
            os.close(ready_read)
            self._run_child(worker, ready_write)
        os.close(ready_write)
        worker.pid, worker.ready = pid, ready_read

    def _run_child(self, worker: _Worker, ready: int) -> None:
        code = 1
        try:
            os.close(self._life_write)
            for other in self._workers:
                if other.ready is not None:
                    os.close(other.ready)
            # Ctrl-C reaches the whole group; the supervisor alone decides what it means.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            # The locks are the supervisor's: a worker that outlives it must not hold them.
            for lock in self._locks:
                os.close(lock)
            for entrance in self._entrances:
                if entrance is not worker.entrance:
                    entrance.close()
            options = worker.service.options
            asyncio.run(
                worker_main(
                    worker.index,
                    options,
                    worker.entrance,
                    ready=ready,
                    life=self._life_read,
                    beat=partial(self._heartbeats.beat, self._workers.index(worker)),
                )
            )
            code = 0
        except BaseException:
            _logger.exception("worker failed", service=worker.service.name, worker=worker.index)
        finally:
            os._exit(code)

    def _read_ready(self) -> None:
        for worker in self._workers:
            if worker.ready is None or not select.select([worker.ready], [], [], 0)[0]:
                continue
            if os.read(worker.ready, 1):
                worker.was_ready = True
                worker.failures = 0
            os.close(worker.ready)
            worker.ready = None

    def _reap(self, *, block: bool = False) -> None:
        for worker in self._workers:
            if not worker.pid:
                continue
            pid, status = os.waitpid(worker.pid, 0 if block else os.WNOHANG)
            if pid:
                self._bury(worker, os.waitstatus_to_exitcode(status))

    def _bury(self, worker: _Worker, code: int) -> None:
        _logger.info(
            "worker ended",
            service=worker.service.name,
            worker=worker.index,
            pid=worker.pid,
            code=code,
        )
        self._read_ready()
        lived = self._clock.monotonic() - worker.started
        if not worker.was_ready:
            worker.failures += 1
        worker.early_deaths = worker.early_deaths + 1 if lived < _HEALTHY_SECONDS else 0
        # The first replacement is immediate: a single crash must not halve the service.
        backoff = 0.25 * 2 ** (worker.early_deaths - 2) if worker.early_deaths > 1 else 0.0
        backoff = min(backoff, _MAX_BACKOFF_SECONDS)
        worker.pid = 0
        worker.was_ready = False
        worker.start_at = self._clock.monotonic() + backoff

    def _close_entrances(self) -> None:
        for entrance in self._entrances:
            entrance.close()

    def _drain(self) -> int:
        self._notifier.stopping("letting running transfers finish")
        self._close_entrances()
        self._kill(signal.SIGTERM)
        deadline = self._clock.monotonic() + self._drain_seconds + _GRACE_SECONDS
        while any(worker.pid for worker in self._workers):
            received = signal.sigtimedwait(_SIGNALS, 0.1)
            if received is not None and received.si_signo != signal.SIGCHLD:
                _logger.warning("second signal: stopping at once")
                return 1
            self._reap()
            if self._clock.monotonic() > deadline:
                _logger.error("workers did not stop in time and are killed")
                return 1
        return 0

    def _kill(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.pid:
                os.kill(worker.pid, number)


def _lock(root: Path, service: str) -> int:
    path = root / f"serve-{service}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotServe(
            f"cannot create {path}: {error.strerror}; the service's user must be able to write there"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        pid = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise CannotServe(
            f"the {service} service already runs on {root} (pid {pid}); stop it first or choose "
            "another root"
        ) from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def _check_tls(options: TlsOptions) -> None:
    pairs = [(options.certificate, options.key)]
    pairs += [(it.certificate, it.key) for it in options.named]
    for certificate, key in pairs:
        try:
            settle_pair(Pair(certificate=certificate, key=key))
            ReloadingContext(TlsOptions(certificate=certificate, key=key))
        except OSError as error:
            raise CannotServe(
                f"cannot use the certificate {certificate} with the key {key}: {error}; both must "
                "be PEM, readable, and belong together"
            ) from error
    try:
        ReloadingContext(options)
    except (OSError, ValueError) as error:
        authorities = [str(it) for it in (options.client_ca, *options.proxy_cas) if it is not None]
        raise CannotServe(
            f"cannot use the client authorities {', '.join(authorities)}: {error}; they must be "
            "PEM certificates and readable"
        ) from error
