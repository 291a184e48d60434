"""Requests and responses as handlers see them, so that the HTTP server stays replaceable."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from atomic_registry.errors import ParameterInvalid
from atomic_registry.identity.actors import ANONYMOUS, Actor
from atomic_registry.identity.policy import Verb


class Body(Protocol):
    """A request body that is read once, in pieces, under the server's stall limit.

    Iteration raises `BodyInterrupted` when the client goes away or the body is shorter than
    announced, and `TooSlow` when nothing arrives for too long. The first read answers
    `Expect: 100-continue`.
    """

    length: int | None
    """The announced length in bytes, or None if it is not known beforehand."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class Query:
    """The query parameters, decoded, in order."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = pairs

    def get(self, name: str) -> str | None:
        """Return the value of the parameter, or None if it is absent.

        Raises:
            ParameterInvalid: it stands there more than once.
        """
        values = self.get_all(name)
        if len(values) > 1:
            raise ParameterInvalid(parameter=name, value=values[1], reason="it was given twice")
        return values[0] if values else None

    def get_all(self, name: str) -> list[str]:
        """Return every value of the parameter, in order."""
        return [value for key, value in self._pairs if key == name]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """The subject of a client certificate that stands for an account."""

    common_name: str
    organizations: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Request:
    """One request; `parameters` holds the path's parts as parsed values.

    `remote` is the client's address; `host` is set where a trusted proxy says what the client
    called this server; `verb` is what the row of the path asks of its repository.
    `impersonator` names who is behind an actor that the caller asked to be treated as.
    `certificate` is set where the authority of accounts has issued it. `peer_certificate` is
    whatever the client has shown, in DER, verified by the listener against one of its
    authorities: by itself it says nothing of who the client is.

    Header names of `headers` are looked up without regard to case.
    """

    method: str
    path: str
    query: Query
    headers: Mapping[str, str]
    body: Body
    id: str
    remote: str = ""
    scheme: str = "http"
    host: str = ""
    certificate: ClientCertificate | None = None
    peer_certificate: bytes = b""
    parameters: dict[str, Any] = field(default_factory=dict)
    actor: Actor = ANONYMOUS
    impersonator: str = ""
    verb: Verb | None = None


class Source(Protocol):
    """Bytes that lie elsewhere and are sent in ranges."""

    file: BinaryIO | None

    def read(self, offset: int, length: int) -> AsyncIterator[bytes]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes to send, after `prefix`: `length` of the source from `offset`."""

    offset: int
    length: int
    prefix: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceBody:
    """A body sent from a source: its slices, then `suffix`; the server closes the source."""

    source: Source
    slices: tuple[Slice, ...]
    suffix: bytes = b""

    @property
    def length(self) -> int:
        """Bytes of the whole body."""
        return sum(len(part.prefix) + part.length for part in self.slices) + len(self.suffix)


@dataclass(slots=True, kw_only=True)
class StreamBody:
    """A body whose pieces are sent as they come; nobody knows how many there will be.

    The server closes `pieces` and then calls `on_end`, also where it never asked for a piece;
    `sent` is how many bytes the client was sent by then.
    """

    pieces: AsyncGenerator[bytes, None]
    on_end: Sequence[Callable[[], None]] = ()
    sent: int = 0

    async def close(self) -> None:
        """Let go of whatever the pieces are made from."""
        try:
            await self.pieces.aclose()
        finally:
            for end in self.on_end:
                end()


@dataclass(slots=True, kw_only=True)
class Response:
    """One response. `Content-Length` is the server's to set, from the body.

    An answer to HEAD carries the body that GET would have; the server leaves it out.
    Where that body is costly, `length` stands for it.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | SourceBody | StreamBody = b""
    length: int | None = None
