"""The supervisor and its workers as real processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.demo import KILOBYTE, PATTERN

REPOSITORY = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    def __init__(self, root: Path, port: int, workers: int = 2) -> None:
        self.port = port
        command = [sys.executable, "-m", "tests.system.demo", str(root), str(port), str(workers)]
        paths = f"{REPOSITORY / 'src'}:{REPOSITORY}"
        self.process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": paths},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def workers(self) -> set[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return set(map(int, path.read_text().split()))

    def get(self) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
            client.sendall(b"GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return client.makefile("rb").read()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=10)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[int], Service]]:
    (tmp_path / "blob").write_bytes(PATTERN)
    services = []

    def run(port: int) -> Service:
        services.append(Service(tmp_path, port))
        return services[-1]

    yield run
    for service in services:
        service.end()


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


def test_sigterm_lets_a_running_download_end(start: Callable[[int], Service]) -> None:
    service = start(free_port())
    assert service.line() == "READY"
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as client:
        client.sendall(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n")
        reader = client.makefile("rb")
        while reader.readline() != b"\r\n":
            pass
        service.process.terminate()
        # The listener is gone before the download has ended.
        wait_for(lambda: _refused(service.port))
        assert reader.read() == b"<" + PATTERN + b">"
    assert service.process.wait(10) == 0


def test_sigterm_lets_a_running_upload_end(start: Callable[[int], Service]) -> None:
    service = start(free_port())
    assert service.line() == "READY"
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as client:
        client.sendall(b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n")
        client.sendall(b"Expect: 100-continue\r\n\r\n")
        assert b" 100 " in client.recv(100)
        client.sendall(b"abc")
        service.process.terminate()
        wait_for(lambda: _refused(service.port))
        client.sendall(b"def")
        answer = client.makefile("rb").read()
    assert b"Connection: close" in answer
    assert answer.endswith(b"abcdef")
    assert service.process.wait(10) == 0


def test_sigterm_closes_idle_connections(start: Callable[[int], Service]) -> None:
    service = start(free_port())
    assert service.line() == "READY"
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as client:
        client.sendall(b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(10)
        service.process.terminate()
        assert service.process.wait(5) == 0


def test_a_second_signal_stops_at_once(start: Callable[[int], Service]) -> None:
    service = start(free_port())
    assert service.line() == "READY"
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as client:
        client.sendall(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(10)
        service.process.send_signal(signal.SIGINT)
        wait_for(lambda: _refused(service.port))
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(3) == 1


def test_a_killed_worker_is_replaced(start: Callable[[int], Service]) -> None:
    service = start(free_port())
    assert service.line() == "READY"
    before = service.workers()
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: len(service.workers() - before) == 1)
    assert service.get().endswith(KILOBYTE)


def test_a_killed_supervisor_frees_the_port_and_the_root(start: Callable[[int], Service]) -> None:
    service = start(free_port())
    assert service.line() == "READY"
    workers = service.workers()
    service.process.kill()
    service.process.wait(5)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 3)
    again = start(service.port)
    assert again.line() == "READY"
    assert again.get().endswith(KILOBYTE)


def test_a_second_service_on_the_same_root_is_refused(start: Callable[[int], Service]) -> None:
    service = start(free_port())
    assert service.line() == "READY"
    second = start(free_port())
    _, errors = second.process.communicate(timeout=10)
    assert second.process.returncode == 78
    assert f"(pid {service.process.pid})" in errors


def test_a_port_in_use_is_refused_with_a_hint(start: Callable[[int], Service]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        service = start(other.getsockname()[1])
        _, errors = service.process.communicate(timeout=10)
    assert service.process.returncode == 78
    assert "choose another port" in errors


def _refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
