"""Documents as tables and as bare metadata, the way `kubectl get` shows them.

Source: Kubernetes API concepts, "Receiving resources as Tables"; `meta.k8s.io/v1`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

Document = dict[str, object]

META = "meta.k8s.io/v1"
DATE = "date"
"""Type of a column whose cells are moments and which shows how long ago they were."""
WIDE = 1
"""Priority of a column that is only shown where there is room."""
_UNKNOWN = "<unknown>"
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_YEAR = 365 * _DAY
# Below a number of seconds: the unit and its letter, and the smaller unit that is shown too.
_STEPS = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column; `cell` takes it out of a document."""

    name: str
    cell: Callable[[Document], object]
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""


def render_table(
    columns: Sequence[Column], document: Document, now: datetime, *, include: str = "Metadata"
) -> Document:
    """Return the table of a list or of one object.

    `include` says what stands beside each row's cells: `None`, `Metadata` or the whole `Object`.
    """
    metadata = _part(document, "metadata")
    shown = ("resourceVersion", "continue", "remainingItemCount")
    return {
        "kind": "Table",
        "apiVersion": META,
        "metadata": {key: metadata[key] for key in shown if key in metadata},
        "columnDefinitions": [_definition(column) for column in columns],
        "rows": [_row(columns, item, now, include) for item in items_of(document)],
    }


def partial_metadata(document: Document) -> Document:
    """Return an object with its metadata only."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": META,
        "metadata": document.get("metadata", {}),
    }


def partial_metadata_list(document: Document) -> Document:
    """Return a list whose objects have their metadata only."""
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": META,
        "metadata": document.get("metadata", {}),
        "items": [partial_metadata(item) for item in items_of(document)],
    }


def is_list(document: Document) -> bool:
    """Tell whether the document is a list of objects."""
    return str(document.get("kind", "")).endswith("List") and "items" in document


def items_of(document: Document) -> list[Document]:
    """Return the objects of a list; an object by itself is its only one."""
    if not is_list(document):
        return [document]
    items = document["items"]
    return [it for it in items if isinstance(it, dict)] if isinstance(items, list) else []


def age(moment: object, now: datetime) -> str:
    """Return how long ago a timestamp was, in the two units that matter."""
    if not isinstance(moment, str):
        return _UNKNOWN
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return _UNKNOWN
    seconds = int((now - (then if then.tzinfo else then.replace(tzinfo=UTC))).total_seconds())
    return _duration(seconds) if seconds >= -1 else "<invalid>"


def _duration(seconds: int) -> str:
    seconds = max(seconds, 0)
    # The limits are those of client-go's HumanDuration, so that the columns read as elsewhere.
    for limit, unit, letter, smaller, small_letter in _STEPS:
        if seconds < limit:
            rest = seconds % unit // smaller if smaller else 0
            return f"{seconds // unit}{letter}" + (f"{rest}{small_letter}" if rest else "")
    return f"{seconds // _YEAR}y"


def _definition(column: Column) -> Document:
    return {
        "name": column.name,
        "type": "string" if column.type == DATE else column.type,
        "format": column.format,
        "description": column.description or column.name,
        "priority": column.priority,
    }


def _row(columns: Sequence[Column], item: Document, now: datetime, include: str) -> Document:
    cells = [
        age(column.cell(item), now) if column.type == DATE else column.cell(item)
        for column in columns
    ]
    row: Document = {"cells": cells}
    if include == "Object":
        row["object"] = item
    elif include != "None":
        row["object"] = partial_metadata(item)
    return row


def _part(document: Document, key: str) -> Document:
    part = document.get(key)
    return part if isinstance(part, dict) else {}
