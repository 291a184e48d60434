"""What the statements of all nouns share."""

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Column, ColumnElement, Table
from sqlalchemy.dialects import postgresql, sqlite

from atomic_registry.oci.digest import Digest

InsertIfAbsent = Callable[[Table], sqlite.Insert | postgresql.Insert]
"""Builds an INSERT that skips rows whose key exists."""

# SQLite before 3.32 takes 999 parameters; a full chunk and a few more fit everywhere.
CHUNK_SIZE = 900


def split_digests(digests: Sequence[Digest]) -> Iterator[list[str]]:
    """Yield the texts of the digests, each once, in chunks that fit one statement."""
    texts = list(dict.fromkeys(map(str, digests)))
    for start in range(0, len(texts), CHUNK_SIZE):
        yield texts[start : start + CHUNK_SIZE]


def within_project(name: Column[str], project: str) -> ColumnElement[bool]:
    """Return the condition that a repository's name is one of the project's."""
    # "0" is the character after "/": the range holds the project's names and no others.
    return (name >= f"{project}/") & (name < f"{project}0")


def stored_digest(text: str) -> Digest:
    """Return the digest of a stored text, which was checked when it came in."""
    algorithm, _, encoded = text.partition(":")
    return Digest(algorithm, encoded)


def is_storable(*texts: str) -> bool:
    """Tell whether every database takes the texts; nothing can be stored under any other."""
    joined = "".join(texts)
    # PostgreSQL has no NUL, and the drivers refuse lone surrogates.
    if "\0" in joined:
        return False
    try:
        joined.encode()
    except UnicodeEncodeError:
        return False
    return True
