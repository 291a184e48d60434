"""Lists by pages: which items, and where the next page starts."""

import base64
from dataclasses import dataclass, field

import msgspec

from atomic_registry.errors import ParameterInvalid
from atomic_registry.identity.ports import Transaction
from atomic_registry.kube.objects import KubeObject
from atomic_registry.resources.documents import show_object
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.selectors import FieldSelector, LabelSelector
from atomic_registry.resources.strategies import Document

MAX_PAGE = 500
# Clients that name no limit do not expect a second page, so theirs is much longer.
MAX_LIST = 10_000
_MAX_SCANNED = 20_000
_SCAN = 1000
_NEWEST = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """What a client asks of a list; a limit of 0 is none.

    A `brief` list is shown as a table or by metadata: what neither shows may be left out.
    """

    limit: int = 0
    continue_token: str = ""
    brief: bool = False
    labels: LabelSelector = field(default_factory=LabelSelector)
    fields: FieldSelector = field(default_factory=FieldSelector)

    @property
    def page_size(self) -> int:
        """How many items the page may have."""
        return min(self.limit, MAX_PAGE) if self.limit else MAX_LIST


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Items of one snapshot; `last` is where the scan ended, None if that was the end."""

    items: list[KubeObject]
    revision: int
    last: tuple[str, str] | None


def scan(tx: Transaction, place: Place, options: ListOptions, after: tuple[str, str]) -> Page:
    """Return the next items that match, and the newest revision of their snapshot."""
    stored = place.resource.stored
    assert stored is not None  # noqa: S101 - routes exist for stored kinds only
    namespace = place.namespace if place.resource.namespaced and place.namespace else None
    _, revision = tx.object_changes(_NEWEST, limit=1)
    if options.fields.name and (namespace is not None or not place.resource.namespaced):
        return Page(items=_named(tx, place, options, after), revision=revision, last=None)
    found: list[KubeObject] = []
    scanned = 0
    while scanned < _MAX_SCANNED:
        batch = tx.objects.list(stored, namespace=namespace, after=after, limit=_SCAN)
        for item in batch:
            if len(found) == options.page_size:
                return Page(items=found, revision=revision, last=after)
            after = (item.metadata.namespace, item.metadata.name)
            if _is_chosen(place, options, item):
                found.append(item)
        if len(batch) < _SCAN:
            return Page(items=found, revision=revision, last=None)
        scanned += len(batch)
    return Page(items=found, revision=revision, last=after)


def _named(
    tx: Transaction, place: Place, options: ListOptions, after: tuple[str, str]
) -> list[KubeObject]:
    # Clients that wait for one object list it by name; that must not cost a scan.
    stored = place.resource.stored
    assert stored is not None  # noqa: S101 - routes exist for stored kinds only
    at = (place.namespace, options.fields.name)
    item = tx.objects.find(stored, at[1], namespace=at[0])
    if item is None or at <= after or not _is_chosen(place, options, item):
        return []
    return [item]


def _is_chosen(place: Place, options: ListOptions, item: KubeObject) -> bool:
    if not options.labels.matches(item.metadata.labels):
        return False
    document = show_object(place, item) if options.fields.looks_inside else None
    return options.fields.matches(item.metadata.namespace, item.metadata.name, document)


def show_page(place: Place, page: Page) -> Document:
    """Return the list document of a page."""
    metadata: Document = {"resourceVersion": str(page.revision)}
    if page.last is not None:
        metadata["continue"] = encode_continue(page.last)
    return {
        "kind": f"{place.resource.kind}List",
        "apiVersion": place.api_version,
        "metadata": metadata,
        "items": [show_object(place, item) for item in page.items],
    }


def encode_continue(last: tuple[str, str]) -> str:
    """Return the text that leads to the page after an item."""
    return base64.urlsafe_b64encode(msgspec.json.encode(last)).decode().rstrip("=")


def decode_continue(text: str) -> tuple[str, str]:
    """Return the item that a page starts after.

    Raises:
        ParameterInvalid: we made no such text.
    """
    if not text:
        return ("", "")
    try:
        padded = text + "=" * (-len(text) % 4)
        content = base64.urlsafe_b64decode(padded)
        namespace, name = msgspec.json.decode(content, type=tuple[str, str])
    except (ValueError, msgspec.DecodeError):
        namespace = name = "\0"
    if not (namespace + name).isprintable():
        # Databases refuse some of these characters, each in its own way.
        reason = "start the list again without it"
        raise ParameterInvalid(parameter="continue", value=text, reason=reason)
    return namespace, name
