"""Discovery says what the routes serve, and every route has its right."""

import re

import pytest

from atomic_registry.faces.api import routes
from atomic_registry.identity.policy import Right
from atomic_registry.resources.kinds import RESOURCES
from atomic_registry.web.endpoint import Access
from atomic_registry.web.messages import Query, Request
from tests.faces.api.conftest import Api
from tests.kit.bodies import BytesBody

PUBLIC = {"/healthz", "/livez", "/readyz", "/version"}


async def test_anybody_finds_out_what_is_served(api: Api) -> None:
    groups = (await api.get("nobody", "/apis")).body["groups"]
    core = (await api.get("nobody", "/api/v1")).body

    assert "user.openshift.io" in [group["name"] for group in groups]
    assert ("APIResourceList", "v1") == (core["kind"], core["groupVersion"])
    assert ["v1"] == (await api.get("nobody", "/api")).body["versions"]
    assert ["v1"] == (await api.get("nobody", "/oapi")).body["versions"]
    for group in groups:
        name = group["name"]
        shown = (await api.get("nobody", f"/apis/{name}")).body
        assert {"kind": "APIGroup", "apiVersion": "v1", **group} == shown
        listed = (await api.get("nobody", f"/apis/{name}/v1")).body
        assert f"{name}/v1" == listed["groupVersion"]
        assert listed["resources"]


async def test_the_server_says_its_version_and_that_it_lives(api: Api) -> None:
    assert b"ok\n" == (await api.get("nobody", "/healthz")).raw
    assert "1" == (await api.get("nobody", "/version")).body["major"]
    assert 200 == (await api.call("nobody", "HEAD", "/version")).status


async def test_what_is_not_there_is_not_found(api: Api) -> None:
    missing = await api.get("nobody", "/api/v1/namespaces/openshift/configmaps/motd")
    wrong = await api.call("root", "PATCH", "/apis/user.openshift.io/v1/users")

    assert (404, "NotFound") == (missing.status, missing.body["reason"])
    assert (405, "MethodNotAllowed") == (wrong.status, wrong.body["reason"])
    assert "DELETE, GET, HEAD, POST" == wrong.headers["Allow"]


def right_of(method: str, path: str, access: Access) -> Right:
    assert access.right is not None
    names = re.findall(r"\{(\w+)\}", path)
    request = Request(
        method=method,
        path=path,
        query=Query(()),
        headers={},
        body=BytesBody(b""),
        id="1",
        parameters={name: f"the-{name}" for name in names},
    )
    return access.right(request)


@pytest.mark.parametrize(("method", "path", "access"), [row[:3] for row in routes.ROWS])
def test_every_row_asks_for_the_right_of_its_method_in_its_place(
    method: str, path: str, access: Access
) -> None:
    if path in PUBLIC:
        assert routes.ANYBODY == access
        return
    right = right_of(method, path, access)

    if right.path:
        assert ("get", path) == (right.verb, right.path)
        return
    is_project = right.resource in {"projects", "namespaces"} and "{name}" in path
    namespace = "the-name" if is_project else "the-namespace" if "{namespace}" in path else ""
    assert namespace == right.namespace
    assert ("the-name" if "{name}" in path else "~" if "~" in path else "") == right.name
    assert right.resource.partition("/")[0] in path
    reads = {"watch"} if "/watch/" in path else {"get", "list"}
    verbs = {
        "GET": reads,
        "POST": {"create"},
        "PUT": {"update"},
        "PATCH": {"patch"},
        "DELETE": {"delete", "deletecollection"},
    }
    assert right.verb in verbs[method]


def test_what_discovery_lists_is_what_the_routes_serve() -> None:
    served = {
        (right.group, right.resource, right.verb)
        for method, path, access, _ in routes.ROWS
        if access.right is not None and not (right := right_of(method, path, access)).path
    }
    listed = {
        (group, row.plural, verb) for row in RESOURCES for group in row.groups for verb in row.verbs
    }

    assert listed == served


def test_no_two_rows_have_one_method_and_path() -> None:
    keys = [(method, path) for method, path, *_ in routes.ROWS]

    assert sorted(set(keys)) == sorted(keys)
