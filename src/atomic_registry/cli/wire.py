"""One exchange with a service, in clear or over TLS: bounded, with errors that name the hop."""

import contextlib
import ipaddress
import queue
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import urlsplit

from atomic_registry.cli.client import Answer

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
_MAX_ANSWER = 1 << 20
_CLEAR_REASONS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF_WHILE_READING"}
)
_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A host and a port, as clients write them."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, default_port: int) -> "Endpoint":
        """Return what HOST[:PORT] or a URL of it says.

        Raises:
            ValueError: it says none.
        """
        parts = urlsplit(text if "://" in text else f"//{text}")
        if not parts.hostname or set(parts.hostname) & set(" /?#\\@"):
            raise ValueError(f"{text!r} is no HOST:PORT")
        return cls(host=parts.hostname, port=parts.port or default_port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class ExchangeFailed(Exception):
    """There was no answer; the message says why, `is_clear` that no TLS is spoken there."""

    def __init__(self, reason: str, *, is_clear: bool = False) -> None:
        super().__init__(reason)
        self.is_clear = is_clear


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How a service is reached; without a context in clear."""

    endpoint: Endpoint
    context: ssl.SSLContext | None

    @property
    def origin(self) -> str:
        """The beginning of its URLs."""
        return f"{'http' if self.context is None else 'https'}://{self.endpoint}"

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: bytes = b"",
        limit: int = _MAX_ANSWER,
        seconds: float = ANSWER_SECONDS,
    ) -> Answer:
        """Return any answer, also one that comes before the body was sent; none is followed.

        Raises:
            ExchangeFailed: there is none.
        """
        connection = self._connection(min(seconds, CONNECT_SECONDS))
        try:
            connection.connect()
            connection.sock.settimeout(seconds)
            with _early_answers():
                connection.request(method, path, body=body or None, headers=dict(headers))
            return _read(connection.getresponse(), limit)
        except (OSError, HTTPException) as error:
            raise ExchangeFailed(reason_of(error), is_clear=speaks_clear(error)) from error
        finally:
            connection.close()

    def _connection(self, seconds: float) -> HTTPConnection:
        host, port = self.endpoint.host, self.endpoint.port
        if self.context is None:
            return HTTPConnection(host, port, timeout=seconds)
        return HTTPSConnection(host, port, timeout=seconds, context=self.context)


@contextlib.contextmanager
def _early_answers() -> Iterator[None]:
    # Who refuses a large body answers and closes while it is still being sent.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
        yield


def _read(response: HTTPResponse, limit: int) -> Answer:
    content = response.read(limit + 1)
    if len(content) > limit:
        raise HTTPException(f"the answer is larger than {limit} bytes")
    found = {name.lower(): value for name, value in response.getheaders()}
    told = found.get("content-length", "")
    if told.isdigit() and response.length:
        # The library says nothing where a part was asked for.
        raise HTTPException(f"the answer ended after {len(content)} of {told} bytes")
    return Answer(status=response.status, headers=found, body=content)


def speaks_clear(error: Exception) -> bool:
    """Tell whether what came back is no TLS, as OpenSSL says it."""
    return isinstance(error, ssl.SSLError) and error.reason in _CLEAR_REASONS


def reason_of(error: Exception) -> str:
    """Return what went wrong in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = getattr(error, "strerror", None) or str(error)
    return text or f"the connection was closed ({type(error).__name__})"


def resolve(host: str, *, seconds: float = CONNECT_SECONDS) -> list[str]:
    """Return the addresses of a host, each once.

    Raises:
        ExchangeFailed: it has none, or nobody answers in time.
    """
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(it[4][0]) for it in found)))
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError(str(error)))

    # The library's resolver has no timeout of its own.
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise ExchangeFailed(f"no name server answered within {seconds:g} seconds") from None
    if isinstance(answer, OSError):
        raise ExchangeFailed(reason_of(answer)) from answer
    return answer


def is_loopback(address: str) -> bool:
    """Tell whether the address never leaves the machine."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
