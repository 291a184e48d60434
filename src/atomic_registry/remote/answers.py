"""What remote servers answer, without the client that asks them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """What a remote server answered; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
