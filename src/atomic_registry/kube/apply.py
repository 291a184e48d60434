"""Server-side apply: who wants what, merged field by field; and what other writers changed.

Source: Kubernetes, "Server-Side Apply"; `sigs.k8s.io/structured-merge-diff/merge`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from atomic_registry.errors import ApplyConflict, PatchFailed
from atomic_registry.kube.managed_fields import (
    UPDATE,
    FieldSet,
    ManagedEntry,
    Manager,
    Path,
    field_set,
    leaves,
    path_text,
)
from atomic_registry.kube.shapes import (
    Document,
    Shape,
    has_distinct_items,
    interleaved,
    is_atomic,
    is_same,
    item_element,
    items_by_element,
    shape_of,
)

_BEFORE = "before-first-apply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What differs between two documents."""

    written: FieldSet
    removed: FieldSet


def compare(kind: str, before: Document, after: Document) -> Change:
    """Return which fields were written (added or modified) and which removed."""
    old, new = leaves(kind, before), leaves(kind, after)
    # A map or list that has lost its last part was not written by that.
    filled = {path[:length] for path in old for length in range(1, len(path))}
    return Change(
        written=frozenset(
            path
            for path, value in new.items()
            if (path not in old and not (value in ({}, []) and path in filled))
            or (path in old and not is_same(old[path], value))
        ),
        removed=frozenset(old.keys() - new.keys()),
    )


def track(
    entries: Sequence[ManagedEntry], change: Change, manager: Manager, now: str
) -> list[ManagedEntry]:
    """Return the entries after a write that was no apply: what it wrote is its manager's."""
    taken = change.written | change.removed
    left = [replace(entry, fields=entry.fields - taken) for entry in entries]
    if not change.written:
        return _present(left)
    mine = next((entry.fields for entry in left if entry.manager.is_same(manager)), frozenset())
    others = [entry for entry in left if not entry.manager.is_same(manager)]
    own = ManagedEntry(manager=manager, time=now, fields=mine | change.written)
    return _present([*others, own])


def owned_before(kind: str, live: Document, version: str, now: str) -> list[ManagedEntry]:
    """Return the entry of an object that was written before anybody was tracked."""
    manager = Manager(name=_BEFORE, operation=UPDATE, api_version=version)
    return [ManagedEntry(manager=manager, time=now, fields=field_set(kind, live))]


def merge_applied(
    kind: str,
    live: Document,
    config: Document,
    entries: Sequence[ManagedEntry],
    manager: Manager,
) -> Document:
    """Return the object with all that its applier wants and without what only it once wanted.

    Raises:
        PatchFailed: items of a list cannot be told apart.
    """
    merged = _merged_map(kind, live, config, ())
    last = next((it.fields for it in entries if it.manager.is_same(manager)), frozenset())
    kept = field_set(kind, config).union(
        *(entry.fields for entry in entries if not entry.manager.is_same(manager))
    )
    return _pruned(kind, merged, last - kept, kept)


def own_applied(
    entries: Sequence[ManagedEntry], manager: Manager, config: FieldSet, change: Change, now: str
) -> list[ManagedEntry]:
    """Return the entries after an apply that changed this; the time moves with the fields."""
    others = [
        replace(entry, fields=entry.fields - change.written - change.removed)
        for entry in entries
        if not entry.manager.is_same(manager)
    ]
    mine = next((entry for entry in entries if entry.manager.is_same(manager)), None)
    if mine is None or mine.fields != config or change.written or change.removed:
        mine = ManagedEntry(manager=manager, time=now, fields=config)
    return _present([*others, mine])


def refuse_conflicts(
    entries: Sequence[ManagedEntry], manager: Manager, written: FieldSet, allowed: FieldSet
) -> None:
    """Return if nobody else has what an apply would change.

    Raises:
        ApplyConflict: somebody has; each field is named with its manager.
    """
    conflicts = [
        (_shown(entry), path_text(path))
        for entry in entries
        if not entry.manager.is_same(manager)
        for path in sorted((entry.fields & written) - allowed)
    ]
    if conflicts:
        raise ApplyConflict(conflicts=conflicts)


def _shown(entry: ManagedEntry) -> str:
    manager = entry.manager
    name = f'"{manager.name}"'
    if manager.subresource:
        name += f' with subresource "{manager.subresource}"'
    if manager.operation != UPDATE:
        return name
    return f"{name} using {manager.api_version} at {entry.time}"


def _present(entries: Iterable[ManagedEntry]) -> list[ManagedEntry]:
    return [entry for entry in entries if entry.fields]


def _merged(kind: str, live: object, config: object, fields: tuple[str, ...]) -> object:
    shape = shape_of(kind, fields)
    if isinstance(config, list) and shape is not None and not shape.is_atomic:
        _check_items(config, shape, fields)
        if live is None:
            live = []
        if isinstance(live, list) and has_distinct_items(live, shape):
            return _merged_list(kind, live, config, shape, fields)
    if isinstance(config, dict) and not is_atomic(kind, fields, config):
        return _merged_map(kind, live if isinstance(live, dict) else {}, config, fields)
    return config


def _merged_map(kind: str, live: Document, config: Document, fields: tuple[str, ...]) -> Document:
    result = dict(live)
    for key, value in config.items():
        if key in live or isinstance(value, list | dict):
            result[key] = _merged(kind, live.get(key), value, (*fields, key))
        else:
            result[key] = value
    return result


def _merged_list(
    kind: str,
    live: Sequence[object],
    config: Sequence[object],
    shape: Shape,
    fields: tuple[str, ...],
) -> list[object]:
    old, new = items_by_element(live, shape), items_by_element(config, shape)
    order = {element: at for at, element in enumerate(old)}
    others = [element for element in old if element not in new]
    result: list[object] = []
    for element in interleaved(list(new), others, order):
        item = new.get(element, old.get(element))
        mine, theirs = new.get(element), old.get(element)
        if isinstance(mine, dict):
            item = _merged_map(kind, theirs if isinstance(theirs, dict) else {}, mine, fields)
        result.append(item)
    return result


def _check_items(items: Sequence[object], shape: Shape, fields: tuple[str, ...]) -> None:
    elements = [item_element(item, shape) for item in items]
    if None in elements:
        wanted = " and ".join(shape.keys) or "a plain value"
        raise PatchFailed(operation=".".join(fields), reason=f"each item needs {wanted}")
    if len(set(elements)) != len(elements):
        raise PatchFailed(operation=".".join(fields), reason="an item stands in the list twice")


def _pruned(kind: str, document: Document, gone: FieldSet, kept: FieldSet) -> Document:
    if not gone:
        return document
    needed = {path[:length] for path in kept for length in range(1, len(path) + 1)}
    result = _without(kind, document, gone, needed, (), ())
    return result if isinstance(result, dict) else {}


def _without(
    kind: str,
    value: object,
    gone: FieldSet,
    needed: set[Path],
    path: Path,
    fields: tuple[str, ...],
) -> object:
    """Return the value without the paths that are gone, and None if nothing is left of it."""
    if path in gone and path not in needed:
        return None
    if path and is_atomic(kind, fields, value):
        return value
    if isinstance(value, dict):
        kept = {
            key: left
            for key, member in value.items()
            if (left := _without(kind, member, gone, needed, (*path, f"f:{key}"), (*fields, key)))
            is not None
            or _is_key(path, key)
        }
        kept |= {key: value[key] for key in kept if _is_key(path, key)}
        is_left = not value or not path or path in needed
        return kept if kept or is_left else None
    shape = shape_of(kind, fields)
    if isinstance(value, list) and shape is not None:
        items = [
            left
            for item in value
            if (left := _without_item(kind, item, gone, needed, path, fields)) is not None
        ]
        return items if items or not value or path in needed else None
    return value


def _without_item(
    kind: str,
    item: object,
    gone: FieldSet,
    needed: set[Path],
    path: Path,
    fields: tuple[str, ...],
) -> object:
    shape = shape_of(kind, fields)
    element = None if shape is None else item_element(item, shape)
    if element is None:
        return item
    here = (*path, element)
    if isinstance(item, dict):
        return _without(kind, item, gone, needed, here, fields)
    return None if here in gone else item


def _is_key(path: Path, key: str) -> bool:
    """Tell whether the field is one that names the item it is in."""
    return bool(path) and path[-1].startswith("k:") and f'"{key}":' in path[-1]
