"""The real registry as a process of its own: started, waited for, killed and started again.

`ATOMIC_TEST_PEER=docker-registry` runs Debian's docker-registry instead, to tell a fault of a test
from a fault of this registry.
"""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.kit.certificates import trusting_context

OPEN = {"ATOMIC_REGISTRY_ACCESS_POLICY": "open"}
START_SECONDS = 20.0
STOP_SECONDS = 45.0
POLL_SECONDS = 0.02

_PEER_SETTINGS = """version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: "{host}"}}
"""


def free_port() -> int:
    """A loopback port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(what: str, check: Callable[[], bool], seconds: float) -> float:
    """Polls until `check` holds; the seconds it took, or AssertionError naming `what`."""
    start = time.monotonic()
    while not check():
        if time.monotonic() - start > seconds:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - start


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without foreign certificate bundles and settings of this product."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.endswith(("_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"))
        and not name.startswith("ATOMIC_REGISTRY_")
    }
    return {**kept, **(extra or {})}


def status_field(pid: int, field: str) -> int:
    """A number of /proc/PID/status (VmRSS and VmHWM in bytes); 0 when the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    for line in lines:
        if line.startswith(f"{field}:"):
            words = line.split()
            return int(words[1]) * (1024 if words[-1] == "kB" else 1)
    return 0


def descendants(pid: int) -> list[int]:
    """The living children of a process and theirs."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and status_field(int(entry.name), "VmRSS"):
            parents.setdefault(status_field(int(entry.name), "PPid"), []).append(int(entry.name))
    found: list[int] = []
    queue = [pid]
    while queue:
        children = parents.get(queue.pop(), [])
        found.extend(children)
        queue.extend(children)
    return sorted(found)


class Registry:
    """One registry on a free loopback port, with a root directory of its own."""

    def __init__(
        self,
        root: Path,
        *,
        log: Path,
        workers: int | None = None,
        environment: Mapping[str, str] | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        self.root = root
        self.log = log
        self.host = f"{address}:{free_port()}"
        self.is_tls = "ATOMIC_REGISTRY_HTTP_TLS_CERTIFICATE" in (environment or {})
        self.url = f"{'https' if self.is_tls else 'http'}://{self.host}"
        self._workers = workers
        # Who may do what has tests of its own; a variable of the caller goes before this one.
        self._environment = clean_environment({**OPEN, **(environment or {})})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The main process; AssertionError before `start`."""
        assert self._process is not None, "the registry was not started"
        return self._process

    def command(self) -> list[str]:
        """What is run: this registry, or the peer when ATOMIC_TEST_PEER asks for it."""
        if os.environ.get("ATOMIC_TEST_PEER") == "docker-registry":
            settings = self.log.with_suffix(".yml")
            settings.write_text(_PEER_SETTINGS.format(root=self.root, host=self.host))
            return ["docker-registry", "serve", str(settings)]
        command = [sys.executable, "-m", "atomic_registry", "serve"]
        command += ["--root", str(self.root), "--registry-listen", self.host]
        return command if self._workers is None else [*command, "--workers", str(self._workers)]

    def start(self, *, within: float = START_SECONDS) -> float:
        """Starts it and waits until it answers; the seconds that took."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self.log.parent,
                start_new_session=True,
            )
        return wait_until("the registry answers", self._answers_or_died, within)

    def _answers_or_died(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the registry ended with {self.process.returncode}")
        return self.answers()

    def connection(self, seconds: float = 2.0) -> http.client.HTTPConnection:
        """A connection of its own, not yet open; whose certificate is served is not judged."""
        if not self.is_tls:
            return http.client.HTTPConnection(self.host, timeout=seconds)
        context = trusting_context()
        return http.client.HTTPSConnection(self.host, timeout=seconds, context=context)

    def answers(self, seconds: float = 2.0) -> bool:
        """Whether GET /v2/ says 200 now, or asks who calls."""
        connection = self.connection(seconds)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status in (200, 401)
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def worker_pids(self) -> list[int]:
        """The processes below the main one, or the main one when it forks none."""
        return descendants(self.process.pid) or [self.process.pid]

    def memory(self) -> dict[int, int]:
        """Resident bytes of each process of the registry."""
        pids = [self.process.pid, *descendants(self.process.pid)]
        return {pid: status_field(pid, "VmRSS") for pid in pids}

    @contextlib.contextmanager
    def only_worker(self, pid: int) -> Iterator[None]:
        """Every other worker stands still, so that this one takes each new connection."""
        others = [other for other in self.worker_pids() if other != pid]
        try:
            for other in others:
                os.kill(other, signal.SIGSTOP)
            yield
        finally:
            for other in others:
                os.kill(other, signal.SIGCONT)

    def kill9(self) -> None:
        """SIGKILL to the whole process group, waited for."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)

    def terminate(self) -> int:
        """SIGTERM and its exit status; what does not drain in time is killed and fails."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            self.kill9()

    def restart(self) -> float:
        """Ends it gracefully if it still runs and starts it again on the same port and root."""
        if self.process.poll() is None:
            self.terminate()
        return self.start()

    def log_tail(self, size: int = 6000) -> str:
        """The end of what the server printed."""
        return self.log.read_bytes()[-size:].decode(errors="replace") if self.log.exists() else ""


@contextlib.contextmanager
def running_registry(
    directory: Path,
    *,
    root: Path | None = None,
    workers: int | None = None,
    environment: Mapping[str, str] | None = None,
    address: str = "127.0.0.1",
) -> Iterator[Registry]:
    """A started registry; on a failure inside, the end of its log goes with the exception."""
    directory.mkdir(parents=True, exist_ok=True)
    registry = Registry(
        root or directory / "root",
        log=directory / "registry.log",
        workers=workers,
        environment=environment,
        address=address,
    )
    try:
        registry.start()
        yield registry
    except BaseException as error:
        error.add_note(f"--- end of the registry's log ---\n{registry.log_tail()}")
        raise
    finally:
        if registry._process is not None:
            if registry.process.poll() is None:
                registry.process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    registry.process.wait(5)
            registry.kill9()
