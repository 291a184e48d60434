"""Questions about rights through the face, and who the caller is."""

from dataclasses import replace
from typing import Any

import pytest

from tests.faces.api.conftest import AUTHORIZATION, USERS, Api

ACCESS = "/apis/authorization.k8s.io/v1"
LAYERS = {"verb": "get", "resource": "imagestreams", "subresource": "layers"}


@pytest.fixture(autouse=True)
async def demo(api: Api) -> None:
    await api.new_project("mary", "demo")


def spec(**more: Any) -> dict[str, Any]:
    attributes = LAYERS | {"group": "image.openshift.io", "namespace": "demo"}
    return {"spec": {"resourceAttributes": attributes, **more}}


@pytest.mark.parametrize(("user", "allowed"), [("mary", True), ("bob", False)])
async def test_may_i_is_answered_with_the_reason(api: Api, user: str, allowed: bool) -> None:
    answer = await api.post(user, f"{ACCESS}/selfsubjectaccessreviews", spec())

    assert 201 == answer.status
    assert allowed == answer.body["status"]["allowed"]
    assert ("binding admin" in answer.body["status"]["reason"]) == allowed


async def test_the_group_may_be_left_out_as_in_the_original(api: Api) -> None:
    document = spec()
    document["spec"]["resourceAttributes"]["group"] = ""

    answer = await api.post("mary", f"{ACCESS}/selfsubjectaccessreviews", document)

    assert answer.body["status"]["allowed"]


async def test_a_path_may_be_asked_about(api: Api) -> None:
    document = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/version"}}}

    answer = await api.post("mary", f"{ACCESS}/selfsubjectaccessreviews", document)

    assert answer.body["status"]["allowed"]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"spec": {"resourceAttributes": {"verb": "get"}}},
        {"spec": {"resourceAttributes": LAYERS, "nonResourceAttributes": {"path": "/"}}},
        {"spec": {"resourceAttributes": "x"}},
    ],
)
async def test_a_review_of_nothing_is_refused(api: Api, document: dict[str, Any]) -> None:
    answer = await api.post("mary", f"{ACCESS}/selfsubjectaccessreviews", document)

    assert 422 == answer.status


async def test_administrators_ask_about_others_within_their_project(api: Api) -> None:
    await api.grant("demo", "registry-viewer", kind="Group", name="devs")
    path = f"{ACCESS}/namespaces/demo/localsubjectaccessreviews"

    member = await api.post("mary", path, spec(user="zoe", groups=["devs"]))
    stranger = await api.post("mary", path, spec(user="zoe"))
    refused = await api.post("bob", path, spec(user="mary"))

    assert [True, False] == [it.body["status"]["allowed"] for it in (member, stranger)]
    assert 403 == refused.status


async def test_a_local_review_does_not_reach_another_project(api: Api) -> None:
    document = spec(user="mary")
    document["spec"]["resourceAttributes"]["namespace"] = "other"

    for group in (ACCESS, AUTHORIZATION):
        old = {"verb": "get", "resource": "projects", "namespace": "other", "user": "mary"}
        body = document if group == ACCESS else old
        path = f"{group}/namespaces/demo/localsubjectaccessreviews"
        assert 422 == (await api.post("mary", path, body)).status


async def test_the_rights_of_a_robot_are_those_of_its_account(api: Api) -> None:
    await api.post("mary", "/api/v1/namespaces/demo/serviceaccounts", {"metadata": {"name": "ci"}})
    path = f"{ACCESS}/namespaces/demo/localsubjectaccessreviews"

    there = await api.post("mary", path, spec(user="system:serviceaccount:demo:ci"))
    gone = await api.post("mary", path, spec(user="system:serviceaccount:demo:gone"))

    assert [True, False] == [it.body["status"]["allowed"] for it in (there, gone)]


async def test_the_originals_clients_ask_in_their_own_form(api: Api) -> None:
    asked = {"verb": "update", "resource": "imagestreams/layers"}
    path = f"{AUTHORIZATION}/namespaces/demo/localsubjectaccessreviews"

    own = await api.post("mary", path, asked)
    others = await api.post("mary", path, asked | {"user": "bob"})

    assert [True, False] == [own.body["allowed"], others.body["allowed"]]
    assert "SubjectAccessReviewResponse" == own.body["kind"]


async def test_who_can_names_users_and_groups(api: Api) -> None:
    asked = {"verb": "get", "resource": "imagestreams/layers"}
    path = f"{AUTHORIZATION}/namespaces/demo/localresourceaccessreviews"

    answer = await api.post("mary", path, asked)

    assert ["mary"] == answer.body["users"]
    groups = ["system:cluster-admins", "system:masters", "system:serviceaccounts:demo"]
    assert groups == answer.body["groups"]
    everywhere = f"{AUTHORIZATION}/resourceaccessreviews"
    assert 403 == (await api.post("mary", everywhere, asked)).status
    assert 201 == (await api.post("root", everywhere, asked)).status


async def test_the_rules_of_the_caller_are_listed(api: Api) -> None:
    new = await api.post(
        "mary", f"{ACCESS}/selfsubjectrulesreviews", {"spec": {"namespace": "demo"}}
    )
    old = await api.post(
        "mary", f"{AUTHORIZATION}/namespaces/demo/selfsubjectrulesreviews", {"spec": {}}
    )

    wanted = ["imagestreams/layers"]
    assert wanted in [rule["resources"] for rule in new.body["status"]["resourceRules"]]
    assert wanted in [rule.get("resources") for rule in old.body["status"]["rules"]]


async def test_the_caller_is_shown_with_the_groups_that_count(api: Api) -> None:
    await api.post("root", f"{USERS}/groups", {"metadata": {"name": "devs"}, "users": ["mary"]})

    user = await api.get("mary", f"{USERS}/users/~")
    admin = await api.get("root", f"{USERS}/users/~")
    legacy = await api.get("mary", "/oapi/v1/users/~")

    assert ("mary", ["devs"]) == (user.body["metadata"]["name"], user.body["groups"])
    assert api.actors["mary"].uid == user.body["metadata"]["uid"]
    assert "system:admin" == admin.body["metadata"]["name"]
    assert "mary" == legacy.body["metadata"]["name"]


async def test_nobody_logged_in_is_nobody(api: Api) -> None:
    assert 401 == (await api.get("nobody", f"{USERS}/users/~")).status


async def test_a_review_of_oneself_needs_no_readable_body(api: Api) -> None:
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"

    answer = await api.call("mary", "POST", path, b"k8s\x00", media_type="application/x")

    assert 201 == answer.status
    assert "mary" == answer.body["status"]["userInfo"]["username"]


async def test_a_token_of_little_scope_does_little(api: Api) -> None:
    api.actors["mary"] = replace(api.actors["mary"], scopes=("user:info",))

    assert 200 == (await api.get("mary", f"{USERS}/users/~")).status
    assert 403 == (await api.get("mary", "/api/v1/namespaces/demo/serviceaccounts")).status
