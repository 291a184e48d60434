"""Every error that the domain can raise has a row in the face's table."""

import json

import pytest

from atomic_registry import errors
from atomic_registry.errors import DomainError
from atomic_registry.faces.registry.errors import TABLE, render_error
from tests.kit.errors import LEAVES, sample


@pytest.mark.parametrize("kind", LEAVES)
def test_a_leaf_of_the_tree_has_a_row_and_renders_in_the_specified_form(
    kind: type[DomainError],
) -> None:
    error = sample(kind)

    response = render_error(error, None)

    assert kind in TABLE
    assert isinstance(response.body, bytes)
    [shown] = json.loads(response.body)["errors"]
    assert {"code", "message", "detail"} == set(shown)
    assert error.message == shown["message"]
    assert shown["code"].replace("_", "").isupper()
    assert "application/json" == response.headers["Content-Type"]


def test_an_unavailable_dependency_says_when_to_try_again() -> None:
    response = render_error(errors.StorageFull(what="storing a blob"), None)

    assert 507 == response.status
    assert "5" == response.headers["Retry-After"]


def test_a_wrong_chunk_is_told_where_to_go_on() -> None:
    error = errors.RangeMismatch(upload_id="u", repository="demo/app", start=9, offset=4)

    response = render_error(error, None)

    assert 416 == response.status
    assert "/v2/demo/app/blobs/uploads/u" == response.headers["Location"]
    assert "0-3" == response.headers["Range"]
