"""Which manager has which fields of an object, as `metadata.managedFields` keeps it.

A path is a tuple of elements in the form of `FieldsV1` keys: `f:name` a field, `k:{...}` the item
of a list with these keys, `v:...` the value in a set.
Source: Kubernetes, "Server-Side Apply"; `sigs.k8s.io/structured-merge-diff/fieldpath`.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from atomic_registry.kube.shapes import (
    Document,
    compact,
    is_atomic,
    item_element,
    shape_of,
)

Path = tuple[str, ...]
FieldSet = frozenset[Path]

APPLY = "Apply"
UPDATE = "Update"
MAX_MANAGERS = 100
_MAX_UPDATERS = 10
_MAX_DEPTH = 60
_MAX_NAME = 128
_ANCIENT = "ancient-changes"
_SELF = "."
# What the server writes, or what names the object, belongs to nobody.
_NOT_OWNED: FieldSet = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in (
            "name", "namespace", "creationTimestamp", "deletionTimestamp", "selfLink", "uid",
            "generation", "managedFields", "resourceVersion",
        )
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """Who writes, how, and in the form of which version."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""

    def is_same(self, other: "Manager") -> bool:
        """Tell whether both share one entry: appliers whatever their version."""
        mine, theirs = (
            (each.name, each.operation, each.subresource)
            + (() if each.operation == APPLY else (each.api_version,))
            for each in (self, other)
        )
        return mine == theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedEntry:
    """What one manager has, and when that changed."""

    manager: Manager
    time: str
    fields: FieldSet


def leaves(kind: str, document: Document) -> dict[Path, object]:
    """Return every field of a document with its value; items of lists stand for themselves."""
    found = dict(_walk(kind, document, (), ()))
    return {path: value for path, value in found.items() if path not in _NOT_OWNED}


def field_set(kind: str, document: Document) -> FieldSet:
    """Return the paths of every field of a document."""
    return frozenset(leaves(kind, document))


def _walk(
    kind: str, value: object, path: Path, fields: tuple[str, ...]
) -> Iterator[tuple[Path, object]]:
    if path and (value is None or value in ({}, []) or is_atomic(kind, fields, value)):
        yield path, value
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _walk(kind, member, (*path, f"f:{key}"), (*fields, key))
    elif isinstance(value, list):
        shape = shape_of(kind, fields)
        for item in value:
            element = None if shape is None else item_element(item, shape)
            if element is not None:
                yield (*path, element), None
                if isinstance(item, dict):
                    yield from _walk(kind, item, (*path, element), fields)


def read_managed(value: object) -> list[ManagedEntry]:
    """Return the entries of `metadata.managedFields`.

    Raises:
        ValueError: they cannot be read.
    """
    if not isinstance(value, list) or len(value) > MAX_MANAGERS:
        raise ValueError("managedFields must be a list of at most 100 entries")
    return [_read_entry(entry) for entry in value if entry != {}]


def show_managed(entries: Iterable[ManagedEntry]) -> list[Document]:
    """Return the entries as documents carry them, in the order of Kubernetes."""
    kept = [entry for entry in _capped(list(entries)) if entry.fields]
    kept.sort(key=lambda it: (it.manager.operation, it.time, it.manager.name))
    return [_show_entry(entry) for entry in kept]


def to_fields_v1(fields: Iterable[Path]) -> Document:
    """Return the tree of a set of paths."""
    members = set(fields)
    parents = {path[:length] for path in members for length in range(1, len(path))}
    tree: Document = {}
    for path in sorted(members):
        node = tree
        for element in path:
            child = node.setdefault(element, {})
            assert isinstance(child, dict)  # noqa: S101 - made above
            node = child
        if path in parents:
            node[_SELF] = {}
    return tree


def from_fields_v1(tree: object) -> FieldSet:
    """Return the paths of a tree.

    Raises:
        ValueError: this is no such tree.
    """
    return frozenset(_paths(tree, ()))


def path_text(path: Path) -> str:
    """Return the path as conflicts name it: `.spec.tags[name="v1"].from`."""
    return "".join(map(_element_text, path))


def _paths(node: object, path: Path) -> Iterator[Path]:
    if not isinstance(node, dict) or len(path) > _MAX_DEPTH:
        raise ValueError("fieldsV1 must be a tree of fields")
    for element, child in node.items():
        if element == _SELF:
            yield path
        elif element[:2] not in {"f:", "k:", "v:", "i:"}:
            raise ValueError("an element of fieldsV1 starts with f:, k:, v: or i:")
        elif child == {}:
            yield (*path, element)
        else:
            yield from _paths(child, (*path, element))


def _element_text(element: str) -> str:
    sort, rest = element[:2], element[2:]
    if sort == "k:":
        keys = json.loads(rest)
        listed = ",".join(f"{name}={compact(value)}" for name, value in keys.items())
        return f"[{listed}]"
    if sort == "v:":
        return f"[={rest}]"
    return f"[{rest}]" if sort == "i:" else f".{rest}"


def _read_entry(entry: object) -> ManagedEntry:
    if not isinstance(entry, dict) or entry.get("operation") not in {APPLY, UPDATE}:
        raise ValueError("the operation of an entry must be Apply or Update")
    if entry.get("fieldsType", "FieldsV1") != "FieldsV1":
        raise ValueError("the fieldsType of an entry must be FieldsV1")
    texts = [entry.get(key, "") for key in ("manager", "apiVersion", "subresource", "time")]
    if not all(isinstance(text, str) and len(text) <= _MAX_NAME for text in texts):
        raise ValueError("the texts of an entry must be short texts")
    name, version, subresource, time = map(str, texts)
    fields = from_fields_v1(entry.get("fieldsV1", {}))
    for element in {element for path in fields for element in path if element[:2] in {"k:", "v:"}}:
        value = json.loads(element[2:])
        if element.startswith("k:") and not isinstance(value, dict):
            raise ValueError("the keys of an item must be an object")
    manager = Manager(
        name=name,
        operation=str(entry["operation"]),
        api_version=version,
        subresource=subresource,
    )
    return ManagedEntry(manager=manager, time=time, fields=fields)


def _show_entry(entry: ManagedEntry) -> Document:
    manager = entry.manager
    shown: Document = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": entry.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": to_fields_v1(entry.fields),
    }
    return shown | {"subresource": manager.subresource} if manager.subresource else shown


def _capped(entries: list[ManagedEntry]) -> list[ManagedEntry]:
    """Merge the oldest updaters of each version into one, so that the list stays short."""
    updaters = sorted(
        (entry for entry in entries if entry.manager.operation == UPDATE),
        key=lambda it: it.time,
        reverse=True,
    )
    old = updaters[_MAX_UPDATERS:]
    if not old:
        return entries
    kept = [entry for entry in entries if entry not in old]
    for version in sorted({entry.manager.api_version for entry in old}):
        of_version = [entry for entry in old if entry.manager.api_version == version]
        kept.append(
            replace(
                of_version[0],
                manager=Manager(name=_ANCIENT, operation=UPDATE, api_version=version),
                fields=frozenset().union(*(entry.fields for entry in of_version)),
            )
        )
    return kept
