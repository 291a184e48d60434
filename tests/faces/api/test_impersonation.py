"""Acting as somebody else: refused unless a role allows exactly that, and never wider."""

from dataclasses import replace

import pytest

from atomic_registry.identity.actors import ANONYMOUS, AUTHENTICATED
from tests.faces.api.conftest import PROJECTS, RBAC, USERS, Api

REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


async def as_somebody(api: Api, caller: str, path: str = f"{USERS}/users/~", **headers: str) -> int:
    names = {f"Impersonate-{key.replace('__', '-')}": value for key, value in headers.items()}
    return (await api.call(caller, "GET", path, headers=names)).status


async def who_is(api: Api, caller: str, **headers: str) -> dict[str, object]:
    names = {f"Impersonate-{key.replace('__', '-')}": value for key, value in headers.items()}
    answer = await api.call(caller, "POST", REVIEW, {}, headers=names)
    assert 201 == answer.status, answer.body
    user: dict[str, object] = answer.body["status"]["userInfo"]
    return user


async def let(api: Api, user: str, *rules: dict[str, object]) -> None:
    """Give a user cluster-wide rights to impersonate."""
    name = f"sudo-{user}"
    role = {"metadata": {"name": name}, "rules": [{"verbs": ["impersonate"], **it} for it in rules]}
    assert 201 == (await api.post("root", f"{RBAC}/clusterroles", role)).status
    binding = {
        "metadata": {"name": name},
        "roleRef": {"kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "User", "name": user}],
    }
    assert 201 == (await api.post("root", f"{RBAC}/clusterrolebindings", binding)).status


def rule(resource: str, *names: str, group: str = "") -> dict[str, object]:
    return {"apiGroups": [group], "resources": [resource], "resourceNames": list(names)}


async def test_nobody_may_act_as_another_by_default(api: Api) -> None:
    assert 403 == await as_somebody(api, "mary", User="bob")
    assert 403 == await as_somebody(api, "mary", User="mary")
    assert 403 == await as_somebody(api, "mary", User="system:admin")
    assert 403 == await as_somebody(api, "mary", User="system:anonymous")
    assert 401 == await as_somebody(api, "nobody", User="bob")
    assert 401 == await as_somebody(api, "nobody", User="system:admin")


async def test_the_administrator_sees_what_another_would(api: Api) -> None:
    await api.new_project("mary", "demo")

    assert 200 == await as_somebody(api, "root", f"{PROJECTS}/demo", User="mary")
    assert 403 == await as_somebody(api, "root", f"{PROJECTS}/demo", User="bob")
    shown = await who_is(api, "root", User="bob", Group="devs")
    assert "bob" == shown["username"]
    assert api.directory.users["bob"].uid == shown["uid"]
    assert ["devs", AUTHENTICATED] == shown["groups"]


async def test_a_right_for_one_user_is_for_no_other_and_for_no_group(api: Api) -> None:
    await let(api, "mary", rule("users", "bob"))

    assert 200 == await as_somebody(api, "mary", User="bob")
    assert 403 == await as_somebody(api, "mary", User="eve")
    assert 403 == await as_somebody(api, "mary", User="bob", Group="system:cluster-admins")
    assert 403 == await as_somebody(api, "mary", User="bob", group="system:cluster-admins")
    assert 403 == await as_somebody(api, "mary", User="system:serviceaccount:demo:robot")


async def test_groups_cannot_be_smuggled_in_by_a_right_for_all_users(api: Api) -> None:
    await let(api, "mary", rule("users"), rule("groups", "devs"))

    assert 200 == await as_somebody(api, "mary", User="bob", Group="devs")
    assert 403 == await as_somebody(api, "mary", User="bob", Group="system:cluster-admins")
    # The name alone gives nothing: the rights of the administrator are those of a group.
    users = f"{USERS}/users"
    assert 403 == await as_somebody(api, "mary", users, User="system:admin")


async def test_the_right_on_openshifts_own_user_kind_is_another(api: Api) -> None:
    await let(api, "mary", rule("users", group="user.openshift.io"))

    assert 403 == await as_somebody(api, "mary", User="bob")


async def test_a_robot_takes_the_right_on_service_accounts_in_its_project(api: Api) -> None:
    await api.new_project("mary", "demo")
    await let(api, "mary", rule("users"))
    robot = "system:serviceaccount:demo:robot"
    made = await api.post(
        "mary", "/api/v1/namespaces/demo/serviceaccounts", {"metadata": {"name": "robot"}}
    )
    assert 201 == made.status

    assert 403 == await as_somebody(api, "mary", User=robot)
    shown = await who_is(api, "root", User=robot)
    assert robot == shown["username"]
    assert {
        AUTHENTICATED,
        "system:serviceaccounts",
        "system:serviceaccounts:demo",
    } == set(shown["groups"])  # type: ignore[call-overload]  # a list


async def test_uid_and_extra_need_rights_of_their_own(api: Api) -> None:
    await let(api, "mary", rule("users"))

    assert 403 == await as_somebody(api, "mary", User="bob", Uid="1")
    assert 403 == await as_somebody(api, "mary", User="bob", Extra__reason="x")
    assert 200 == await as_somebody(api, "root", User="bob", Extra__reason="x")
    # Another uid is another account: nothing is theirs.
    assert 403 == await as_somebody(api, "root", f"{USERS}/users/bob", User="bob", Uid="1")


async def test_scopes_narrow_whom_one_acts_as(api: Api) -> None:
    key = "Extra__scopes.authorization.openshift.io"

    assert 200 == await as_somebody(api, "root", PROJECTS, User="bob", **{key: "user:full"})
    assert 403 == await as_somebody(api, "root", PROJECTS, User="bob", **{key: "user:info"})
    assert 400 == await as_somebody(api, "root", PROJECTS, User="bob", **{key: "user:lots"})


async def test_a_scoped_token_cannot_shed_its_scopes(api: Api) -> None:
    root = api.actors["root"]
    api.actors["narrow"] = replace(root, scopes=("user:info",))
    api.actors["reader"] = replace(root, scopes=("role:cluster-admin:*",))
    api.actors["wide"] = replace(root, scopes=("role:cluster-admin:*:!",))

    assert 403 == await as_somebody(api, "narrow", User="bob")
    assert 403 == await as_somebody(api, "reader", User="bob")
    # This one may act as another, and stays as narrow as it is.
    assert 403 == await as_somebody(api, "wide", f"{USERS}/users/mary", User="bob")
    again = {"Extra__scopes.authorization.openshift.io": "user:full"}
    assert 400 == await as_somebody(api, "wide", User="bob", **again)


async def test_a_registry_token_acts_as_nobody(api: Api) -> None:
    api.actors["pull"] = replace(api.actors["root"], repositories={"demo/app": frozenset({"pull"})})

    assert 403 == await as_somebody(api, "pull", User="bob")


async def test_the_anonymous_user_can_be_tried_out(api: Api) -> None:
    assert 401 == await as_somebody(api, "root", PROJECTS, User=ANONYMOUS.name)
    assert 200 == await as_somebody(api, "root", "/apis", User=ANONYMOUS.name)


async def test_who_is_gone_or_disabled_cannot_be_acted_as(api: Api) -> None:
    user = (await api.get("root", f"{USERS}/users/bob")).body
    await api.call("root", "PUT", f"{USERS}/users/bob", {**user, "disabled": True})

    assert 403 == await as_somebody(api, "root", PROJECTS, User="bob")


@pytest.mark.parametrize(
    "headers",
    [
        {"Impersonate-Group": "system:cluster-admins"},
        {"Impersonate-Uid": "1"},
        {"Impersonate-Extra-scopes": "x"},
        {"Impersonate-User": ""},
        {"Impersonate-User": "bob", "impersonate-user": "root"},
        {"Impersonate-User": "bob", "Impersonate-Other": "x"},
        {"Impersonate-User": "bob\u200b"},
        {"Impersonate-User": "b" * 2000},
        {"Impersonate-User": "bob"} | {f"Impersonate-Extra-{n}": "x" for n in range(200)},
    ],
)
async def test_headers_without_sense_are_refused(api: Api, headers: dict[str, str]) -> None:
    answer = await api.call("root", "GET", PROJECTS, headers=headers)

    assert (400, "BadRequest") == (answer.status, answer.body["reason"])


async def test_no_lasting_token_is_made_in_anothers_name(api: Api) -> None:
    tokens = "/apis/oauth.openshift.io/v1/useroauthaccesstokens"
    body = {"description": "stays", "expiresIn": 3600}

    answer = await api.call("root", "POST", tokens, body, headers={"Impersonate-User": "bob"})

    assert 403 == answer.status
    assert 201 == (await api.post("bob", tokens, body)).status


async def test_acting_as_another_grants_no_more_than_they_hold(api: Api) -> None:
    await api.new_project("mary", "demo")
    binding = {
        "metadata": {"name": "more"},
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "User", "name": "mary"}],
    }

    answer = await api.call(
        "root",
        "POST",
        f"{RBAC}/namespaces/demo/rolebindings",
        binding,
        headers={"Impersonate-User": "mary"},
    )

    assert 403 == answer.status


async def test_the_change_log_has_who_acted_beside_whom_they_acted_as(api: Api) -> None:
    await api.new_project("mary", "demo")
    secret = {"metadata": {"name": "s"}, "type": "Opaque"}
    path = "/api/v1/namespaces/demo/secrets"
    made = await api.call("root", "POST", path, secret, headers={"Impersonate-User": "mary"})
    assert 201 == made.status, made.body
    assert 201 == (await api.post("mary", path, {"metadata": {"name": "own"}})).status

    page = await api.store.list_changes(0, kinds={"secrets"}, limit=10)

    assert ["system:admin/as/mary", "mary"] == [it.actor for it in page.changes]
