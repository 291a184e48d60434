"""Patches against models, and what holds of every apply."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from atomic_registry.errors import ApplyConflict, PatchFailed
from atomic_registry.kube import apply
from atomic_registry.kube.managed_fields import (
    APPLY,
    ManagedEntry,
    Manager,
    field_set,
    from_fields_v1,
    leaves,
    read_managed,
    show_managed,
    to_fields_v1,
)
from atomic_registry.kube.patch import json_patch, merge_patch
from atomic_registry.kube.strategic import strategic_merge

KIND, NOW = "ImageStream", "2026-01-01T00:00:00Z"
KEYS = st.sampled_from(["a", "b", "c~", "d/"])
SCALARS = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "x"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)


def without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: without_nulls(item) for key, item in value.items() if item is not None}


def difference(before: Any, after: Any) -> Any:
    """The merge patch that leads from one object without nulls to another."""
    patch = dict.fromkeys(before.keys() - after.keys())
    for key, value in after.items():
        if isinstance(value, dict) and isinstance(before.get(key), dict):
            patch[key] = difference(before[key], value)
        elif key not in before or before[key] != value:
            patch[key] = value
    return patch


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_made_of_two_objects_leads_from_one_to_the_other(
    before: Any, after: Any
) -> None:
    before, after = without_nulls(before), without_nulls(after)

    patch = difference(before, after)

    assert after == merge_patch(before, patch)
    assert after == strategic_merge("Role", before, patch)


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_applied_twice_does_what_it_did_once(document: Any, patch: Any) -> None:
    once = merge_patch(document, patch)

    assert once == merge_patch(once, patch)


def escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def pointers(value: Any, at: str = "") -> list[str]:
    found = [at]
    if isinstance(value, dict):
        for key, item in value.items():
            found += pointers(item, f"{at}/{escaped(key)}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            found += pointers(item, f"{at}/{number}")
    return found


def value_at(document: Any, pointer: str) -> Any:
    value = document
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


@given(st.data(), OBJECTS.filter(bool), VALUES)
def test_json_operations_undo_each_other(data: st.DataObject, document: Any, value: Any) -> None:
    pointer = data.draw(st.sampled_from(pointers(document)[1:]))
    before, original = value_at(document, pointer), copy.deepcopy(document)
    change = [
        {"op": "test", "path": pointer, "value": before},
        {"op": "replace", "path": pointer, "value": value},
        {"op": "test", "path": pointer, "value": value},
        {"op": "replace", "path": pointer, "value": before},
        {"op": "remove", "path": pointer},
        {"op": "add", "path": pointer, "value": before},
        {"op": "copy", "from": pointer, "path": "/copy"},
        {"op": "move", "from": "/copy", "path": "/moved"},
        {"op": "test", "path": "/moved", "value": before},
        {"op": "remove", "path": "/moved"},
    ]

    assert original == json_patch(document, change)
    assert original == document


OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"])}
    | {
        key: st.sampled_from(["", "/a", "/a/0", "/b/-", "/c~0", "/d~1/a", "/a/a/b", "x"])
        for key in ("path", "from")
    }
    | {"value": VALUES}
)


@given(OBJECTS, st.lists(OPERATIONS, max_size=6))
def test_any_json_patch_applies_or_says_what_does_not_fit(document: Any, patch: Any) -> None:
    original = copy.deepcopy(document)
    try:
        assert isinstance(json_patch(document, patch), dict)
    except PatchFailed as error:
        assert "operation" in error.message or "patch" in error.message
    assert original == document


TAGS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["v1", "v2", "v3"])}, optional={"note": st.sampled_from("xy")}
    ),
    max_size=3,
    unique_by=lambda tag: tag["name"],
)
LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=3)
CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries({"labels": LABELS}),
        "spec": st.fixed_dictionaries({"tags": TAGS}),
    },
)
STEPS = st.lists(st.tuples(st.sampled_from(["one", "two", "three"]), CONFIGS), max_size=6)


EMPTY = {("f:metadata", "f:labels"), ("f:spec", "f:tags")}


def full(config: Any) -> dict[Any, Any]:
    """The fields that a manager fills; a map or list that it leaves empty others may fill."""
    return {path: value for path, value in leaves(KIND, config).items() if path not in EMPTY}


class Object:
    """An object that several managers apply to."""

    def __init__(self) -> None:
        self.live: Any = {}
        self.entries: list[ManagedEntry] = []

    def apply(self, who: str, config: Any) -> None:
        manager = Manager(name=who, operation=APPLY, api_version="v1")
        merged = apply.merge_applied(KIND, self.live, config, self.entries, manager)
        change = apply.compare(KIND, self.live, merged)
        fields = field_set(KIND, config)
        self.entries = apply.own_applied(self.entries, manager, fields, change, NOW)
        self.live = merged


@given(STEPS)
def test_after_any_applies_each_manager_has_what_it_wants_unless_it_was_taken(steps: Any) -> None:
    it, last = Object(), {}
    for who, config in steps:
        it.apply(who, config)
        last[who] = config
        values = leaves(KIND, it.live)

        wanted = full(config)
        assert wanted.items() <= values.items()
        for entry in it.entries:
            assert entry.fields <= field_set(KIND, last[entry.manager.name])
            theirs = full(last[entry.manager.name])
            assert all(values[path] == theirs[path] for path in entry.fields & theirs.keys())


@given(STEPS)
def test_an_apply_is_idempotent(steps: Any) -> None:
    it = Object()
    for who, config in steps:
        it.apply(who, config)
        live, entries = it.live, it.entries

        it.apply(who, config)

        assert (live, show_managed(entries)) == (it.live, show_managed(it.entries))


@given(STEPS)
def test_what_one_manager_removes_another_keeps_and_nothing_else_stays(steps: Any) -> None:
    it = Object()
    for who, config in steps:
        it.apply(who, config)
    kept = [entry for entry in it.entries if entry.manager.name != "one"]

    it.apply("one", {})

    values = leaves(KIND, it.live)
    for entry in kept:
        assert entry.fields - EMPTY <= values.keys()
    for who in ("two", "three"):
        it.apply(who, {})
    assert {} == it.live
    assert [] == it.entries


@given(STEPS)
def test_a_second_manager_of_the_same_values_never_conflicts(steps: Any) -> None:
    it = Object()
    for who, config in steps:
        it.apply(who, config)
    other = Manager(name="other", operation=APPLY, api_version="v1")

    merged = apply.merge_applied(KIND, it.live, it.live, it.entries, other)

    change = apply.compare(KIND, it.live, merged)
    try:
        apply.refuse_conflicts(it.entries, other, change.written, frozenset())
    except ApplyConflict as error:  # pragma: no cover - it would be the fault
        raise AssertionError(error.message) from error
    assert it.live == merged


@given(STEPS)
def test_managed_fields_survive_their_form_on_the_wire(steps: Any) -> None:
    it = Object()
    for who, config in steps:
        it.apply(who, config)

    shown = show_managed(it.entries)

    assert {entry.manager: entry.fields for entry in it.entries} == {
        entry.manager: entry.fields for entry in read_managed(shown)
    }
    for entry in it.entries:
        assert entry.fields == from_fields_v1(to_fields_v1(entry.fields))
