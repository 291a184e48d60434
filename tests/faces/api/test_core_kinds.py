"""Namespaces, secrets, limits, mappings, tokens of everybody, and kinds of which there is none."""

import base64
from datetime import timedelta

import pytest

from atomic_registry.identity.ports import TokenKind
from atomic_registry.identity.tokens import TokenService
from tests.faces.api.conftest import OAUTH, PROJECTS, USERS, Api
from tests.kit.clock import ManualClock

NAMESPACES = "/api/v1/namespaces"
DEMO = f"{NAMESPACES}/demo"
MAPPINGS = f"{USERS}/useridentitymappings"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


async def test_a_namespace_is_a_project(api: Api) -> None:
    made = await api.post("root", NAMESPACES, {"kind": "Namespace", "metadata": {"name": "demo"}})

    assert 201 == made.status
    assert ("Namespace", "v1") == (made.body["kind"], made.body["apiVersion"])
    assert 200 == (await api.get("root", f"{PROJECTS}/demo")).status
    assert {"phase": "Active"} == (await api.get("root", DEMO)).body["status"]
    labelled = {**made.body, "metadata": {**made.body["metadata"], "labels": {"team": "web"}}}
    assert 200 == (await api.call("root", "PUT", DEMO, labelled)).status
    assert 200 == (await api.call("root", "DELETE", DEMO)).status
    assert 404 == (await api.get("root", f"{PROJECTS}/demo")).status
    assert ["demo"] == api.deleted_contents


async def test_a_namespace_is_its_administrators_to_delete_and_nobodys_to_make(api: Api) -> None:
    await api.new_project("mary", "demo")
    await api.grant("demo", "edit", kind="User", name="bob")

    assert 403 == (await api.post("mary", NAMESPACES, {"metadata": {"name": "more"}})).status
    assert 403 == (await api.get("mary", NAMESPACES)).status
    assert 200 == (await api.get("bob", DEMO)).status
    assert 403 == (await api.get("eve", DEMO)).status
    assert 403 == (await api.call("bob", "DELETE", DEMO)).status
    assert 200 == (await api.call("mary", "DELETE", DEMO)).status


async def test_a_secret_is_kept_and_shown_to_those_who_may(api: Api) -> None:
    await api.new_project("mary", "demo")
    await api.grant("demo", "edit", kind="User", name="bob")
    secret = {"metadata": {"name": "s"}, "stringData": {"password": "hunter2"}}

    made = await api.post("mary", f"{DEMO}/secrets", secret)

    assert 201 == made.status
    value = base64.b64encode(b"hunter2").decode()
    assert {"password": value} == made.body["data"]
    assert "stringData" not in made.body
    assert "Opaque" == made.body["type"]
    assert value.encode() in (await api.get("mary", f"{DEMO}/secrets")).raw
    for path in (f"{DEMO}/secrets", f"{DEMO}/secrets/s", "/api/v1/secrets"):
        refused = await api.get("bob", path)
        assert 403 == refused.status
        assert value.encode() not in refused.raw
    assert 403 == (await api.get("mary", "/api/v1/secrets")).status


async def test_secrets_are_selected_by_their_type(api: Api) -> None:
    await api.new_project("mary", "demo")
    docker = "kubernetes.io/dockerconfigjson"
    secrets = f"{DEMO}/secrets"
    pull = {
        "metadata": {"name": "pull"},
        "type": docker,
        "stringData": {".dockerconfigjson": '{"auths": {}}'},
    }
    for body in (pull, {"metadata": {"name": "other"}}):
        assert 201 == (await api.post("mary", secrets, body)).status

    for selector, expected in (
        (f"type={docker}", ["pull"]),
        (f"type!={docker}", ["other"]),
        (f"type={docker},metadata.name=other", []),
    ):
        listed = await api.get("mary", f"{secrets}?fieldSelector={selector}")
        assert expected == [item["metadata"]["name"] for item in listed.body["items"]], selector
    assert 200 == (await api.call("mary", "DELETE", f"{secrets}?fieldSelector=type=Opaque")).status
    left = await api.get("mary", secrets)
    assert ["pull"] == [item["metadata"]["name"] for item in left.body["items"]]


async def test_a_bad_secret_is_refused_without_being_quoted(api: Api) -> None:
    await api.new_project("mary", "demo")
    for data, kind in (
        ({"a": "hunter2!"}, "Opaque"),
        (
            {".dockerconfigjson": base64.b64encode(b"hunter2").decode()},
            "kubernetes.io/dockerconfigjson",
        ),
        ({"a": 5}, "Opaque"),
    ):
        secret = {"metadata": {"name": "s"}, "data": data, "type": kind}
        answer = await api.post("mary", f"{DEMO}/secrets", secret)
        assert (422, "Invalid") == (answer.status, answer.body["reason"])
        assert answer.body["details"]["causes"]
        assert b"hunter2" not in answer.raw


async def test_the_plain_text_of_a_secret_must_be_text(api: Api) -> None:
    await api.new_project("mary", "demo")

    answer = await api.post(
        "mary", f"{DEMO}/secrets", {"metadata": {"name": "s"}, "stringData": {"a": [1]}}
    )

    assert 422 == answer.status


async def test_limits_are_the_clusters_to_set_and_the_projects_to_see(api: Api) -> None:
    await api.new_project("mary", "demo")
    quota = {
        "metadata": {"name": "q"},
        "spec": {"hard": {"openshift.io/imagestreams": "3", "atomic-registry/bytes": "5Gi"}},
    }
    limit = {
        "metadata": {"name": "l"},
        "spec": {"limits": [{"type": "openshift.io/Image", "max": {"storage": "1Gi"}}]},
    }

    for plural, document in (("resourcequotas", quota), ("limitranges", limit)):
        assert 403 == (await api.post("mary", f"{DEMO}/{plural}", document)).status
        made = await api.post("root", f"{DEMO}/{plural}", document)
        assert (201, document["spec"]) == (made.status, made.body["spec"])
        assert 200 == (await api.get("mary", f"{DEMO}/{plural}")).status
    bad = {"metadata": {"name": "b"}, "spec": {"hard": {"pods": "1"}}}
    refused = await api.post("root", f"{DEMO}/resourcequotas", bad)
    assert "spec.hard[pods]" == refused.body["details"]["causes"][0]["field"]


async def test_everything_in_a_project_goes_with_it(api: Api) -> None:
    await api.new_project("mary", "demo")
    await api.post("mary", f"{DEMO}/secrets", {"metadata": {"name": "s"}})
    await api.call("mary", "DELETE", DEMO)

    await api.new_project("bob", "demo")

    assert [] == (await api.get("bob", f"{DEMO}/secrets")).body["items"]


async def make_identity(api: Api, name: str = "p:mary") -> None:
    provider, _, own = name.partition(":")
    body = {"metadata": {"name": name}, "providerName": provider, "providerUserName": own}
    assert 201 == (await api.post("root", f"{USERS}/identities", body)).status


async def sides(api: Api, user: str, name: str = "p:mary") -> tuple[list[str], str]:
    """Return the identities of a user, and the user of the identity."""
    shown = (await api.get("root", f"{USERS}/users/{user}")).body
    identity = (await api.get("root", f"{USERS}/identities/{name}")).body
    return shown.get("identities", []), identity["user"].get("name", "")


async def test_a_mapping_keeps_both_sides_the_same(api: Api) -> None:
    await make_identity(api)
    body = {"identity": {"name": "p:mary"}, "user": {"name": "mary"}}

    made = await api.post("root", MAPPINGS, body)
    assert (201, "UserIdentityMapping") == (made.status, made.body["kind"])
    assert (["p:mary"], "mary") == await sides(api, "mary")
    assert made.body["user"]["uid"] == api.directory.users["mary"].uid
    again = await api.post("root", MAPPINGS, body)
    assert (409, "AlreadyExists") == (again.status, again.body["reason"])

    moved = {**made.body, "user": {"name": "bob"}}
    assert 200 == (await api.call("root", "PUT", f"{MAPPINGS}/p:mary", moved)).status
    assert ([], "bob") == await sides(api, "mary")
    assert (["p:mary"], "bob") == await sides(api, "bob")
    stale = await api.call("root", "PUT", f"{MAPPINGS}/p:mary", moved)
    assert 409 == stale.status

    assert 200 == (await api.call("root", "DELETE", f"{MAPPINGS}/p:mary")).status
    assert ([], "") == await sides(api, "bob")
    assert 404 == (await api.get("root", f"{MAPPINGS}/p:mary")).status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"identity": {"name": "p:mary"}}, 422),
        ({"user": {"name": "mary"}}, 422),
        ({"identity": {"name": "p:none"}, "user": {"name": "mary"}}, 404),
        ({"identity": {"name": "p:mary"}, "user": {"name": "none"}}, 404),
        ({"metadata": {"name": "a"}, "identity": {"name": "b"}, "user": {"name": "mary"}}, 422),
        ({"identity": 5}, 422),
    ],
)
async def test_a_mapping_needs_both_sides(api: Api, body: dict[str, object], status: int) -> None:
    await make_identity(api)

    assert status == (await api.post("root", MAPPINGS, body)).status
    assert ([], "") == await sides(api, "mary")


async def test_a_mapping_to_a_user_made_anew_is_none(api: Api) -> None:
    await make_identity(api)
    await api.post("root", MAPPINGS, {"identity": {"name": "p:mary"}, "user": {"name": "mary"}})
    await api.call("root", "DELETE", f"{USERS}/users/mary")
    await api.post("root", f"{USERS}/users", {"metadata": {"name": "mary"}})

    assert 404 == (await api.get("root", f"{MAPPINGS}/p:mary")).status
    # An administrator can mend it.
    again = {"identity": {"name": "p:mary"}, "user": {"name": "mary"}}
    assert 201 == (await api.post("root", MAPPINGS, again)).status


async def test_administrators_see_and_end_everybodys_tokens_and_no_secret(api: Api) -> None:
    tokens = TokenService(api.store, ManualClock())
    secret, token = await tokens.mint(
        TokenKind.ACCESS, user="mary", user_uid="u", lifetime=timedelta(hours=1), client="cli"
    )
    code, _ = await tokens.mint(
        TokenKind.CODE, user="mary", user_uid="u", lifetime=timedelta(hours=1)
    )
    path = f"{OAUTH}/oauthaccesstokens"

    listed = await api.get("root", path)

    assert [token.id] == [it["metadata"]["name"] for it in listed.body["items"]]
    assert ("mary", "cli") == (
        listed.body["items"][0]["userName"],
        listed.body["items"][0]["clientName"],
    )
    assert secret.encode() not in listed.raw
    assert code.encode() not in listed.raw
    assert 403 == (await api.get("mary", path)).status
    assert 200 == (await api.get("root", f"{path}/{token.id}")).status
    assert 200 == (await api.call("root", "DELETE", f"{path}/{token.id}")).status
    assert 404 == (await api.get("root", f"{path}/{token.id}")).status


async def test_a_token_review_tells_whose_it_is(api: Api) -> None:
    tokens = TokenService(api.store, ManualClock())
    secret, _ = await tokens.mint(
        TokenKind.PERSONAL,
        user="mary",
        user_uid=api.directory.users["mary"].uid,
        scopes=("user:info",),
        lifetime=timedelta(hours=1),
    )

    good = await api.post("root", REVIEWS, {"spec": {"token": secret}})
    bad = await api.post("root", REVIEWS, {"spec": {"token": "atr_a_none"}})
    elsewhere = await api.post("root", REVIEWS, {"spec": {"token": secret, "audiences": ["x"]}})

    status = good.body["status"]
    assert (True, "mary") == (status["authenticated"], status["user"]["username"])
    assert {"scopes.authorization.openshift.io": ["user:info"]} == status["user"]["extra"]
    assert secret.encode() not in good.raw
    assert (201, False) == (bad.status, bad.body["status"]["authenticated"])
    assert not elsewhere.body["status"]["authenticated"]
    assert 403 == (await api.post("mary", REVIEWS, {"spec": {"token": secret}})).status


@pytest.mark.parametrize("plural", ["nodes", "pods", "services"])
async def test_there_is_nothing_of_some_kinds(api: Api, plural: str) -> None:
    answer = await api.get("root", f"/api/v1/{plural}")

    assert (200, []) == (answer.status, answer.body["items"])
    assert answer.body["kind"].endswith("List")
    assert 403 == (await api.get("mary", f"/api/v1/{plural}")).status


async def test_the_binary_form_of_typed_clients_is_taken(api: Api) -> None:
    def field(number: int, value: bytes) -> bytes:
        return bytes([number << 3 | 2, len(value)]) + value

    head = field(1, field(1, b"v1") + field(2, b"Namespace"))
    body = b"k8s\0" + head + field(2, field(1, field(1, b"demo")))

    made = await api.call(
        "root", "POST", NAMESPACES, body, media_type="application/vnd.kubernetes.protobuf"
    )
    broken = await api.call(
        "root", "POST", NAMESPACES, body[:-1], media_type="application/vnd.kubernetes.protobuf"
    )

    assert (201, "demo") == (made.status, made.body["metadata"]["name"])
    assert (400, "BadRequest") == (broken.status, broken.body["reason"])


async def test_an_object_larger_than_the_limit_is_refused(api: Api) -> None:
    await api.new_project("mary", "demo")
    large = {"metadata": {"name": "s"}, "stringData": {"a": "x" * (3 * 512 * 1024)}}

    answer = await api.post("mary", f"{DEMO}/secrets", large)

    assert (413, "RequestEntityTooLarge") == (answer.status, answer.body["reason"])
