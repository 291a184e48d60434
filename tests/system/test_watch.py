"""Watches of the running master, as kubectl and plain clients use them."""

import contextlib
import http.client
import json
import queue
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.kit.access import PROJECTS, REVOKED_WITHIN, Site, basic, bearer, running_site
from tests.kit.http import Answer, RegistryClient
from tests.kit.images import image
from tests.kit.optional import need_commands

ROBOTS = "/api/v1/namespaces/smoke/serviceaccounts"
SOON = 0.2


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as started:
        started.new_project("mary", "smoke")
        yield started


class Mary(RegistryClient):
    """Sends her password with every request."""

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        return super().request(method, path, body, {**(headers or {}), **basic("mary", "password")})


class Lines:
    """Lines as they arrive, with their times; None at the end."""

    def __init__(self, stream: Any) -> None:
        self._arrived: queue.Queue[tuple[float, str] | None] = queue.Queue()
        self._stream = stream
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            while line := self._stream.readline():
                text = line if isinstance(line, str) else line.decode()
                self._arrived.put((time.monotonic(), text))
        self._arrived.put(None)

    def next(self, seconds: float = 15) -> tuple[float, str]:
        found = self._arrived.get(timeout=seconds)
        assert found is not None, "the stream has ended"
        return found

    def end(self, seconds: float) -> None:
        """Wait for the end."""
        deadline = time.monotonic() + seconds
        while self._arrived.get(timeout=max(deadline - time.monotonic(), 0.01)) is not None:
            pass


@contextlib.contextmanager
def watching(site: Site, path: str, token: str = "") -> Iterator[Lines]:
    context = ssl.create_default_context(cafile=str(site.ca))
    if not token:
        pair = (site.root / "master" / f"admin.{end}" for end in ("crt", "key"))
        context.load_cert_chain(*map(str, pair))
    connection = http.client.HTTPSConnection(site.master_host, context=context, timeout=60)
    connection.request("GET", path, headers=bearer(token) if token else {})
    answer = connection.getresponse()
    assert 200 == answer.status, answer.read()
    assert "application/json" == answer.headers["Content-Type"]
    try:
        yield Lines(answer)
    finally:
        if connection.sock is not None:
            connection.sock.close()


@contextlib.contextmanager
def kubectl(site: Site, *words: str) -> Iterator[Lines]:
    need_commands("kubectl")
    master = site.root / "master"
    command = [
        "kubectl", f"--server=https://{site.master_host}", f"--certificate-authority={site.ca}",
        f"--client-certificate={master / 'admin.crt'}", f"--client-key={master / 'admin.key'}",
        f"--cache-dir={site.directory / 'kube-cache'}", *words,
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    ) as process:
        try:
            yield Lines(process.stdout)
        finally:
            process.kill()


def make(site: Site, name: str) -> float:
    """Make a robot; when that was asked for."""
    began = time.monotonic()
    site.call("POST", ROBOTS, {"metadata": {"name": name}})
    return began


def test_a_change_shows_within_200_milliseconds(site: Site) -> None:
    with watching(site, f"{ROBOTS}?watch=true&resourceVersion=0") as lines:
        delays = []
        for number in range(5):
            began = make(site, f"quick-{number}")
            arrived, line = lines.next()
            event = json.loads(line)
            assert ("ADDED", f"quick-{number}") == (
                event["type"], event["object"]["metadata"]["name"],
            )  # fmt: skip
            delays.append(arrived - began)
    # The request itself is in it; on a busy machine one of them may be slow.
    assert sorted(delays)[1] < SOON, delays


def test_a_push_to_the_registry_shows_at_the_master_within_200_milliseconds(site: Site) -> None:
    streams = "/apis/image.openshift.io/v1/namespaces/smoke/imagestreams"
    pushed = image("watched")
    with (
        Mary(site.host) as client,
        watching(site, f"{streams}?watch=1&resourceVersion=0") as lines,
    ):
        for blob in pushed.blobs:
            assert 201 == client.push_blob("smoke/app", blob.data).status
        delays = []
        for number in range(5):
            began = time.monotonic()
            assert 201 == client.push_manifest("smoke/app", f"v{number}", pushed.manifest).status
            while f'"v{number}"' not in (found := lines.next())[1]:
                pass
            delays.append(found[0] - began)
    assert sorted(delays)[1] < SOON, delays


def test_kubectl_watches(site: Site) -> None:
    make(site, "before")
    with kubectl(site, "-n", "smoke", "get", "serviceaccounts", "-w", "-o", "name") as lines:
        while "before" not in lines.next(30)[1]:
            pass
        make(site, "after")
        while "serviceaccount/after" not in lines.next()[1]:
            pass
    shown = '-o=jsonpath={.type} {.object.metadata.name}{"\\n"}'
    with kubectl(
        site, "get", "projects.project.openshift.io", "-w", "--output-watch-events", shown
    ) as lines:
        while "smoke" not in lines.next(30)[1]:
            pass
        site.new_project("mary", "watched")
        while "watched" not in (line := lines.next()[1]):
            pass
        assert line.startswith("ADDED")
        site.call("DELETE", f"{PROJECTS}/watched")
        while "DELETED" not in (line := lines.next()[1]):
            pass
        assert "watched" in line


def test_kubectl_shows_a_table_of_what_comes(site: Site) -> None:
    with kubectl(site, "-n", "smoke", "get", "serviceaccounts", "-w") as lines:
        assert "NAME" in lines.next(30)[1]
        make(site, "in-a-table")
        while not (line := lines.next()[1]).startswith("in-a-table"):
            pass
        assert "Error" not in line


def test_a_watch_ends_when_its_token_or_the_right_is_withdrawn(site: Site) -> None:
    token = site.log_in("bob")
    binding = site.grant("smoke", "admin", {"kind": "User", "name": "bob"})
    personal, name = site.personal_token("mary")
    with (
        watching(site, f"{ROBOTS}?watch=true", token) as bobs,
        watching(site, f"{ROBOTS}?watch=true", personal) as marys,
    ):
        assert "ADDED" in bobs.next()[1] and "ADDED" in marys.next()[1]
        site.call("DELETE", binding)
        own = "/apis/oauth.openshift.io/v1/useroauthaccesstokens"
        site.call("DELETE", f"{own}/{name}", None, bearer(site.log_in("mary")))
        bobs.end(REVOKED_WITHIN)
        marys.end(REVOKED_WITHIN)


def test_a_request_to_stop_ends_watches_at_once(tmp_path: Path) -> None:
    with running_site(tmp_path / "site") as site:
        site.new_project("mary", "smoke")
        make(site, "one")
        with watching(site, f"{ROBOTS}?watch=true") as lines:
            assert "ADDED" in lines.next()[1]
            [command] = site.commands.values()
            command.process.send_signal(signal.SIGTERM)
            lines.end(3)
        assert 0 == command.process.wait(10)
