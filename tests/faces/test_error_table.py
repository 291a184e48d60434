"""Every error that the domain can raise has a row in the face's table."""

import inspect
import json
from collections.abc import Iterator

import pytest

from atomic_registry import errors
from atomic_registry.errors import DomainError
from atomic_registry.faces.registry.errors import TABLE, render_error

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


def sample(kind: type[DomainError]) -> DomainError:
    names = [name for name in inspect.signature(kind).parameters if name != "detail"]
    return kind(**{name: _SAMPLES.get(name, "text") for name in names})


LEAVES = sorted(leaves(DomainError), key=lambda kind: kind.__name__)


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
