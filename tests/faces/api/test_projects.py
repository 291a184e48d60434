"""The life of a project through the face: asked for, seen, described, deleted."""

import pytest

from atomic_registry.identity.ports import Transaction
from atomic_registry.identity.records import KINDS
from tests.faces.api.conftest import PROJECTS, RBAC, REQUESTS, Api

BINDINGS = f"{RBAC}/namespaces/demo/rolebindings"


def names(body: dict[str, list[dict[str, dict[str, str]]]]) -> list[str]:
    return [item["metadata"]["name"] for item in body["items"]]


async def namespaces(api: Api) -> set[str]:
    """Return the projects that anything is stored in."""

    def query(tx: Transaction) -> set[str]:
        found = [item for kind in KINDS for item in tx.objects.list(kind, limit=1000)]
        return {item.metadata.namespace for item in found if item.metadata.namespace}

    return await api.store.read(query)


async def test_who_asks_for_a_project_becomes_its_administrator(api: Api) -> None:
    document = {"metadata": {"name": "demo"}, "displayName": "Demo", "description": "For all"}

    made = await api.post("mary", REQUESTS, document)
    bindings = (await api.get("mary", BINDINGS)).body["items"]

    assert (201, "Project") == (made.status, made.body["kind"])
    assert {
        "openshift.io/display-name": "Demo",
        "openshift.io/description": "For all",
        "openshift.io/requester": "mary",
    } == made.body["metadata"]["annotations"]
    assert {
        ("admin", "admin", "mary"),
        ("system:image-pullers", "system:image-puller", "system:serviceaccounts:demo"),
    } == {
        (it["metadata"]["name"], it["roleRef"]["name"], it["subjects"][0]["name"])
        for it in bindings
    }


@pytest.mark.parametrize(
    "name", ["openshift", "openshift-x", "kube", "kube-system", "kubernetes", "", "A", "a" * 64]
)
async def test_a_name_that_is_the_systems_or_none_is_refused(api: Api, name: str) -> None:
    assert 422 == (await api.new_project("mary", name)).status


async def test_a_name_that_only_begins_like_the_systems_is_fine(api: Api) -> None:
    assert 201 == (await api.new_project("mary", "kubernet")).status


async def test_a_project_cannot_be_taken_by_asking_for_it_again(api: Api) -> None:
    await api.new_project("mary", "demo")

    again = await api.new_project("bob", "demo")

    assert 409 == again.status
    assert 403 == (await api.get("bob", BINDINGS)).status


async def test_a_display_name_has_one_line(api: Api) -> None:
    document = {"metadata": {"name": "demo"}, "displayName": "a\nb"}

    assert 422 == (await api.post("mary", REQUESTS, document)).status
    assert 403 == (await api.get("mary", f"{PROJECTS}/demo")).status


async def test_the_number_of_projects_is_limited_for_users_that_a_limit_fits(api: Api) -> None:
    first, second = await api.new_project("eve", "one"), await api.new_project("eve", "two")

    assert [201, 403] == [first.status, second.status]
    assert "at most 1" in second.body["message"]
    assert [201, 201] == [(await api.new_project("bob", name)).status for name in ("b1", "b2")]


async def test_who_may_not_ask_reads_the_administrators_message(api: Api) -> None:
    allowed = await api.get("mary", REQUESTS)
    await api.call("root", "DELETE", f"{RBAC}/clusterrolebindings/self-provisioners")

    refused = await api.get("mary", REQUESTS)

    assert (200, "Success") == (allowed.status, allowed.body["status"])
    assert (403, "Forbidden") == (refused.status, refused.body["reason"])
    assert "ask ops@example.com" in refused.body["message"]
    assert 403 == (await api.new_project("mary", "demo")).status


async def test_everybody_sees_their_own_projects_only(api: Api) -> None:
    for user, project in (("mary", "m1"), ("bob", "b1"), ("mary", "m2")):
        await api.new_project(user, project)
    await api.grant("b1", "registry-viewer", kind="User", name="mary")

    first = (await api.get("mary", f"{PROJECTS}?limit=2")).body
    rest = (await api.get("mary", f"{PROJECTS}?continue={first['metadata']['continue']}")).body

    assert ["b1", "m1", "m2"] == names(first) + names(rest)
    assert ["b1"] == names((await api.get("bob", PROJECTS)).body)
    assert ["b1", "m1", "m2"] == names((await api.get("root", PROJECTS)).body)
    assert [] == names((await api.get("eve", PROJECTS)).body)
    assert 401 == (await api.get("nobody", PROJECTS)).status


async def test_only_the_texts_of_a_project_change(api: Api) -> None:
    project = (await api.new_project("mary", "demo")).body
    path = f"{PROJECTS}/demo"
    metadata = project["metadata"]
    requester = {"openshift.io/requester": "mary"}

    described = await api.call(
        "mary",
        "PUT",
        path,
        {"metadata": {"annotations": requester | {"openshift.io/description": "x"}}},
    )
    stolen = await api.call(
        "mary", "PUT", path, {"metadata": {"annotations": {"openshift.io/requester": "bob"}}}
    )
    labelled = await api.call(
        "mary", "PUT", path, {"metadata": {"annotations": requester, "labels": {"a": "b"}}}
    )

    assert [200, 422, 422] == [described.status, stolen.status, labelled.status]
    assert metadata["uid"] == described.body["metadata"]["uid"]
    assert 403 == (await api.call("bob", "PUT", path, project)).status


async def test_a_deleted_project_leaves_nothing_behind(api: Api) -> None:
    await api.new_project("mary", "demo")
    await api.new_project("mary", "keep")
    await api.grant("demo", "registry-viewer", kind="User", name="bob")
    robots = "/api/v1/namespaces/demo/serviceaccounts"
    await api.post("mary", robots, {"metadata": {"name": "ci"}})
    await api.post("mary", f"{robots}/ci/token", {})

    refused = await api.call("bob", "DELETE", f"{PROJECTS}/demo")
    deleted = await api.call("mary", "DELETE", f"{PROJECTS}/demo")
    left = await namespaces(api)
    await api.new_project("eve", "demo")

    assert [403, 200] == [refused.status, deleted.status]
    assert {"keep"} == left
    assert [] == await api.tokens()
    assert ["demo"] == api.deleted_contents
    assert 403 == (await api.get("bob", f"{PROJECTS}/demo")).status
    assert 403 == (await api.get("mary", f"{PROJECTS}/demo")).status


async def test_a_failure_within_a_deletion_keeps_everything(api: Api) -> None:
    await api.new_project("mary", "demo")
    before = (await api.store.last_revision(), await namespaces(api))
    options = {"preconditions": {"resourceVersion": "1"}}

    answer = await api.call("mary", "DELETE", f"{PROJECTS}/demo", options)

    assert 409 == answer.status
    assert before == (await api.store.last_revision(), await namespaces(api))


async def test_an_administrator_makes_projects_of_any_name(api: Api) -> None:
    made = await api.post("root", PROJECTS, {"metadata": {"name": "openshift"}})

    assert 201 == made.status
    assert 403 == (await api.post("mary", PROJECTS, {"metadata": {"name": "mine"}})).status
