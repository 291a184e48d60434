"""Objects of every stored kind through the face, with real routing, guard and policy."""

from typing import Any

import msgspec
import pytest

from atomic_registry.identity.records import OAuthClient
from tests.faces.api.conftest import AUTHORIZATION, OAUTH, PROJECTS, RBAC, USERS, Api

RULE = {"verbs": ["get"], "apiGroups": ["image.openshift.io"], "resources": ["imagestreams"]}
VIEWER = {"kind": "ClusterRole", "name": "registry-viewer"}
NAMESPACED = "/api/v1/namespaces/demo/serviceaccounts"
KINDS: list[tuple[str, dict[str, Any]]] = [
    (PROJECTS, {"metadata": {"name": "other"}}),
    (f"{USERS}/users", {"metadata": {"name": "carol@example.com"}, "fullName": "Carol"}),
    (
        f"{USERS}/identities",
        {"metadata": {"name": "ldap:c"}, "providerName": "ldap", "providerUserName": "c"},
    ),
    (f"{USERS}/groups", {"metadata": {"name": "devs"}, "users": ["mary"]}),
    (f"{RBAC}/namespaces/demo/roles", {"metadata": {"name": "reader"}, "rules": [RULE]}),
    (f"{RBAC}/clusterroles", {"metadata": {"name": "reader"}, "rules": [RULE]}),
    (f"{RBAC}/namespaces/demo/rolebindings", {"metadata": {"name": "b"}, "roleRef": VIEWER}),
    (f"{RBAC}/clusterrolebindings", {"metadata": {"name": "b"}, "roleRef": VIEWER}),
    (NAMESPACED, {"metadata": {"name": "ci"}}),
    (f"{OAUTH}/oauthclients", {"metadata": {"name": "tool"}, "secret": "hush"}),
    (
        f"{OAUTH}/oauthclientauthorizations",
        {"metadata": {"name": "mary:tool"}, "userName": "mary", "clientName": "tool"},
    ),
]


@pytest.fixture(autouse=True)
async def demo(api: Api) -> None:
    assert 201 == (await api.new_project("mary", "demo")).status


@pytest.mark.parametrize(("collection", "document"), KINDS)
async def test_every_kind_can_be_made_read_listed_changed_and_deleted(
    api: Api, collection: str, document: dict[str, Any]
) -> None:
    path = f"{collection}/{document['metadata']['name']}"

    created = await api.post("root", collection, document)
    read = await api.get("root", path)
    listed = await api.get("root", collection)
    notes = {"annotations": {"openshift.io/description": "new"}}
    changed = await api.call(
        "root", "PUT", path, read.body | {"metadata": read.body["metadata"] | notes}
    )
    stale = await api.call("root", "PUT", path, read.body)
    deleted = await api.call("root", "DELETE", path)
    gone = await api.get("root", path)

    assert [201, 200, 200, 200, 409, 200, 404] == [
        answer.status for answer in (created, read, listed, changed, stale, deleted, gone)
    ], [created.body, changed.body, deleted.body]
    assert created.body == read.body
    assert read.body in listed.body["items"]
    assert f"{read.body['kind']}List" == listed.body["kind"]
    assert {"openshift.io/description": "new"} == changed.body["metadata"]["annotations"]
    assert read.body["metadata"]["uid"] == changed.body["metadata"]["uid"]
    assert "Conflict" == stale.body["reason"]
    assert "Success" == deleted.body["status"]
    assert "NotFound" == gone.body["reason"]


@pytest.mark.parametrize(("collection", "document"), KINDS)
async def test_somebody_without_rights_is_refused_everything(
    api: Api, collection: str, document: dict[str, Any]
) -> None:
    await api.post("root", collection, document)
    path = f"{collection}/{document['metadata']['name']}"

    answers = [
        await api.post("bob", collection, document),
        await api.get("bob", path),
        await api.call("bob", "PUT", path, document),
        await api.call("bob", "DELETE", path),
    ]

    # A role that every user may read is the one exception.
    allowed = 200 if "clusterroles" in path else 403
    assert [403, allowed, 403, 403] == [answer.status for answer in answers]
    assert "Forbidden" == answers[0].body["reason"]


@pytest.mark.parametrize(("collection", "document"), KINDS)
async def test_nobody_logged_in_is_asked_to_log_in(
    api: Api, collection: str, document: dict[str, Any]
) -> None:
    answer = await api.post("nobody", collection, document)

    assert 401 == answer.status
    assert "Unauthorized" == answer.body["reason"]
    assert "Bearer" in answer.headers["WWW-Authenticate"]


async def test_a_name_can_be_made_up(api: Api) -> None:
    answer = await api.post("mary", NAMESPACED, {"metadata": {"generateName": "ci-"}})

    assert answer.body["metadata"]["name"].startswith("ci-")
    assert len("ci-") + 5 == len(answer.body["metadata"]["name"])


async def test_a_second_one_of_the_name_is_refused(api: Api) -> None:
    await api.post("mary", NAMESPACED, {"metadata": {"name": "ci"}})

    answer = await api.post("mary", NAMESPACED, {"metadata": {"name": "ci"}})

    assert (409, "AlreadyExists") == (answer.status, answer.body["reason"])


@pytest.mark.parametrize(
    ("collection", "name"),
    [
        (NAMESPACED, "Upper"),
        (NAMESPACED, ""),
        (f"{USERS}/users", "system:admin"),
        (f"{USERS}/users", "~"),
        (f"{USERS}/users", "a/b"),
        (f"{USERS}/groups", "system:cluster-admins"),
        (f"{RBAC}/clusterroles", ".."),
        (f"{OAUTH}/oauthclients", "system:serviceaccount:demo:ci"),
        (PROJECTS, "a"),
        (PROJECTS, "a.b"),
    ],
)
async def test_a_bad_name_is_refused_with_its_field(api: Api, collection: str, name: str) -> None:
    answer = await api.post("root", collection, {"metadata": {"name": name}})

    assert (422, "Invalid") == (answer.status, answer.body["reason"])
    assert "metadata.name" in [cause["field"] for cause in answer.body["details"]["causes"]]


@pytest.mark.parametrize(
    "document",
    [
        {"metadata": {"name": "ci", "namespace": "other"}},
        {"metadata": {"name": "ci"}, "kind": "User"},
        {"metadata": {"name": "ci"}, "apiVersion": "v2"},
        {"metadata": {"name": "ci", "labels": {"a b": "c"}}},
        {"metadata": {"name": "ci", "labels": {"a": "b c"}}},
        {"metadata": {"name": "ci", "labels": "none"}},
        {"metadata": []},
        {"metadata": {"name": "ci"}, "disabled": "yes"},
    ],
)
async def test_a_document_that_contradicts_its_place_is_refused(
    api: Api, document: dict[str, Any]
) -> None:
    answer = await api.post("mary", NAMESPACED, document)

    assert 422 == answer.status, answer.body
    assert answer.body["details"]["causes"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"a": NaN}', 400),
        (b'{"metadata": {"name": "a", "name": "b"}}', 400),
        (b'{"metadata": {"name": "\xff"}}', 400),
        (b'{"metadata": {"name": "ci", "annotations": {"a": "\\u0000"}}}', 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 400 + b"1" + b"}" * 400, 422),
        (b" " * (1_572_864 + 1), 413),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused(api: Api, content: bytes, status: int) -> None:
    answer = await api.call("mary", "POST", NAMESPACED, content)

    assert status == answer.status, answer.body


async def test_a_body_of_another_type_is_refused(api: Api) -> None:
    answer = await api.call("mary", "POST", NAMESPACED, b"k8s\x00", media_type="text/plain")

    assert (415, "UnsupportedMediaType") == (answer.status, answer.body["reason"])


@pytest.mark.parametrize("query", ["watch=true", "dryRun=Some", "fieldSelector=a%3Db"])
async def test_an_option_that_would_be_ignored_is_refused(api: Api, query: str) -> None:
    made = await api.post("mary", f"{NAMESPACED}?{query}", {"metadata": {"name": "ci"}})

    assert 400 == made.status
    assert 404 == (await api.get("mary", f"{NAMESPACED}/ci")).status


async def test_what_the_system_keeps_cannot_be_written(api: Api) -> None:
    meta = {"name": "ci", "uid": "mine", "resourceVersion": "7", "creationTimestamp": "1999"}
    created = await api.post("mary", NAMESPACED, {"metadata": meta})

    assert "mine" != created.body["metadata"]["uid"]
    assert "2026-01-01T00:00:00Z" == created.body["metadata"]["creationTimestamp"]


async def test_an_update_of_an_object_made_anew_is_refused(api: Api) -> None:
    first = await api.post("mary", NAMESPACED, {"metadata": {"name": "ci"}})
    await api.call("mary", "DELETE", f"{NAMESPACED}/ci")
    await api.post("mary", NAMESPACED, {"metadata": {"name": "ci"}})
    meta = {"name": "ci", "uid": first.body["metadata"]["uid"]}

    answer = await api.call("mary", "PUT", f"{NAMESPACED}/ci", {"metadata": meta})
    options = {"preconditions": {"uid": meta["uid"]}}
    deleted = await api.call("mary", "DELETE", f"{NAMESPACED}/ci", options)

    assert [409, 409] == [answer.status, deleted.status]


async def test_pages_follow_each_other_without_gap_or_repetition(api: Api) -> None:
    for number in range(5):
        meta = {"name": f"ci-{number}", "labels": {"parity": str(number % 2)}}
        await api.post("mary", NAMESPACED, {"metadata": meta})

    names, token = [], ""
    while True:
        page = (await api.get("mary", f"{NAMESPACED}?limit=2&continue={token}")).body
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            break
    odd = (await api.get("mary", f"{NAMESPACED}?labelSelector=parity!=0")).body["items"]

    assert [f"ci-{number}" for number in range(5)] == names
    assert ["ci-1", "ci-3"] == [item["metadata"]["name"] for item in odd]


@pytest.mark.parametrize("token", ["x", "eyJ9", "WyJcdTAwMDAiLCIiXQ", "%C3%A9"])
async def test_a_continue_token_that_is_not_ours_is_refused(api: Api, token: str) -> None:
    answer = await api.get("mary", f"{NAMESPACED}?continue={token}")

    assert 400 == answer.status


async def test_the_objects_of_all_projects_are_for_those_who_may_see_all(api: Api) -> None:
    await api.new_project("bob", "bobs")

    everything = await api.get("root", f"{RBAC}/rolebindings")
    refused = await api.get("bob", f"{RBAC}/rolebindings")

    assert {"demo", "bobs"} == {item["metadata"]["namespace"] for item in everything.body["items"]}
    assert 403 == refused.status


async def test_an_object_is_reached_through_its_own_project_only(api: Api) -> None:
    await api.new_project("bob", "bobs")
    await api.post("mary", NAMESPACED, {"metadata": {"name": "ci"}})
    other = "/api/v1/namespaces/bobs/serviceaccounts/ci"

    assert 404 == (await api.get("bob", other)).status
    assert 404 == (await api.call("bob", "DELETE", other)).status
    assert 200 == (await api.get("mary", f"{NAMESPACED}/ci")).status


async def test_nothing_is_made_in_a_project_that_does_not_exist(api: Api) -> None:
    path = "/api/v1/namespaces/none/serviceaccounts"

    assert 404 == (await api.post("root", path, {"metadata": {"name": "ci"}})).status
    assert 403 == (await api.post("bob", path, {"metadata": {"name": "ci"}})).status


async def test_the_secret_of_a_client_goes_in_and_never_comes_out(api: Api) -> None:
    path = f"{OAUTH}/oauthclients"
    document = {
        "metadata": {"name": "tool"},
        "secret": "hush-hush",
        "secretHashes": ["sha256~planted"],
        "additionalSecrets": ["older-one"],
        "redirectURIs": ["https://tool.test/cb"],
    }
    made = await api.post("root", path, document)
    read = await api.get("root", f"{path}/tool")
    changed = await api.call("root", "PUT", f"{path}/tool", read.body | {"grantMethod": "auto"})
    listed = await api.get("root", path)

    shown = b"".join(answer.raw for answer in (made, read, changed, listed))
    for secret in (b"hush-hush", b"older-one", b"planted", b"sha256~", b"ecret"):
        assert secret not in shown
    stored = await api.stored(OAuthClient, "tool")
    assert stored is not None
    hashes = stored.secret_hashes
    assert 2 == len(hashes)
    assert all(text.startswith("sha256~") and len(text) == 50 for text in hashes)
    assert b"hush-hush" not in msgspec.json.encode(stored)


@pytest.mark.parametrize(
    "uri",
    ["https://a.test/#f", "/relative", "https://a.test/../x", "https://u@a.test/", "https:\\a"],
)
async def test_a_redirect_that_could_be_read_in_two_ways_is_refused(api: Api, uri: str) -> None:
    document = {"metadata": {"name": "tool"}, "redirectURIs": [uri]}

    answer = await api.post("root", f"{OAUTH}/oauthclients", document)

    assert 422 == answer.status
    assert "redirectURIs[0]" == answer.body["details"]["causes"][0]["field"]


async def test_both_groups_show_one_binding_each_in_its_form(api: Api) -> None:
    old = {
        "metadata": {"name": "old"},
        "roleRef": {"name": "registry-viewer"},
        "userNames": ["bob"],
        "groupNames": ["devs"],
        "subjects": None,
    }
    await api.post("mary", f"{AUTHORIZATION}/namespaces/demo/rolebindings", old)

    first = (await api.get("mary", f"{AUTHORIZATION}/namespaces/demo/rolebindings/old")).body
    second = (await api.get("mary", f"{RBAC}/namespaces/demo/rolebindings/old")).body
    third = (await api.get("mary", "/oapi/v1/namespaces/demo/rolebindings/old")).body

    assert (["bob"], ["devs"]) == (first["userNames"], first["groupNames"])
    assert {**VIEWER, "apiGroup": "rbac.authorization.k8s.io"} == second["roleRef"]
    assert ["User", "Group"] == [subject["kind"] for subject in second["subjects"]]
    assert ("v1", "RoleBinding") == (third["apiVersion"], third["kind"])
    assert first["metadata"] == second["metadata"] == third["metadata"]


async def test_deleting_a_user_or_a_robot_takes_their_tokens_along(api: Api) -> None:
    await api.post("mary", NAMESPACED, {"metadata": {"name": "ci"}})
    await api.post("mary", f"{NAMESPACED}/ci/token", {})
    await api.post("bob", f"{OAUTH}/useroauthaccesstokens", {"description": "laptop"})
    assert 2 == len(await api.tokens())

    await api.call("mary", "DELETE", f"{NAMESPACED}/ci")
    await api.call("root", "DELETE", f"{USERS}/users/bob")

    assert [] == await api.tokens()
