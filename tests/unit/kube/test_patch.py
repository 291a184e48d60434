"""JSON patches and merge patches: the examples of their specifications, and what is refused."""

from typing import Any

import pytest

from atomic_registry.errors import ParameterInvalid, PatchFailed, TooLarge
from atomic_registry.kube.patch import MAX_OPERATIONS, json_patch, merge_patch


@pytest.mark.parametrize(
    ("document", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_does_what_rfc_7386_shows(document: Any, patch: Any, expected: Any) -> None:
    assert expected == merge_patch(document, patch)


@pytest.mark.parametrize(
    ("document", "operation", "expected"),
    [
        ({"a": 1}, {"op": "add", "path": "/b", "value": None}, {"a": 1, "b": None}),
        ({"a": [1, 3]}, {"op": "add", "path": "/a/1", "value": 2}, {"a": [1, 2, 3]}),
        ({"a": [1]}, {"op": "add", "path": "/a/-", "value": 2}, {"a": [1, 2]}),
        ({"a": 1}, {"op": "add", "path": "", "value": {"b": 2}}, {"b": 2}),
        ({"a": 1, "b": 2}, {"op": "remove", "path": "/a"}, {"b": 2}),
        ({"a": [1, 2]}, {"op": "remove", "path": "/a/0"}, {"a": [2]}),
        ({"a": [1, 2]}, {"op": "replace", "path": "/a/1", "value": 3}, {"a": [1, 3]}),
        ({"a": {"b": 1}}, {"op": "move", "from": "/a/b", "path": "/c"}, {"a": {}, "c": 1}),
        ({"a": [1, 2]}, {"op": "move", "from": "/a/0", "path": "/a/1"}, {"a": [2, 1]}),
        ({"a": [1]}, {"op": "copy", "from": "/a", "path": "/b"}, {"a": [1], "b": [1]}),
        ({"a/b": 1, "m~n": 2}, {"op": "remove", "path": "/a~1b"}, {"m~n": 2}),
        ({"a": {"b": [1.0]}}, {"op": "test", "path": "/a", "value": {"b": [1]}}, {"a": {"b": [1]}}),
    ],
)
def test_each_operation_of_a_json_patch(document: Any, operation: Any, expected: Any) -> None:
    assert expected == json_patch(document, [operation])


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        ({"op": "remove", "path": "/b"}, "nothing at this path"),
        ({"op": "replace", "path": "/b", "value": 1}, "nothing at this path"),
        ({"op": "add", "path": "/b/c", "value": 1}, "nothing at this path"),
        ({"op": "add", "path": "/list/3", "value": 1}, "nothing at this path"),
        ({"op": "add", "path": "/list/01", "value": 1}, "no position"),
        ({"op": "remove", "path": "/list/-"}, "no position"),
        ({"op": "add", "path": "/a/x", "value": 1}, "no object or list"),
        ({"op": "add", "path": "a", "value": 1}, "not a JSON pointer"),
        ({"op": "add", "path": "/~2", "value": 1}, "not a JSON pointer"),
        ({"op": "add", "path": "/x" * 101, "value": 1}, "more than 100 steps"),
        ({"op": "move", "from": "/list", "path": "/list/0"}, "into itself"),
        ({"op": "remove", "path": ""}, "cannot be removed"),
        ({"op": "test", "path": "/a", "value": True}, "another one"),
        ({"op": "test", "path": "/a", "value": 2}, "another one"),
    ],
)
def test_an_operation_that_does_not_fit_is_named(operation: Any, reason: str) -> None:
    fine = {"op": "test", "path": "/a", "value": 1}

    with pytest.raises(PatchFailed, match=reason) as caught:
        json_patch({"a": 1, "list": [1, 2]}, [fine, operation])

    assert caught.value.message.startswith(f"operation 1 ({operation['op']} ")


@pytest.mark.parametrize(
    "patch",
    [
        {"op": "add"},
        ["add"],
        [{"op": "sing", "path": "/a"}],
        [{"op": ["add"], "path": "/a"}],
        [{"op": "add", "path": "/a"}],
        [{"op": "add", "value": 1}],
        [{"op": "move", "path": "/a"}],
    ],
)
def test_what_is_no_json_patch_is_refused(patch: Any) -> None:
    with pytest.raises(ParameterInvalid):
        json_patch({"a": 1}, patch)


def test_a_json_patch_has_so_many_operations_and_copies_so_much() -> None:
    many = [{"op": "test", "path": "/a", "value": 1}] * (MAX_OPERATIONS + 1)
    double = [{"op": "copy", "from": "/a", "path": "/a/-"}] * 60

    with pytest.raises(TooLarge, match="operations"):
        json_patch({"a": 1}, many)
    with pytest.raises(TooLarge, match="copies"):
        json_patch({"a": ["x" * 100]}, double)


def test_the_document_that_is_patched_stays_as_it_was() -> None:
    document: Any = {"a": {"b": [1]}}

    json_patch(document, [{"op": "add", "path": "/a/b/-", "value": 2}])
    merge_patch(document, {"a": {"b": None}})

    assert {"a": {"b": [1]}} == document


def test_a_patch_may_not_leave_a_document_that_is_no_object() -> None:
    with pytest.raises(PatchFailed, match="must be an object"):
        json_patch({"a": 1}, [{"op": "replace", "path": "", "value": [1]}])
