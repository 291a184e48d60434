"""Strategic merge patches: merge patches that know the lists of our kinds.

Directives: `$patch: merge|replace|delete`, `$setElementOrder/<list>`,
`$deleteFromPrimitiveList/<list>` and `$retainKeys`.
Source: Kubernetes, "Strategic merge patch"; `k8s.io/apimachinery/pkg/util/strategicpatch`.
"""

from collections.abc import Sequence

from atomic_registry.errors import PatchFailed
from atomic_registry.kube.shapes import (
    Document,
    Shape,
    interleaved,
    item_element,
    items_by_element,
    shape_of,
)

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_DIRECTIVES = (_PATCH, _RETAIN, _ORDER, _DELETE_FROM)

Fields = tuple[str, ...]


def strategic_merge(kind: str, document: Document, patch: Document) -> Document:
    """Return a document of the kind with the patch applied.

    Raises:
        PatchFailed: a directive is unknown, or does not fit; its field is named.
    """
    return _merged(kind, document, patch, ())


def _merged(kind: str, current: Document, patch: Document, fields: Fields) -> Document:
    match patch.get(_PATCH, "merge"):
        case "replace":
            return _plain(patch)
        case "delete":
            return {}
        case "merge":
            return _merged_members(kind, current, patch, fields)
        case _:
            raise _failed(fields, "$patch must be merge, replace or delete")


def _merged_members(kind: str, current: Document, patch: Document, fields: Fields) -> Document:
    result = _retained(current, patch, fields)
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            _delete_values(result, key.removeprefix(_DELETE_FROM), value, fields)
    for key, value in patch.items():
        if key.startswith("$"):
            _check_directive(key, fields)
        elif value is None:
            result.pop(key, None)
        else:
            order = patch.get(_ORDER + key)
            result[key] = _member(kind, result.get(key), value, (*fields, key), order)
    _reorder_untouched(kind, result, patch, fields)
    return result


def _member(kind: str, current: object, value: object, fields: Fields, order: object) -> object:
    if isinstance(value, dict):
        return _merged(kind, current if isinstance(current, dict) else {}, value, fields)
    if not isinstance(value, list):
        return value
    shape = shape_of(kind, fields)
    if shape is None or not shape.merges:
        return value
    items = current if isinstance(current, list) else []
    if shape.is_set:
        merged: list[object] = list(dict.fromkeys(_values([*items, *value], fields)))
        return _ordered(merged, items, order, shape, fields)
    return _merged_items(kind, items, value, shape, fields, order)


def _merged_items(
    kind: str,
    items: Sequence[object],
    patch: Sequence[object],
    shape: Shape,
    fields: Fields,
    order: object,
) -> list[object]:
    directives = [item for item in patch if isinstance(item, dict) and _PATCH in item]
    if any(item[_PATCH] == "replace" for item in directives):
        return [item for item in patch if item not in directives]
    found = items_by_element(items, shape)
    for item in patch:
        element = item_element(item, shape)
        if element is None or not isinstance(item, dict):
            raise _failed(fields, f"each item needs {' and '.join(shape.keys)}")
        old = found.get(element)
        if item.get(_PATCH) == "delete":
            found.pop(element, None)
        else:
            found[element] = _merged(kind, old if isinstance(old, dict) else {}, item, fields)
    return _ordered(list(found.values()), items, order, shape, fields)


def _ordered(
    merged: list[object], before: Sequence[object], order: object, shape: Shape, fields: Fields
) -> list[object]:
    """Return the items in the asked order; those that it leaves out keep their neighbours."""
    if order is None:
        return merged
    if not isinstance(order, list):
        raise _failed(fields, "$setElementOrder must be a list")
    found = items_by_element(merged, shape)
    named = [element for element in items_by_element(order, shape) if element in found]
    asked = set(named)
    old = {element: at for at, element in enumerate(items_by_element(before, shape))}
    others = [element for element in found if element not in asked]
    return [found[element] for element in interleaved(named, others, old)]


def _reorder_untouched(kind: str, result: Document, patch: Document, fields: Fields) -> None:
    for key, order in patch.items():
        name = key.removeprefix(_ORDER)
        items = result.get(name)
        if not key.startswith(_ORDER) or name in patch or not isinstance(items, list):
            continue
        shape = shape_of(kind, (*fields, name))
        if shape is not None and shape.merges:
            result[name] = _ordered(items, items, order, shape, (*fields, name))


def _retained(current: Document, patch: Document, fields: Fields) -> Document:
    keys = patch.get(_RETAIN)
    if keys is None:
        return dict(current)
    if not isinstance(keys, list):
        raise _failed(fields, "$retainKeys must be a list of names")
    if any(
        key not in keys
        for key, value in patch.items()
        if not key.startswith("$") and value is not None
    ):
        raise _failed(fields, "$retainKeys must name every field that the patch sets")
    return {key: value for key, value in current.items() if key in keys}


def _delete_values(result: Document, name: str, values: object, fields: Fields) -> None:
    items = result.get(name)
    if not isinstance(values, list):
        raise _failed((*fields, name), "$deleteFromPrimitiveList must be a list")
    if isinstance(items, list):
        gone = set(_values(values, (*fields, name)))
        result[name] = [item for item in _values(items, (*fields, name)) if item not in gone]


def _values(items: Sequence[object], fields: Fields) -> list[str | int | float | bool | None]:
    values: list[str | int | float | bool | None] = []
    for item in items:
        if not isinstance(item, str | int | float | None):
            raise _failed(fields, "the list may hold plain values only")
        values.append(item)
    return values


def _check_directive(key: str, fields: Fields) -> None:
    if not key.startswith(_DIRECTIVES):
        raise _failed(fields, f"{key[:40]} is not a directive")


def _plain(value: Document) -> Document:
    return {
        key: _plain(member) if isinstance(member, dict) else member
        for key, member in value.items()
        if member is not None and not key.startswith("$")
    }


def _failed(fields: Fields, reason: str) -> PatchFailed:
    return PatchFailed(operation=".".join(fields) or "the patch", reason=reason)
