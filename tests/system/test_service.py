"""The whole service under settings that the other tests leave alone: TLS, IPv6, bounds, drivers."""

import contextlib
import http.client
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.certificates import common_name, write_pair
from tests.kit.http import RegistryClient, read_answer, sha256, with_query
from tests.kit.images import image
from tests.kit.optional import lacking
from tests.kit.registry import OPEN, Registry, clean_environment, running_registry, wait_until

REPOSITORY = "service/app"
PING = b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n"
PREFIX = "ATOMIC_REGISTRY_"


def open_raw(registry: Registry, seconds: float = 5) -> socket.socket:
    host, port = registry.host.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=seconds)


def ping(connection: socket.socket) -> int:
    connection.sendall(PING)
    return read_answer(connection).status


def is_answered(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False


def test_accepting_pauses_at_the_bound_and_goes_on_below_it(tmp_path: Path) -> None:
    environment = {f"{PREFIX}HTTP_MAX_CONNECTIONS": "3"}
    with (
        running_registry(tmp_path, workers=1, environment=environment) as registry,
        contextlib.ExitStack() as stack,
    ):
        inside = [stack.enter_context(open_raw(registry)) for _ in range(3)]
        assert [ping(connection) for connection in inside] == [200, 200, 200]
        waiting = [stack.enter_context(open_raw(registry)) for _ in range(2)]
        for connection in waiting:
            connection.sendall(PING)
        assert not is_answered(waiting[0], 1)
        # Those inside lose nothing by it.
        assert ping(inside[0]) == 200
        inside[1].close()
        assert is_answered(waiting[0], 5)
        assert not is_answered(waiting[1], 0.5)
        inside[2].close()
        assert is_answered(waiting[1], 5)
        assert [read_answer(connection).status for connection in waiting] == [200, 200]


@pytest.fixture
def ipv6() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        lacking("this machine has no IPv6 loopback")


def test_push_and_pull_work_over_ipv6(tmp_path: Path, ipv6: None) -> None:
    with running_registry(tmp_path, workers=1, address="[::1]") as registry:
        with RegistryClient(registry.host) as client:
            assert client.push_image(REPOSITORY, "v1", image("six")).status == 201
            client.assert_pullable(REPOSITORY, "v1")
        assert f"http://{registry.host}" in registry.log_tail()
        assert registry.terminate() == 0


def served_name(registry: Registry) -> str:
    """Return the name in the certificate of a fresh connection on which a request succeeds."""
    connection = registry.connection(5)
    try:
        connection.request("GET", "/v2/")
        assert connection.getresponse().status == 200
        assert isinstance(connection.sock, ssl.SSLSocket)
        return common_name(connection.sock.getpeercert(binary_form=True))
    finally:
        connection.close()


def names_of_workers(registry: Registry) -> list[str]:
    names = []
    for pid in registry.worker_pids():
        with registry.only_worker(pid):
            names.append(served_name(registry))
    return names


def test_every_worker_serves_new_certificates_and_never_a_mismatched_pair(tmp_path: Path) -> None:
    certificate, key = write_pair(tmp_path / "tls", "one")
    environment = {
        f"{PREFIX}HTTP_TLS_CERTIFICATE": str(certificate),
        f"{PREFIX}HTTP_TLS_KEY": str(key),
    }
    with running_registry(tmp_path, workers=2, environment=environment) as registry:
        assert names_of_workers(registry) == ["one", "one"]
        write_pair(tmp_path / "tls", "two")
        wait_until("both serve it", lambda: names_of_workers(registry) == ["two", "two"], 15)

        key.write_bytes(write_pair(tmp_path / "other", "other")[1].read_bytes())
        refusal = b"certificate not reloaded"
        wait_until("both refuse it", lambda: registry.log.read_bytes().count(refusal) >= 2, 15)
        assert names_of_workers(registry) == ["two", "two"]

        write_pair(tmp_path / "tls", "three")
        wait_until("both recover", lambda: names_of_workers(registry) == ["three", "three"], 15)
        assert registry.terminate() == 0


def test_a_mismatched_pair_at_the_start_is_refused_with_both_paths(tmp_path: Path) -> None:
    certificate, _ = write_pair(tmp_path / "tls", "one")
    _, key = write_pair(tmp_path / "other", "other")
    done = serve(
        tmp_path / "root",
        {
            f"{PREFIX}HTTP_TLS_CERTIFICATE": str(certificate),
            f"{PREFIX}HTTP_TLS_KEY": str(key),
        },
    )
    assert done.returncode == 78
    assert str(certificate) in done.stderr and str(key) in done.stderr
    assert "Traceback" not in done.stderr


def serve(root: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a service that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "atomic_registry", "serve", "--root", str(root),
         "--registry-listen", "127.0.0.1:0", "--workers", "1"],
        env=clean_environment({**OPEN, **environment}), capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


@pytest.fixture
def without_pysqlite3(tmp_path: Path) -> dict[str, str]:
    """An environment in which pysqlite3 cannot be imported."""
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "pysqlite3.py").write_text("raise ImportError('blocked by the test')\n")
    return {"PYTHONPATH": str(blocked)}


def test_the_sqlite_of_python_serves_and_is_warned_of(
    tmp_path: Path, without_pysqlite3: dict[str, str]
) -> None:
    with running_registry(tmp_path, workers=2, environment=without_pysqlite3) as registry:
        with RegistryClient(registry.host) as client:
            for number in range(5):
                answer = client.push_image(REPOSITORY, f"v{number}", image(f"lite-{number}"))
                assert answer.status == 201
                client.assert_pullable(REPOSITORY, f"v{number}")
        registry.kill9()
        registry.start()
        with RegistryClient(registry.host) as client:
            assert client.tags(REPOSITORY) == [f"v{number}" for number in range(5)]
            client.assert_pullable(REPOSITORY, "v4")
        is_unsafe = sqlite3.sqlite_version_info < (3, 51, 3)
        assert is_unsafe == ("this SQLite can corrupt a database" in registry.log_tail(100_000))


def test_a_database_of_a_newer_release_is_refused_in_one_line_and_left_alone(
    tmp_path: Path,
) -> None:
    with running_registry(tmp_path, workers=1) as registry:
        assert registry.terminate() == 0
    database = tmp_path / "root" / "datastore" / "metadata.db"
    newer = "UPDATE schema_info SET schema_version=9, compat_version=8, compat_release='7.5'"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute(newer)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        before = list(connection.iterdump())
    done = serve(tmp_path / "root", {})
    assert done.returncode == 78
    assert done.stderr.startswith("error: ") and "7.5" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert before == list(connection.iterdump())


@pytest.fixture
def two_workers(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path, workers=2) as registry:
        yield registry


def connect_to_worker(registry: Registry, pid: int) -> http.client.HTTPConnection:
    """Return an open connection that this worker serves."""
    with registry.only_worker(pid):
        connection = registry.connection(10)
        connection.request("GET", "/v2/")
        assert connection.getresponse().read() is not None
    return connection


def begin_patch(
    connection: http.client.HTTPConnection, location: str, data: bytes
) -> socket.socket:
    """Send the first half of a body and return the socket for the second."""
    head = f"PATCH {location} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(data)}\r\n"
    sock = connection.sock
    assert isinstance(sock, socket.socket)
    sock.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
    # The body is read only once the lease is held.
    assert sock.recv(100).startswith(b"HTTP/1.1 100 ")
    sock.sendall(data[: len(data) // 2])
    return sock


def test_an_upload_that_one_worker_writes_is_busy_for_the_other(two_workers: Registry) -> None:
    first_pid, second_pid = two_workers.worker_pids()
    data = b"0123456789" * 1000
    with (
        RegistryClient(two_workers.host) as client,
        contextlib.closing(connect_to_worker(two_workers, first_pid)) as first,
        contextlib.closing(connect_to_worker(two_workers, second_pid)) as second,
    ):
        location = client.upload_location(REPOSITORY)
        sock = begin_patch(first, location, data)
        for method, target in (
            ("PATCH", location),
            ("PUT", with_query(location, digest=sha256(b"stolen"))),
        ):
            second.request(method, target, b"stolen")
            refused = second.getresponse()
            body = refused.read()
            assert refused.status == 409, body
            assert b"BLOB_UPLOAD_INVALID" in body
        sock.sendall(data[5000:])
        assert read_answer(sock).status == 202
        assert client.finish_upload(location, sha256(data)).status == 201
        assert client.pull_blob(REPOSITORY, sha256(data)).body == data


def test_a_worker_that_dies_in_an_upload_leaves_it_to_the_other(two_workers: Registry) -> None:
    first_pid, second_pid = two_workers.worker_pids()
    data = b"abcdefghij" * 1000
    with (
        RegistryClient(two_workers.host) as client,
        contextlib.closing(connect_to_worker(two_workers, first_pid)) as first,
        contextlib.closing(connect_to_worker(two_workers, second_pid)) as second,
    ):
        location = client.upload_location(REPOSITORY)
        begin_patch(first, location, data)
        os.kill(first_pid, signal.SIGKILL)
        target = with_query(location, digest=sha256(data))

        def finishes() -> bool:
            second.request("PUT", target, data, {"Content-Range": f"0-{len(data) - 1}"})
            answer = second.getresponse()
            answer.read()
            assert answer.status in (201, 409), answer.status
            return answer.status == 201

        # The worker that takes the dead one's place frees what that one held.
        wait_until("the upload is free", finishes, 20)
    with RegistryClient(two_workers.host) as client:
        assert client.pull_blob(REPOSITORY, sha256(data)).body == data
