"""Hostile uploads and hostile HTTP: truncated, stalled, smuggled, stolen and replayed."""

import contextlib
import http.client
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.http import (
    Answer,
    RegistryClient,
    location_path,
    open_socket,
    raw_exchange,
    read_answer,
    sha256,
    with_query,
)
from tests.kit.registry import Registry, running_registry, wait_until
from tests.system.hostile import (
    REPOSITORY,
    assert_healthy,
    assert_refused,
    chunk,
    request_bytes,
)

CUT_OFF_SECONDS = 20.0
UNREAD_SECONDS = 3.0
STALLED = 50

CONTENT_RANGES = {
    "text": "abc",
    "inverted": "5-1",
    "negative": "-1-3",
    "a gap before": "100-109",
    "huge": "0-99999999999999999999",
    "shorter than the body": "0-4",
    "longer than the body": "0-99",
    "with a unit": "lines 0-9",
    "open": "0-",
    "signs": "+0-+9",
    "other digits": "٠-٩",
}


@pytest.mark.parametrize("value", CONTENT_RANGES.values(), ids=CONTENT_RANGES.keys())
def test_a_nonsense_content_range_adds_nothing(shared_registry: Registry, value: str) -> None:
    with RegistryClient(shared_registry.host) as client:
        location = client.upload_location(REPOSITORY)
        target = location.encode()
        header = b"Content-Range: " + value.encode()
        sent = request_bytes("PATCH", target, header, b"Content-Length: 10")
        assert_refused(raw_exchange(shared_registry.host, sent, b"0123456789"))
        status = client.get(location)
        if status.status == 204:
            assert status.headers["range"] in ("0-0", "0--1")
        else:
            assert_refused(status)
    assert_healthy(shared_registry)


def post_upload(*headers: bytes) -> bytes:
    return request_bytes("POST", f"/v2/{REPOSITORY}/blobs/uploads/".encode(), *headers)


WIRE = {
    "two different lengths": post_upload(b"Content-Length: 0", b"Content-Length: 5") + b"hello",
    "a list of lengths": post_upload(b"Content-Length: 0, 5") + b"hello",
    "a negative length": post_upload(b"Content-Length: -1"),
    "a signed length": post_upload(b"Content-Length: +5") + b"hello",
    "a huge length": post_upload(b"Content-Length: " + b"9" * 5000),
    "a length and chunked": post_upload(b"Content-Length: 5", b"Transfer-Encoding: chunked")
    + b"0\r\n\r\n",
    "an unknown coding": post_upload(b"Transfer-Encoding: xchunked") + b"0\r\n\r\n",
    "chunked is not last": post_upload(b"Transfer-Encoding: chunked, identity") + b"0\r\n\r\n",
    "a chunk size that is no number": post_upload(b"Transfer-Encoding: chunked") + b"zz\r\nx\r\n",
    "a negative chunk size": post_upload(b"Transfer-Encoding: chunked") + b"-5\r\nhello\r\n",
    "a space before the colon": post_upload(b"Content-Length : 0"),
    "a folded header": post_upload(b"X-A: 1", b" Content-Length: 5"),
    "NUL in a header": post_upload(b"X-A: a\0b", b"Content-Length: 0"),
    "a header of 64 KB": post_upload(b"X-A: " + b"a" * 65536, b"Content-Length: 0"),
    "10,000 headers": post_upload(*[b"X-%d: 1" % n for n in range(10_000)], b"Content-Length: 0"),
    "a target of 64 KB": request_bytes("GET", b"/v2/" + b"a/" * 32768 + b"tags/list"),
    "NUL in the target": request_bytes("GET", b"/v2/a/\0b/tags/list"),
    "no version": b"GET /v2/\r\n\r\n",
    "HTTP/9.9": b"GET /v2/ HTTP/9.9\r\nHost: a\r\n\r\n",
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.mark.parametrize("case", WIRE)
def test_malformed_http_is_refused_and_the_connection_ends(
    shared_registry: Registry, case: str
) -> None:
    sent = WIRE[case]
    tolerated = (202,) if case in ("a folded header", "10,000 headers") else ()
    with open_socket(shared_registry.host) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(sent)
        try:
            answer = read_answer(connection)
        except (http.client.HTTPException, ConnectionError):
            answer = None
        if answer is not None:
            # RFC 9112: 501 is right for an unknown coding, 505 for an unknown version, and a
            # folded header may be unfolded; many headers are no fault as such.
            assert 400 <= answer.status < 500 or answer.status in (*tolerated, 501, 505), answer
        with contextlib.suppress(ConnectionError):
            assert connection.recv(1) == b"", "a second answer: the request was split"
    assert_healthy(shared_registry)


def truncated_length(method: str, target: bytes, data: bytes) -> tuple[bytes, ...]:
    kind = b"Content-Type: application/octet-stream"
    return request_bytes(method, target, kind, b"Content-Length: %d" % len(data)), data[:500]


def truncated_chunks(method: str, target: bytes, data: bytes) -> tuple[bytes, ...]:
    head = request_bytes(method, target, b"Transfer-Encoding: chunked")
    return head, chunk(data[:500]), b"200\r\n" + data[500:600]


def no_last_chunk(method: str, target: bytes, data: bytes) -> tuple[bytes, ...]:
    return request_bytes(method, target, b"Transfer-Encoding: chunked"), chunk(data)


@pytest.mark.parametrize("cut", [truncated_length, truncated_chunks, no_last_chunk])
@pytest.mark.parametrize("way", ["PUT", "PATCH", "POST", "PUT of the part's digest"])
def test_a_truncated_upload_is_never_a_201(
    shared_registry: Registry, cut: Callable[[str, bytes, bytes], tuple[bytes, ...]], way: str
) -> None:
    data = f"{way} {cut.__name__} ".encode() * 40
    digest = sha256(data[:500] if "part" in way else data)
    with RegistryClient(shared_registry.host) as client:
        location = client.upload_location(REPOSITORY)
        if way == "POST":
            location = f"/v2/{REPOSITORY}/blobs/uploads/"
        target = location if way == "PATCH" else with_query(location, digest=digest)
        method = way.split(maxsplit=1)[0]
        parts = cut(method, target.encode(), data)
        try:
            answer = raw_exchange(shared_registry.host, *parts, half_close=True)
        except (http.client.HTTPException, OSError):
            answer = None
        if answer is not None:
            assert 400 <= answer.status < 500, answer
        assert client.request("HEAD", f"/v2/{REPOSITORY}/blobs/{digest}").status == 404
    assert_healthy(shared_registry)


def cut_off(connection: socket.socket) -> bool:
    """Whether the server ended a connection (an answer such as 408 counts)."""
    connection.setblocking(False)
    try:
        connection.recv(65536)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@pytest.fixture
def impatient_registry(tmp_path: Path) -> Iterator[Registry]:
    """A registry that waits a second for clients, so that the test need not wait for minutes."""
    limits = ("HEADER_SECONDS", "BODY_IDLE_SECONDS", "SEND_IDLE_SECONDS")
    environment = {f"ATOMIC_REGISTRY_HTTP_{limit}": "1" for limit in limits}
    with running_registry(tmp_path, workers=2, environment=environment) as started:
        yield started


def test_stalled_clients_neither_block_others_nor_stay(impatient_registry: Registry) -> None:
    registry = impatient_registry
    with contextlib.ExitStack() as stack, RegistryClient(registry.host) as client:
        stalled = []
        for number in range(STALLED):
            connection = stack.enter_context(open_socket(registry.host))
            if number % 2:
                connection.sendall(b"GET /v2/ HTTP/1.1\r\nHost: a\r\nX-Slow: ")
            else:
                target = client.upload_location(REPOSITORY).encode()
                connection.sendall(request_bytes("PATCH", target, b"Content-Length: 1000") + b"x")
            stalled.append(connection)
        for _ in range(5):
            assert registry.answers(seconds=5)
            assert client.push_blob(REPOSITORY, uuid.uuid4().bytes).status == 201
        wait_until(
            "slow clients are cut off",
            lambda: all(cut_off(connection) for connection in stalled),
            CUT_OFF_SECONDS,
        )
    assert_healthy(registry)


def test_a_client_that_does_not_read_its_blob_is_cut_off(impatient_registry: Registry) -> None:
    data = bytes(range(256)) * 4096 * 16
    with RegistryClient(impatient_registry.host) as client:
        assert client.push_blob(REPOSITORY, data).status == 201
    host, port = impatient_registry.host.rsplit(":", 1)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        connection.settimeout(20)
        connection.connect((host, int(port)))
        path = f"/v2/{REPOSITORY}/blobs/{sha256(data)}".encode()
        connection.sendall(request_bytes("GET", path))
        time.sleep(UNREAD_SECONDS)
        received = 0
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(1 << 20):
                received += len(part)
    assert received < len(data)
    assert_healthy(impatient_registry)


def test_parallel_patches_to_one_session_never_mix(shared_registry: Registry) -> None:
    bodies = [bytes([65 + number]) * 300_000 for number in range(6)]
    answers: dict[int, Answer] = {}
    with RegistryClient(shared_registry.host) as client:
        location = client.upload_location(REPOSITORY)
        together = threading.Barrier(len(bodies))

        def patch(number: int) -> None:
            with RegistryClient(shared_registry.host) as own:
                together.wait(20)
                with contextlib.suppress(OSError, http.client.HTTPException):
                    kind = {"Content-Type": "application/octet-stream"}
                    answers[number] = own.request("PATCH", location, bodies[number], kind)

        threads = [threading.Thread(target=patch, args=(n,)) for n in range(len(bodies))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        accepted = [number for number, answer in answers.items() if answer.status == 202]
        for number, answer in answers.items():
            if number not in accepted:
                assert_refused(answer)
        assert accepted, "at least one PATCH must get through"
        if len(accepted) == 1:
            only = bodies[accepted[0]]
            last = location_path(answers[accepted[0]])
            assert client.finish_upload(last, sha256(only)).status == 201
            assert client.pull_blob(REPOSITORY, sha256(only)).body == only
    assert_healthy(shared_registry)


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
def test_a_session_of_another_repository_is_unknown(shared_registry: Registry, method: str) -> None:
    data = b"for the first repository only"
    with RegistryClient(shared_registry.host) as client:
        location = client.upload_location("hostile/owner")
        stolen = location.replace("hostile/owner", "hostile/thief")
        target = with_query(stolen, digest=sha256(data)) if method == "PUT" else stolen
        body = data if method in ("PATCH", "PUT") else None
        answer = client.request(method, target, body)
        assert answer.status == 404
        assert answer.error_codes == ["BLOB_UPLOAD_UNKNOWN"]
        assert client.finish_upload(location, sha256(data), data).status == 201
    assert_healthy(shared_registry)


GUESSES = {
    "a random UUID": str(uuid.UUID(int=7, version=4)),
    "one": "1",
    "a path": "..%2f..%2fetc",
    "NUL": "%00",
    "very long": "a" * 4000,
    "text of SQL": "x'%20OR%20'1'='1",
}


@pytest.mark.parametrize("guess", GUESSES.values(), ids=GUESSES.keys())
@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
def test_a_guessed_session_is_unknown(shared_registry: Registry, method: str, guess: str) -> None:
    path = f"/v2/{REPOSITORY}/blobs/uploads/{guess}"
    target = with_query(path, digest=sha256(b"x")) if method == "PUT" else path
    with RegistryClient(shared_registry.host) as client:
        body = b"x" if method in ("PATCH", "PUT") else None
        assert_refused(client.request(method, target, body))
    assert_healthy(shared_registry)


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
def test_a_finished_or_cancelled_session_cannot_be_replayed(
    shared_registry: Registry, method: str
) -> None:
    data = f"replayed by {method}".encode()
    with RegistryClient(shared_registry.host) as client:
        finished = client.upload_location(REPOSITORY)
        assert client.finish_upload(finished, sha256(data), data).status == 201
        cancelled = client.upload_location(REPOSITORY)
        assert client.request("DELETE", cancelled).status == 204
        for location in (finished, cancelled):
            target = with_query(location, digest=sha256(b"y")) if method == "PUT" else location
            body = b"y" if method in ("PATCH", "PUT") else None
            answer = client.request(method, target, body)
            assert_refused(answer)
        assert client.pull_blob(REPOSITORY, sha256(data)).body == data
    assert_healthy(shared_registry)
