"""Every error that the domain can raise has a row in the API's table."""

import inspect
import json
from collections.abc import Iterator

import pytest

from atomic_registry.errors import DomainError, MetadataFailed
from atomic_registry.faces.api.errors import TABLE, render_error, render_internal

_SAMPLES: dict[str, object] = {
    "digests": ["sha256:a"],
    "causes": [("spec.name", "missing")],
    "allowed": ["GET"],
    "start": 5,
    "offset": 3,
    "size": 7,
    "limit": 9,
    "limit_seconds": 9,
    "expected": 1,
    "actual": 2,
    "received": 4,
    "retry_after_seconds": 6,
}


def leaves(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    children = kind.__subclasses__()
    if not children:
        yield kind
    for child in children:
        yield from leaves(child)


LEAVES = sorted(leaves(DomainError), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", LEAVES)
def test_a_leaf_of_the_tree_has_a_row_and_renders_as_a_status(kind: type[DomainError]) -> None:
    names = [name for name in inspect.signature(kind).parameters if name != "detail"]
    error = kind(**{name: _SAMPLES.get(name, "text") for name in names})

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
