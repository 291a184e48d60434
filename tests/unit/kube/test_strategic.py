"""Strategic merge patches: lists by their keys, directives, and what is refused."""

from typing import Any

import pytest

from atomic_registry.errors import PatchFailed
from atomic_registry.kube.strategic import strategic_merge

ROBOT: Any = {"secrets": [{"name": "a", "x": 1}, {"name": "b"}]}


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"secrets": [{"name": "a", "y": 2}]}, [{"name": "a", "x": 1, "y": 2}, {"name": "b"}]),
        ({"secrets": [{"name": "c"}]}, [*ROBOT["secrets"], {"name": "c"}]),
        ({"secrets": [{"name": "a", "$patch": "delete"}]}, [{"name": "b"}]),
        ({"secrets": [{"name": "z", "$patch": "delete"}]}, ROBOT["secrets"]),
        ({"secrets": [{"$patch": "replace"}, {"name": "c"}]}, [{"name": "c"}]),
        ({"secrets": [{"name": "a", "x": None}]}, [{"name": "a"}, {"name": "b"}]),
        (
            {"$setElementOrder/secrets": [{"name": "b"}, {"name": "a"}]},
            [{"name": "b"}, {"name": "a", "x": 1}],
        ),
        (
            {
                "$setElementOrder/secrets": [{"name": "c"}, {"name": "b"}],
                "secrets": [{"name": "c"}],
            },
            [{"name": "c"}, {"name": "a", "x": 1}, {"name": "b"}],
        ),
        ({"secrets": [{"name": "a", "$retainKeys": ["name"]}]}, [{"name": "a"}, {"name": "b"}]),
    ],
)
def test_items_are_merged_by_their_key(patch: Any, expected: Any) -> None:
    assert expected == strategic_merge("ServiceAccount", ROBOT, patch)["secrets"]


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"m": {"b": 2}}, {"m": {"a": 1, "b": 2}}),
        ({"m": {"$patch": "merge", "b": 2}}, {"m": {"a": 1, "b": 2}}),
        ({"m": {"$patch": "replace", "b": 2}}, {"m": {"b": 2}}),
        ({"m": {"$patch": "delete"}}, {"m": {}}),
        ({"m": None}, {}),
        ({"m": {"a": None}}, {"m": {}}),
        ({"m": {"$retainKeys": ["b"], "b": 2}}, {"m": {"b": 2}}),
        ({"l": [2]}, {"m": {"a": 1}, "l": [2]}),
    ],
)
def test_maps_are_merged_and_directives_obeyed(patch: Any, expected: Any) -> None:
    assert expected == strategic_merge("Role", {"m": {"a": 1}}, patch)


def test_finalizers_are_a_set_that_patches_add_to_and_take_from() -> None:
    document: Any = {"metadata": {"finalizers": ["a", "b"]}}
    patch: Any = {
        "metadata": {
            "$deleteFromPrimitiveList/finalizers": ["a"],
            "$setElementOrder/finalizers": ["c", "b"],
            "finalizers": ["c"],
        }
    }

    merged: Any = strategic_merge("Secret", document, patch)

    assert ["c", "b"] == merged["metadata"]["finalizers"]


@pytest.mark.parametrize(
    ("kind", "field"), [("Group", "users"), ("RoleBinding", "subjects"), ("Role", "rules")]
)
def test_lists_of_rights_and_members_are_replaced(kind: str, field: str) -> None:
    assert {field: ["b"]} == strategic_merge(kind, {field: ["a"]}, {field: ["b"]})


@pytest.mark.parametrize(
    "patch",
    [
        {"m": {"$patch": "sing"}},
        {"$nonsense": 1},
        {"secrets": [{"x": 1}]},
        {"secrets": ["text"]},
        {"$retainKeys": ["a"], "b": 1},
        {"$retainKeys": "a"},
        {"$deleteFromPrimitiveList/secrets": 3},
        {"$setElementOrder/secrets": "a", "secrets": []},
    ],
)
def test_a_directive_that_does_not_fit_is_refused(patch: Any) -> None:
    with pytest.raises(PatchFailed):
        strategic_merge("ServiceAccount", ROBOT, patch)
