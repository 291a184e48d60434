"""Rows to routes."""

import pytest

from atomic_registry.errors import MethodUnsupported, RouteUnknown
from atomic_registry.identity.policy import Verb
from atomic_registry.web.endpoint import Access, Endpoint, Router
from atomic_registry.web.messages import Request, Response


async def handler(_request: Request) -> Response:
    return Response(status=200)


PULL = Access(Verb.PULL)
ROUTER = Router(
    [
        Endpoint("GET", "/v2/{repository}/blobs/{digest}", PULL, handler),
        Endpoint("DELETE", "/v2/{repository}/blobs/{digest}", PULL, handler),
    ],
    {"repository": str.upper, "digest": str},
)


def test_a_repository_spans_segments_and_parameters_are_converted() -> None:
    endpoint, parameters = ROUTER.match("GET", "/v2/a/b/blobs/c")
    assert endpoint.method == "GET"
    assert parameters == {"repository": "A/B", "digest": "c"}


def test_head_is_served_by_the_row_of_get() -> None:
    assert ROUTER.match("HEAD", "/v2/a/blobs/c")[0].method == "GET"


def test_another_method_says_which_are_allowed() -> None:
    with pytest.raises(MethodUnsupported) as caught:
        ROUTER.match("PUT", "/v2/a/blobs/c")
    assert caught.value.allowed == ("DELETE", "GET", "HEAD")


@pytest.mark.parametrize("path", ["/", "/v2/a/blobs/c/", "/v2/a/blobs/c/d"])
def test_an_unknown_path_is_no_route(path: str) -> None:
    with pytest.raises(RouteUnknown):
        ROUTER.match("GET", path)


def test_of_two_rows_that_fit_the_first_one_serves_whether_or_not_it_spans_segments() -> None:
    fixed = Endpoint("GET", "/v2/{digest}/tags", PULL, handler)
    spanning = Endpoint("GET", "/v2/{repository}/tags", PULL, handler)
    for first, second in ((fixed, spanning), (spanning, fixed)):
        router = Router([first, second], {"repository": str, "digest": str})
        assert router.match("GET", "/v2/a/tags")[0] is first
        assert router.match("GET", "/v2/a/b/tags")[0] is spanning
