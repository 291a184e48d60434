"""Every error that the domain can raise has a row in the API's table."""

import json

import pytest

from atomic_registry.errors import DomainError, MetadataFailed
from atomic_registry.faces.api.errors import TABLE, render_error, render_internal
from tests.kit.errors import LEAVES, sample


@pytest.mark.parametrize("kind", LEAVES)
def test_a_leaf_of_the_tree_has_a_row_and_renders_as_a_status(kind: type[DomainError]) -> None:
    error = sample(kind)

    response = render_error(error, None)

    assert kind in TABLE
    assert isinstance(response.body, bytes)
    shown = json.loads(response.body)
    assert ("Status", "v1", "Failure") == (shown["kind"], shown["apiVersion"], shown["status"])
    assert (error.message, response.status) == (shown["message"], shown["code"])
    assert TABLE[kind] == (response.status, shown["reason"])


def test_an_unavailable_dependency_says_when_to_try_again() -> None:
    response = render_error(MetadataFailed(reason="away"), None)

    assert (503, "5") == (response.status, response.headers["Retry-After"])


def test_a_fault_of_ours_names_the_request_and_nothing_else() -> None:
    response = render_internal("request-7")

    assert isinstance(response.body, bytes)
    assert (500, "InternalError") == (response.status, json.loads(response.body)["reason"])
    assert b"request-7" in response.body
