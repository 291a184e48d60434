"""Pages of what is projected from repositories, in the order of their names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from atomic_registry.content.ports import Transaction
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.paging import decode_continue, encode_continue
from atomic_registry.resources.strategies import Document

Item = TypeVar("Item")
_NEWEST = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut(Generic[Item]):
    """Items of one snapshot; `last` is where the next page starts after, None at the end."""

    items: Sequence[Item]
    revision: int
    last: str | None
    below: str = ""


def newest_revision(tx: Transaction) -> int:
    """Return the newest revision of the snapshot."""
    _, revision = tx.object_changes(_NEWEST, limit=1)
    return revision


def position(token: str) -> str:
    """Return what a page starts after.

    Raises:
        ParameterInvalid: we made no such text.
    """
    return decode_continue(token)[0]


def show_list(place: Place, cut: Cut[Item], bodies: Sequence[Document]) -> Document:
    """Return the list document of a page."""
    metadata: Document = {"resourceVersion": str(cut.revision)}
    if cut.last is not None:
        metadata["continue"] = encode_continue((cut.last, cut.below))
    kind = place.resource.kind
    return {
        "kind": f"{kind}List",
        "apiVersion": place.api_version,
        "metadata": metadata,
        "items": [{"kind": kind, "apiVersion": place.api_version, **body} for body in bodies],
    }
