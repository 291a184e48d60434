"""Many watches over real sockets: what they cost while nothing happens, and how they wake."""

import contextlib
import json
import select
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.access import call, personal_token, registry_token, token_path
from bench.client import Connection
from bench.data import MANIFEST_HEADER, expect, manifest_of, push_blob, small_image
from bench.servers import Server, cpu_seconds, memory_now

_BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
_GROUP = "bench:watchers"
_WATCHERS = {
    "metadata": {"generateName": "bench-watchers-"},
    "roleRef": {"kind": "ClusterRole", "name": "cluster-reader"},
    "subjects": [{"kind": "Group", "name": _GROUP}],
}
# The most that one user may have open.
_OF_ONE_USER = 100
_WAIT_SECONDS = 30.0
_READ = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Master:
    """The master's address and what an administrator shows it."""

    port: int
    context: ssl.SSLContext


def master_of(directory: Path, port: int) -> Master:
    """The master whose directory this is, with the certificate of its administrator."""
    context = ssl.create_default_context(cafile=str(directory / "ca.crt"))
    context.load_cert_chain(str(directory / "admin.crt"), str(directory / "admin.key"))
    return Master(port=port, context=context)


def watch_figures(
    server: Server, master: Master, work: Path, project: str, count: int, repeats: int
) -> dict[str, list[float]]:
    """Memory and time of idle watches of one project's streams; pushes there that wake them."""
    call(master.port, master.context, "POST", _BINDINGS, _WATCHERS, {})
    path = f"/apis/image.openshift.io/v1/namespaces/{project}/imagestreams"
    _, listed = call(master.port, master.context, "GET", f"{path}?limit=1", None, {})
    revision = json.loads(listed)["metadata"]["resourceVersion"]
    wanted = f"{path}?watch=1&timeoutSeconds=3600&resourceVersion={revision}"
    idle = [_idle_percent(server)]
    memory = memory_now(server)
    found: dict[str, list[float]] = {"first": [], "last": []}
    with contextlib.ExitStack() as stack:
        sockets = [
            stack.enter_context(_watch(master, wanted, f"watcher-{number // _OF_ONE_USER}"))
            for number in range(count)
        ]
        found["idle"] = [*idle, _idle_percent(server)]
        found["memory"] = [(memory_now(server) - memory) / 1e6]
        repository = f"{project}/pushed"
        token = registry_token(server, token_path(repository, "pull,push"), personal_token(work))
        for _ in range(repeats):
            first, last = _push_and_wait(server, repository, token, sockets)
            found["first"].append(first)
            found["last"].append(last)
    return found


def _idle_percent(server: Server, seconds: float = 10.0) -> float:
    before = cpu_seconds(server)
    time.sleep(seconds)
    return 100 * (cpu_seconds(server) - before) / seconds


@contextlib.contextmanager
def _watch(master: Master, path: str, user: str) -> Iterator[ssl.SSLSocket]:
    plain = socket.create_connection(("127.0.0.1", master.port), timeout=_WAIT_SECONDS)
    with master.context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
        secure.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{master.port}\r\nImpersonate-User: {user}\r\n"
            f"Impersonate-Group: {_GROUP}\r\n\r\n".encode()
        )
        head = secure.recv(_READ)
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"no watch: {head[:200]!r}")
        secure.setblocking(False)
        yield secure


def _push_and_wait(
    server: Server, repository: str, token: str, sockets: list[ssl.SSLSocket]
) -> tuple[float, float]:
    """Seconds from the request that pushes a manifest to the first and to the last event."""
    bearer = f"Authorization: Bearer {token}\r\n"
    image = small_image(repository, layers=1)
    connection = Connection(server.port, tls=server.tls)
    for digest, data in image.blobs:
        push_blob(connection, repository, digest, data, bearer)
    # The blobs make the repository, which may be an event of its own.
    time.sleep(1)
    _drain(sockets)
    manifest = manifest_of(image.blobs, repository)
    start = time.monotonic()
    path = f"/v2/{repository}/manifests/v1"
    status, _, _ = connection.request("PUT", path, manifest, f"{bearer}{MANIFEST_HEADER}")
    expect(status, 201, "PUT manifest")
    connection.close()
    arrivals: list[float] = []
    waiting = {each.fileno(): each for each in sockets}
    poll = select.poll()
    for descriptor in waiting:
        poll.register(descriptor, select.POLLIN)
    while waiting:
        ready = poll.poll(_WAIT_SECONDS * 1000)
        if not ready:
            raise RuntimeError(f"{len(waiting)} watches did not wake")
        for descriptor, _ in ready:
            if b'"type":' in _read(waiting[descriptor]):
                arrivals.append(time.monotonic() - start)
                poll.unregister(descriptor)
                del waiting[descriptor]
    return min(arrivals), max(arrivals)


def _drain(sockets: list[ssl.SSLSocket]) -> None:
    for each in sockets:
        while _read(each):
            pass


def _read(secure: ssl.SSLSocket) -> bytes:
    try:
        data = secure.recv(_READ)
    except ssl.SSLWantReadError:
        return b""
    if not data:
        raise RuntimeError("a watch ended")
    return data
