"""Request targets: decoded once, and refused where two programs could read them differently."""

import pytest

from atomic_registry.errors import ParameterInvalid, RouteUnknown
from atomic_registry.web.target import read_target


def test_a_target_is_decoded_once() -> None:
    path, query = read_target("/v2/a/b/blobs/sha256%3Aab?last=x%2525&n=1")

    assert "/v2/a/b/blobs/sha256:ab" == path
    assert "x%25" == query.get("last")


@pytest.mark.parametrize(
    "target", ["/v2/a%2fb", "/v2/../x", "/v2/%2e%2e/x", "/v2/a%00", "/v2/a\\b", "/v2/%ff", "v2"]
)
def test_a_doubtful_path_leads_nowhere(target: str) -> None:
    with pytest.raises(RouteUnknown):
        read_target(target)


@pytest.mark.parametrize(
    "query", ["last=%00", "last=a%0d%0ab", "last=%ff", "&".join(["a=b"] * 300)]
)
def test_a_doubtful_query_is_refused(query: str) -> None:
    with pytest.raises(ParameterInvalid):
        read_target(f"/v2/_catalog?{query}")
