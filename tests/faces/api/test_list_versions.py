"""Which state a list shows: `resourceVersion` and `resourceVersionMatch`, by Kubernetes' table."""

import json
from typing import Any

import pytest

from tests.faces.api_world import MasterWorld
from tests.kit.images import image
from tests.kit.pushes import push

ROOT = "everywhere-cluster-admin"
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
LISTS = (
    "/apis/user.openshift.io/v1/users",
    "/apis/project.openshift.io/v1/projects",
    "/api/v1/events",
    "/api/v1/namespaces/own/events",
    "/apis/image.openshift.io/v1/imagestreams",
    "/apis/image.openshift.io/v1/imagestreamtags",
    "/apis/image.openshift.io/v1/images",
    "/api/v1/namespaces/own/resourcequotas",
    ROLES,
)
REFUSED = {
    "resourceVersionMatch=Exact": "needs resourceVersion",
    "resourceVersion=1&resourceVersionMatch=Older": "Exact or NotOlderThan",
    "resourceVersion=0&resourceVersionMatch=Exact": "0 is any version",
    "resourceVersion=new": "must be a number",
    "resourceVersion=-1": "must be a number",
    "resourceVersion=1&continue=WyIiLCJhIl0": "names its place already",
    "resourceVersion=0&resourceVersionMatch=NotOlderThan&continue=WyIiLCJhIl0": "its place",
    "fieldSelector=spec.color%3Dred": "the fields are metadata.name",
}


@pytest.fixture(autouse=True)
async def _image(world: MasterWorld) -> None:
    await push(world.metadata, world.blobs, "own/app", image("one"), "v1")


async def get(world: MasterWorld, path: str, query: str = "") -> tuple[int, Any]:
    response = await world.call(ROOT, "GET", f"{path}?{query}")
    assert isinstance(response.body, bytes)
    return response.status, json.loads(response.body)


async def test_a_list_is_never_older_than_asked_for(world: MasterWorld) -> None:
    for path in LISTS:
        now = (await get(world, path))[1]["metadata"]["resourceVersion"]
        for query in (
            "resourceVersion=0",
            "resourceVersion=0&limit=5",
            "resourceVersion=0&resourceVersionMatch=NotOlderThan",
            "resourceVersion=1",
            f"resourceVersion={now}",
            f"resourceVersion={now}&limit=5",
            f"resourceVersion={now}&resourceVersionMatch=Exact",
            "resourceVersion=1&resourceVersionMatch=NotOlderThan&limit=5",
        ):
            status, body = await get(world, path, query)
            assert (200, now) == (status, body["metadata"]["resourceVersion"]), (path, query)


async def test_a_state_that_is_not_known_here_is_answered_so_that_clients_list_anew(
    world: MasterWorld,
) -> None:
    for path in LISTS:
        now = int((await get(world, path))[1]["metadata"]["resourceVersion"])
        for match in ("", "&resourceVersionMatch=NotOlderThan", "&resourceVersionMatch=Exact"):
            status, body = await get(world, path, f"resourceVersion={now + 1}{match}")
            assert (504, "Timeout") == (status, body["reason"]), (path, match)
            causes = [cause["reason"] for cause in body["details"]["causes"]]
            assert ["ResourceVersionTooLarge"] == causes
            assert body["details"]["retryAfterSeconds"]


async def test_an_older_state_cannot_be_had_again(world: MasterWorld) -> None:
    for path in LISTS:
        for query in ("resourceVersionMatch=Exact", "limit=5"):
            status, body = await get(world, path, f"resourceVersion=1&{query}")
            assert (410, "Expired") == (status, body["reason"]), (path, query)


async def test_options_that_mean_nothing_together_are_refused(world: MasterWorld) -> None:
    for path in LISTS:
        for query, told in REFUSED.items():
            status, body = await get(world, path, query)
            assert (400, "BadRequest") == (status, body["reason"]), (path, query)
            assert told in body["message"], (path, query, body)


async def test_a_list_from_any_version_goes_on_by_pages(world: MasterWorld) -> None:
    names: list[str] = []
    query = "limit=4&resourceVersion=0"
    while query:
        _, page = await get(world, ROLES, query)
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
        query = f"limit=4&continue={token}" if token else ""

    _, whole = await get(world, ROLES)
    assert [item["metadata"]["name"] for item in whole["items"]] == names


async def test_every_list_is_selected_by_name_and_by_namespace(world: MasterWorld) -> None:
    for path in LISTS:
        _, body = await get(world, path)
        for item in body["items"][:1]:
            meta = item["metadata"]
            name, namespace = meta["name"].replace(",", ""), meta.get("namespace", "")
            place = f"metadata.name%3D{name},metadata.namespace%3D{namespace}"
            _, found = await get(world, path, f"fieldSelector={place}")
            assert name in [it["metadata"]["name"] for it in found["items"]], path
            _, others = await get(world, path, f"fieldSelector=metadata.name!%3D{name}")
            assert name not in [it["metadata"]["name"] for it in others["items"]], path
