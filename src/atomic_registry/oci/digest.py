"""Content digests and the hashers that compute them while bytes stream past.

Source: OCI image specification, descriptor.md, "Digests".
"""

import hashlib
import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import Protocol

import rehashes

from atomic_registry.errors import DigestInvalid

DEFAULT_ALGORITHM = "sha256"
_HEX_LENGTHS = {"sha256": 64, "sha512": 128}
ALGORITHMS = tuple(_HEX_LENGTHS)
_GRAMMAR = re.compile(r"([a-z0-9]+(?:[+._-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)\Z")
_HEX = re.compile(r"[0-9a-f]+\Z")
_STATE_TAG = f"rehashes {version('rehashes')} ".encode()


@dataclass(frozen=True, slots=True)
class Digest:
    """`algorithm:encoded`, of an algorithm that the registry can verify."""

    algorithm: str
    encoded: str

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Return the digest that the text spells.

        Raises:
            DigestInvalid: the grammar is broken, or the algorithm is not a known one.
        """
        match = _GRAMMAR.match(text)
        if match is None:
            raise DigestInvalid(digest=text, reason="it must read 'sha256:' and 64 hex digits")
        algorithm, encoded = match.groups()
        length = _HEX_LENGTHS.get(algorithm)
        if length is None:
            raise DigestInvalid(digest=text, reason=f"use one of {', '.join(ALGORITHMS)}")
        if len(encoded) != length or _HEX.match(encoded) is None:
            raise DigestInvalid(
                digest=text, reason=f"{algorithm} has {length} lower-case hexadecimal digits"
            )
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, content: bytes, algorithm: str = DEFAULT_ALGORITHM) -> "Digest":
        """Return the digest of the bytes."""
        return cls(algorithm, hashlib.new(algorithm, content).hexdigest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"


def parse_algorithm(text: str) -> str:
    """Return the name of a digest algorithm that the registry can compute.

    Raises:
        DigestInvalid: the algorithm is not a known one.
    """
    if text not in _HEX_LENGTHS:
        raise DigestInvalid(digest=text, reason=f"use one of {', '.join(ALGORITHMS)}")
    return text


class Hasher(Protocol):
    """Computes a digest over bytes that arrive in pieces."""

    algorithm: str

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        ...

    def digest(self) -> Digest:
        """Return the digest of all bytes so far; more may follow."""
        ...

    def state(self) -> bytes | None:
        """Return a state from which another process can go on, or None if there is none."""
        ...


class PlainHasher:
    """The fastest hasher; its state cannot leave the process."""

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self._hash = hashlib.new(algorithm)
        self.update = self._hash.update

    def digest(self) -> Digest:
        return Digest(self.algorithm, self._hash.hexdigest())

    def state(self) -> bytes | None:
        return None


class ResumableHasher:
    """A hasher whose state can be stored between the requests of a chunked upload.

    The state is plain numbers of a known library version, never a pickled object.
    """

    def __init__(self, algorithm: str, state: bytes | None = None) -> None:
        self.algorithm = algorithm
        self._kind = {"sha256": rehashes.PySha256, "sha512": rehashes.PySha512}[algorithm]
        self._hash = self._kind() if state is None else self._kind.deserialize(state)

    def update(self, data: bytes) -> None:
        self._hash.update(data)

    def digest(self) -> Digest:
        # Finishing ends the library's object, so a copy is finished.
        return Digest(self.algorithm, self._kind.deserialize(self._hash.serialize()).finalize())

    def state(self) -> bytes | None:
        return _STATE_TAG + bytes(self._hash.serialize())


def restore_hasher(algorithm: str, state: bytes) -> ResumableHasher | None:
    """Return the hasher that goes on from the state, or None if it is of another version."""
    if not state.startswith(_STATE_TAG):
        return None
    try:
        return ResumableHasher(algorithm, state.removeprefix(_STATE_TAG))
    except ValueError:
        return None
