"""A client lean enough not to be the limit: raw sockets, one process a connection."""

import multiprocessing
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

WAIT_SECONDS = 600.0
_BUFFER = 1 << 20


class Connection:
    """One keep-alive connection; bodies are counted and dropped."""

    def __init__(self, port: int, *, tls: bool) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket: socket.socket = plain
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self._socket = context.wrap_socket(plain)
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._host = f"127.0.0.1:{port}"

    def send(self, data: bytes) -> None:
        """Sends prepared bytes."""
        self._socket.sendall(data)

    def request(
        self, method: str, path: str, body: bytes = b"", headers: str = ""
    ) -> tuple[int, dict[str, str], int]:
        """One exchange: status, headers, number of body bytes."""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\n{headers}"
        if method not in ("GET", "HEAD"):
            head += f"Content-Length: {len(body)}\r\n"
        self._socket.sendall(head.encode() + b"\r\n" + body)
        return self.answer(method)

    def answer(self, method: str = "GET") -> tuple[int, dict[str, str], int]:
        """Reads one answer."""
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            part = self._socket.recv(65536)
            if not part:
                raise ConnectionError("the server closed the connection")
            received += part
        lines = received[:end].decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ", 2)[1])
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }
        if status == 100:
            raise ConnectionError("unexpected 100 Continue")
        rest = len(received) - end - 4
        if "chunked" in headers.get("transfer-encoding", ""):
            return status, headers, self._skip_chunked(received[end + 4 :])
        length = 0 if method == "HEAD" else int(headers.get("content-length", 0))
        missing = length - rest
        while missing > 0:
            count = self._socket.recv_into(self._view)
            if not count:
                raise ConnectionError("truncated answer")
            missing -= count
        return status, headers, length

    def _skip_chunked(self, received: bytes) -> int:
        total = len(received)
        tail = received[-5:]
        while not tail.endswith(b"0\r\n\r\n"):
            part = self._socket.recv(_BUFFER)
            if not part:
                raise ConnectionError("truncated answer")
            total += len(part)
            tail = (tail + part)[-5:]
        return total

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()


def location(headers: dict[str, str]) -> str:
    """Path and query of a Location header."""
    parts = urlsplit(headers["location"])
    return parts.path + (f"?{parts.query}" if parts.query else "")


Work = Callable[[Connection, Any], None]


def _worker(
    work: Work, port: int, tls: bool, items: Sequence[Any], barrier: Any, results: Any
) -> None:
    try:
        connection = Connection(port, tls=tls)
        barrier.wait(WAIT_SECONDS)
        start = time.monotonic()
        for item in items:
            work(connection, item)
        results.put((start, time.monotonic(), ""))
        connection.close()
    except Exception as error:  # noqa: BLE001 - carried to the parent, which raises
        barrier.abort()
        results.put((0.0, 0.0, repr(error)))


def together(work: Work, port: int, *, tls: bool, items: Sequence[Any], connections: int) -> float:
    """Runs `work` for every item over N processes of one connection each; the wall seconds."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(connections)
    results = context.Queue()
    processes = [
        context.Process(
            target=_worker, args=(work, port, tls, items[n::connections], barrier, results)
        )
        for n in range(connections)
    ]
    for process in processes:
        process.start()
    ended: list[tuple[float, float, str]] = [results.get(timeout=WAIT_SECONDS) for _ in processes]
    for process in processes:
        process.join(WAIT_SECONDS)
    failures = sorted({error for _, _, error in ended if error})
    if failures:
        raise RuntimeError(f"client failed: {failures}")
    return max(end for _, end, _ in ended) - min(start for start, _, _ in ended)
