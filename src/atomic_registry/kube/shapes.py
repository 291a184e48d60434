"""How lists and maps of our kinds merge: the table that patches and appliers share.

Source: the markers `patchStrategy`, `patchMergeKey`, `listType`, `listMapKey` and `structType` of
the Kubernetes and OpenShift types.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Document = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How the parts of one field belong together; without any marks it is atomic: one value.

    `keys` name the fields that tell the items of a list apart; `is_set` marks a list of plain
    values, each once. `merges` tells whether a strategic merge patch adds to the list.
    """

    keys: tuple[str, ...] = ()
    is_set: bool = False
    merges: bool = False

    @property
    def is_atomic(self) -> bool:
        """Whether one manager has the whole value."""
        return not self.keys and not self.is_set


ATOMIC = Shape()
_BY_NAME = Shape(keys=("name",), merges=True)
_COMMON: Mapping[tuple[str, ...], Shape] = {
    ("metadata", "finalizers"): Shape(is_set=True, merges=True),
    ("metadata", "ownerReferences"): Shape(keys=("uid",), merges=True),
}
_BINDING: Mapping[tuple[str, ...], Shape] = {("roleRef",): ATOMIC}
# A list that stands nowhere here is atomic; a map is open, each of its fields on its own.
_OF_KIND: Mapping[str, Mapping[tuple[str, ...], Shape]] = {
    # Several managers may each name members, but a patch replaces the list, as in OpenShift.
    "Group": {("users",): Shape(is_set=True)},
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "ServiceAccount": {("secrets",): _BY_NAME},
    "ImageStream": {
        ("spec", "tags"): _BY_NAME,
        ("spec", "tags", "from"): ATOMIC,
        ("status", "tags"): Shape(keys=("tag",), merges=True),
    },
}
_LONGEST = 3


def shape_of(kind: str, fields: tuple[str, ...]) -> Shape | None:
    """Return how the field of a kind merges, None where the table says nothing.

    `fields` are the names on the way; items of lists do not count.
    """
    if len(fields) > _LONGEST:
        return None
    return _OF_KIND.get(kind, {}).get(fields) or _COMMON.get(fields)


def is_atomic(kind: str, fields: tuple[str, ...], value: object) -> bool:
    """Tell whether the value is one for its managers: plain, a list or a map that is atomic."""
    shape = shape_of(kind, fields)
    if isinstance(value, dict):
        return shape is not None and shape.is_atomic
    if isinstance(value, list):
        return shape is None or shape.is_atomic or not has_distinct_items(value, shape)
    return True


def item_element(item: object, shape: Shape) -> str | None:
    """Return the element of a path that names an item of a list, None if nothing does."""
    if shape.is_set:
        return None if isinstance(item, dict | list) else "v:" + compact(item)
    if not isinstance(item, dict):
        return None
    key = {name: item.get(name) for name in sorted(shape.keys)}
    if any(value is None or isinstance(value, dict | list) for value in key.values()):
        return None
    return "k:" + compact(key)


def items_by_element(items: Iterable[object], shape: Shape) -> dict[str, object]:
    """Return the items by the elements that name them; those without a name are left out."""
    named = ((item_element(item, shape), item) for item in items)
    return {element: item for element, item in named if element is not None}


def has_distinct_items(items: Sequence[object], shape: Shape) -> bool:
    """Tell whether every item can be told apart."""
    return len(items_by_element(items, shape)) == len(items)


def interleaved(
    wanted: Sequence[str], others: Iterable[str], order: Mapping[str, int]
) -> Iterator[str]:
    """Yield both: each keeps its own order, and `order` tells where `others` stand between."""
    at = 0
    for other in others:
        place = order.get(other, -1)
        while at < len(wanted) and not place < order.get(wanted[at], -1):
            yield wanted[at]
            at += 1
        yield other
    yield from wanted[at:]


def compact(value: object) -> str:
    """Return JSON without spaces, as keys of `FieldsV1` carry it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def is_same(one: object, other: object) -> bool:
    """Tell whether two documents are equal; true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return one == other
