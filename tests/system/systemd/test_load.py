"""Restarts under load: no client sees a request fail, and a long upload goes on where it was cut."""

import base64
import contextlib
import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.http import RegistryClient, location_path, sha256, with_query
from tests.kit.registry import wait_until
from tests.system.systemd.conftest import Client, Installed

ROUNDS = 3
SERVICES = tuple(f"atomic-registry{it}.service" for it in ("-master", "", "-console"))


class Load:
    """Clients in threads, each in a loop; what fails is kept, and nothing is tried again."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def add(self, name: str, step: Callable[[int], object]) -> None:
        """One more client."""
        self.done[name] = 0
        self._threads.append(threading.Thread(target=self._repeat, args=(name, step)))
        self._threads[-1].start()

    def _repeat(self, name: str, step: Callable[[int], object]) -> None:
        while not self._stop.is_set():
            try:
                step(self.done[name])
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failures.append(f"{name}: {error!r}")
            self.done[name] += 1

    def stop(self) -> None:
        """Let each client end what it is at."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def wait_for_more(self, count: int) -> None:
        """Until each client has been through its loop so many times more."""
        goals = {name: before + count for name, before in self.done.items()}
        wait_until(
            "all clients go on",
            lambda: all(self.done[name] >= goal for name, goal in goals.items()),
            60,
        )


@contextlib.contextmanager
def loaded() -> Iterator[Load]:
    load = Load()
    try:
        yield load
    finally:
        load.stop()


class Caller:
    """Plain requests over TLS; a connection is new each time, or kept for as long as may be."""

    def __init__(self, installed: Installed, port: int, path: str, *, keeps: bool) -> None:
        self._context = ssl.create_default_context(cafile=str(installed.authority))
        self._port, self._path, self._keeps = port, path, keeps
        self._connection = self._fresh()

    def _fresh(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "localhost", self._port, timeout=30, context=self._context
        )

    def __call__(self, _: int) -> None:
        self._connection.request("GET", self._path)
        answer = self._connection.getresponse()
        answer.read()
        assert answer.status in (200, 401), answer.status
        if not self._keeps:
            self.close()
        time.sleep(0.005)

    def close(self) -> None:
        """Ends the connection; the next request makes another."""
        self._connection.close()


def test_no_request_fails_over_restarts_of_all_three_under_load(
    installed: Installed, image: Path, tmp_path: Path
) -> None:
    ports = {
        "registry": (installed.registry_port, "/v2/"),
        "master": (installed.master_port, "/healthz"),
        "console": (installed.console_port, "/"),
    }
    (tmp_path / "pushing").mkdir()
    (tmp_path / "pulling").mkdir()
    pushing = Client(installed, tmp_path / "pushing", image)
    pulling = Client(installed, tmp_path / "pulling", image)
    pushing.push("demo/load:v0")
    with contextlib.ExitStack() as callers, loaded() as load:
        load.add("push", lambda count: pushing.push(f"demo/load{count}:v1"))
        load.add("pull", lambda _: pulling.pull("demo/load:v0"))
        for name, (port, path) in ports.items():
            for keeps in (False, True):
                caller = Caller(installed, port, path, keeps=keeps)
                callers.callback(caller.close)
                load.add(f"{name} {keeps=}", caller)
        for _ in range(ROUNDS):
            load.wait_for_more(1)
            installed.machine.run("systemctl", "restart", *SERVICES)
        load.wait_for_more(2)
    print(load.done)
    assert load.failures == []


@pytest.fixture
def impatient(installed: Installed) -> Iterator[Installed]:
    """A registry that cuts transfers one second after it was told to stop."""
    variables = installed.machine.path("/etc/sysconfig/atomic-registry")
    before = variables.read_text()
    variables.write_text(f"{before}ATOMIC_REGISTRY_HTTP_DRAIN_SECONDS=1\n")
    installed.machine.run("systemctl", "restart", "atomic-registry.service")
    yield installed
    variables.write_text(before)
    installed.machine.run("systemctl", "restart", "atomic-registry.service")


def test_an_upload_longer_than_the_patience_of_a_restart_goes_on_where_it_was_cut(
    impatient: Installed,
) -> None:
    repository, data = "demo/resumed", b"0123456789abcdef" * 65536 * 3
    first = len(data) // 3
    context = ssl.create_default_context(cafile=str(impatient.authority))
    with contextlib.closing(
        http.client.HTTPSConnection(
            "localhost", impatient.registry_port, timeout=30, context=context
        )
    ) as connection:
        client = RegistryClient.over(connection)
        bearer = {"Authorization": f"Bearer {_token(client, repository)}"}
        answer = client.request("POST", f"/v2/{repository}/blobs/uploads/", b"", bearer)
        assert answer.status == 202, answer.body
        location = location_path(answer)

        def slowly() -> Iterator[bytes]:
            yield data[:first]
            time.sleep(1)
            impatient.machine.run("systemctl", "restart", "atomic-registry.service")
            for _ in range(20):
                yield data[first : first + 1]
                time.sleep(0.1)

        with pytest.raises((OSError, http.client.HTTPException)):
            client.request("PATCH", location, slowly(), bearer)
        there = client.request("GET", location, None, bearer)
        assert there.status == 204
        end = int(there.headers["range"].removeprefix("0-")) + 1
        assert first <= end < len(data)
        span = {"Content-Range": f"{end}-{len(data) - 1}", **bearer}
        answer = client.request("PATCH", location_path(there), data[end:], span)
        assert answer.status == 202, answer.body
        target = with_query(location_path(answer), digest=sha256(data))
        assert client.request("PUT", target, b"", bearer).status == 201
        pulled = client.request("GET", f"/v2/{repository}/blobs/{sha256(data)}", None, bearer)
        assert data == pulled.body


def _token(client: RegistryClient, repository: str) -> str:
    basic = base64.b64encode(b"mary:secret").decode()
    scope = f"repository:{repository}:pull,push"
    path = f"/openshift/token?account=mary&scope={scope}"
    answer = client.request("GET", path, None, {"Authorization": f"Basic {basic}"})
    assert answer.status == 200, answer.body
    token: str = json.loads(answer.body)["token"]
    return token
