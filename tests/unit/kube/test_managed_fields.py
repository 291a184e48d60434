"""Managed fields: their form on the wire, and who has what after writes and applies."""

from typing import Any

import pytest

from atomic_registry.errors import ApplyConflict, PatchFailed
from atomic_registry.kube import apply
from atomic_registry.kube.managed_fields import (
    APPLY,
    UPDATE,
    ManagedEntry,
    Manager,
    field_set,
    from_fields_v1,
    path_text,
    read_managed,
    show_managed,
    to_fields_v1,
)

NOW = "2026-01-01T00:00:00Z"
STREAM: Any = {
    "kind": "ImageStream",
    "apiVersion": "image.openshift.io/v1",
    "metadata": {"name": "app", "labels": {"a/b": "c"}, "uid": "1"},
    "spec": {"tags": [{"name": "v1", "from": {"kind": "DockerImage", "name": "x"}}]},
}


def manager(name: str, operation: str = APPLY) -> Manager:
    return Manager(name=name, operation=operation, api_version="v1")


def test_fields_of_a_document_have_the_form_of_kubernetes() -> None:
    expected = {
        "f:metadata": {"f:labels": {"f:a/b": {}}},
        "f:spec": {"f:tags": {'k:{"name":"v1"}': {".": {}, "f:from": {}, "f:name": {}}}},
    }

    fields = field_set("ImageStream", STREAM)

    assert expected == to_fields_v1(fields)
    assert fields == from_fields_v1(expected)


def test_values_of_a_set_are_fields() -> None:
    fields = field_set("Group", {"users": ["mary", "bob"]})

    assert {"f:users": {'v:"bob"': {}, 'v:"mary"': {}}} == to_fields_v1(fields)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("f:spec", "f:tags", 'k:{"name":"v1"}', "f:from"), '.spec.tags[name="v1"].from'),
        (("f:users", 'v:"mary"'), '.users[="mary"]'),
        (("f:metadata", "f:labels", "f:a/b"), ".metadata.labels.a/b"),
    ],
)
def test_paths_are_written_as_kubernetes_writes_them(path: tuple[str, ...], text: str) -> None:
    assert text == path_text(path)


@pytest.mark.parametrize(
    "value",
    [
        {"manager": "x"},
        ["x"],
        [{"operation": "Sing"}],
        [{"operation": "Apply", "fieldsType": "FieldsV2"}],
        [{"operation": "Apply", "manager": 1}],
        [{"operation": "Apply", "fieldsV1": ["f:a"]}],
        [{"operation": "Apply", "fieldsV1": {"g:a": {}}}],
        [{"operation": "Apply", "fieldsV1": {"k:[1]": {}}}],
        [{"operation": "Apply", "fieldsV1": {"v:{": {}}}],
        [{"operation": "Apply"}] * 101,
    ],
)
def test_entries_that_cannot_be_read_are_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        read_managed(value)


def test_old_updaters_become_one_entry() -> None:
    entries = [
        ManagedEntry(
            manager=manager(f"m{number}", UPDATE),
            time=f"2026-01-01T00:00:{number:02}Z",
            fields=frozenset({(f"f:x{number}",)}),
        )
        for number in range(15)
    ]

    shown = show_managed(entries)

    assert 11 == len(shown)
    [ancient] = [entry for entry in shown if entry["manager"] == "ancient-changes"]
    assert {f"f:x{number}" for number in range(5)} == set(ancient["fieldsV1"])  # type: ignore[call-overload]
    assert shown == show_managed(read_managed(shown))


def applied(
    live: Any, config: Any, entries: list[ManagedEntry], who: str, *, force: bool = False
) -> tuple[Any, list[ManagedEntry]]:
    it = manager(who)
    merged = apply.merge_applied("ImageStream", live, config, entries, it)
    change = apply.compare("ImageStream", live, merged)
    if not force:
        apply.refuse_conflicts(entries, it, change.written, frozenset())
    fields = field_set("ImageStream", config)
    return merged, apply.own_applied(entries, it, fields, change, NOW)


def tags(*names: str, **values: str) -> Any:
    return {"spec": {"tags": [{"name": name, **values} for name in names]}}


def test_appliers_share_a_list_by_key_and_each_takes_its_own_away() -> None:
    live, entries = applied({}, tags("a", "b"), [], "one")
    live, entries = applied(live, tags("b", "c"), entries, "two")
    assert tags("a", "b", "c") == live

    live, entries = applied(live, tags("a"), entries, "one")
    assert tags("a", "b", "c") == live
    live, entries = applied(live, {}, entries, "two")
    assert tags("a") == live
    live, entries = applied(live, {}, entries, "one")

    assert ({}, []) == (live, entries)


def test_a_conflict_names_manager_and_field_and_force_takes_the_field() -> None:
    live, entries = applied({}, tags("a", importPolicy="x"), [], "one")

    with pytest.raises(ApplyConflict) as caught:
        applied(live, tags("a", importPolicy="y"), entries, "two")
    assert (
        'Apply failed with 1 conflict: conflict with "one": .spec.tags[name="a"].importPolicy'
        == caught.value.message
    )

    live, entries = applied(live, tags("a", importPolicy="y"), entries, "two", force=True)
    assert tags("a", importPolicy="y") == live
    with pytest.raises(ApplyConflict):
        applied(live, tags("a", importPolicy="x"), entries, "one")


def test_several_conflicts_are_listed_by_manager() -> None:
    error = ApplyConflict(conflicts=[('"b"', ".x"), ('"a"', ".y"), ('"b"', ".z")])

    expected = 'Apply failed with 3 conflicts: conflicts with "a":\n- .y\n'
    assert expected + 'conflicts with "b":\n- .x\n- .z' == error.message


def test_an_update_takes_what_it_changes() -> None:
    live, entries = applied({}, tags("a", importPolicy="x"), [], "one")
    after = tags("a", importPolicy="y")
    change = apply.compare("ImageStream", live, after)

    entries = apply.track(entries, change, manager("kubectl", UPDATE), NOW)

    with pytest.raises(ApplyConflict, match=r'"kubectl" using v1 at 2026-01-01T00:00:00Z'):
        applied(after, tags("a", importPolicy="x"), entries, "one")


def test_what_nobody_had_belongs_to_those_before_the_first_apply() -> None:
    live: Any = {"metadata": {"labels": {"a": "1"}}}
    entries = apply.owned_before("ImageStream", live, "v1", NOW)

    with pytest.raises(ApplyConflict, match="before-first-apply"):
        applied(live, {"metadata": {"labels": {"a": "2"}}}, entries, "one")


@pytest.mark.parametrize("items", [[{"x": 1}], ["a"], [{"name": "a"}, {"name": "a"}]])
def test_items_that_cannot_be_told_apart_are_refused(items: Any) -> None:
    with pytest.raises(PatchFailed):
        applied({}, {"spec": {"tags": items}}, [], "one")
