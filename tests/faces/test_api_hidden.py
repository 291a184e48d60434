"""What a refusal tells, and objects that are reached through their parent only."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from atomic_registry.identity.actors import ANONYMOUS
from atomic_registry.identity.policy import Right
from atomic_registry.identity.ports import TokenKind, Transaction
from atomic_registry.identity.records import ClusterRoleBinding, Role
from atomic_registry.identity.rules import covers
from tests.faces.api_world import (
    ADMIN_ROBOT,
    BYSTANDER,
    EXISTING,
    ROBOT,
    ROBOTS,
    SCOPED,
    make_master_world,
)
from tests.faces.asking import document
from tests.faces.world import CLOCK, NOBODY, PEOPLE, STRANGER

_PROJECTS = "/apis/project.openshift.io/v1/projects"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_USERS = "/apis/user.openshift.io/v1"
_OAUTH = "/apis/oauth.openshift.io/v1"
_ROBOTS = "/api/v1/namespaces/{project}/serviceaccounts"
_TOKENS = f"{_OAUTH}/useroauthaccesstokens"
_RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
ADMIN = "registry-admin"
# Where an object of each kind is, with the name of one that is there.
_PLACES = (
    f"{_PROJECTS}/{{project}}",
    f"{_RBAC}/namespaces/{{project}}/roles/{{name}}",
    f"{_RBAC}/namespaces/{{project}}/rolebindings/{{name}}",
    f"{_ROBOTS}/{{name}}",
    f"{_ROBOTS}/{{name}}/token",
)
_EVERYWHERE = (
    f"{_USERS}/users/{{name}}",
    f"{_USERS}/identities/{{name}}",
    f"{_USERS}/groups/{{name}}",
    f"{_RBAC}/clusterrolebindings/{{name}}",
    f"{_OAUTH}/oauthclients/{{name}}",
    f"{_OAUTH}/oauthclientauthorizations/{{name}}",
)


def robots(project: str = "own") -> str:
    return _ROBOTS.replace("{project}", project)


def without_self_provisioning(tx: Transaction) -> None:
    binding = tx.objects.find(ClusterRoleBinding, "self-provisioners")
    assert binding is not None
    tx.objects.remove(binding, actor="test", now=CLOCK.now())


@pytest.mark.parametrize(
    ("caller", "foreign"),
    [
        (NOBODY, "own"),
        (STRANGER, "own"),
        (ROBOT, "private"),
        (ADMIN, "private"),
        ("info-token", "private"),
        (ANONYMOUS.name, "own"),
    ],
)
async def test_a_refusal_does_not_tell_what_is_there(
    tmp_path: Path, caller: str, foreign: str
) -> None:
    world = await make_master_world(tmp_path)
    # Who may ask for projects finds out which names are taken by asking.
    await world.metadata.write(without_self_provisioning)
    told = []
    for place, method in product((*_PLACES, *_EVERYWHERE), ("GET", "PUT", "DELETE")):
        if place.endswith("/token") and method != "GET":
            continue
        answers = set()
        for project, name in product((foreign, "gone", "never"), (EXISTING, "not-there")):
            path = place.replace("{project}", project).replace("{name}", name)
            response = await world.call(caller, method, path, {"metadata": {}})
            assert isinstance(response.body, bytes)
            body = response.body.replace(project.encode(), b"?").replace(name.encode(), b"?")
            answers.add((response.status, body))
        if len(answers) != 1 or {401, 403}.isdisjoint(status for status, _ in answers):
            told.append((method, place, answers))
    await world.close()
    assert not told


async def test_who_may_look_is_told_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    world = await make_master_world(tmp_path)
    wrong = []
    for place, project in product((*_PLACES, *_EVERYWHERE), ("own", "private", "gone")):
        for name in (EXISTING, "never-was"):
            path = place.replace("{project}", project).replace("{name}", name)
            status = (await world.call("everywhere-cluster-admin", "GET", path)).status
            is_there = project != "gone" or "{project}" not in place
            if "{name}" in place:
                is_there = is_there and name == EXISTING
            if status != (200 if is_there else 404):
                wrong.append((path, status))
    await world.close()
    assert not wrong


async def test_a_list_of_projects_has_exactly_those_that_the_caller_may_get(tmp_path: Path) -> None:
    world = await make_master_world(tmp_path)
    wrong = []
    for caller in (*PEOPLE, *ROBOTS, "projects-token", "everywhere-view"):
        page = document(await world.call(caller, "GET", _PROJECTS))
        listed = {item["metadata"]["name"] for item in page["items"]}
        # The token may list what its user may see, but get none of it.
        asked = ADMIN if caller == "projects-token" else caller
        seen = {
            name
            for name in ("own", "private", "shared", "public", "gone", "openshift", "default")
            if (await world.call(asked, "GET", f"{_PROJECTS}/{name}")).status == 200
        }
        if listed != seen:
            wrong.append((caller, listed, seen))
    await world.close()
    assert not wrong


@pytest.mark.parametrize("kind", ["roles", "rolebindings"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_object_is_not_reached_by_its_name_through_another_project(
    tmp_path: Path, kind: str, method: str
) -> None:
    world = await make_master_world(tmp_path)
    body: dict[str, object] = {"metadata": {"name": "only-here"}}
    if kind == "rolebindings":
        body["roleRef"] = {"kind": "ClusterRole", "name": "view"}
    made = await world.call(STRANGER, "POST", f"{_RBAC}/namespaces/private/{kind}", body)

    # The administrator of another project, who may do all of this there.
    through = await world.call(ADMIN, method, f"{_RBAC}/namespaces/own/{kind}/only-here", body)
    still = await world.call(STRANGER, "GET", f"{_RBAC}/namespaces/private/{kind}/only-here")

    await world.close()
    assert (201, 404, 200) == (made.status, through.status, still.status)


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_document_does_not_choose_another_project_than_its_path(
    tmp_path: Path, method: str
) -> None:
    world = await make_master_world(tmp_path)
    path = f"{_RBAC}/namespaces/own/roles"
    target = path if method == "POST" else f"{path}/{EXISTING}"
    name = "smuggled" if method == "POST" else EXISTING
    body = {"metadata": {"name": name, "namespace": "private"}, "rules": []}

    answer = await world.call(ADMIN, method, target, body)
    landed = await world.metadata.read(
        lambda tx: tx.objects.find(Role, "smuggled", namespace="private")
    )

    await world.close()
    assert 400 <= answer.status < 500
    assert landed is None


async def test_a_robots_token_is_not_revoked_through_another_robot(tmp_path: Path) -> None:
    world = await make_master_world(tmp_path)
    own = f"{robots()}/{EXISTING}/token/{world.robot_tokens['own']}"
    foreign = world.robot_tokens["private"]

    tried = [
        await world.call(ADMIN, "DELETE", f"{robots()}/{ROBOT}/token/{world.robot_tokens['own']}"),
        await world.call(ADMIN, "DELETE", f"{robots()}/{EXISTING}/token/{foreign}"),
        await world.call(ADMIN, "DELETE", f"{robots()}/{EXISTING}/token/{world.personal_token}"),
        await world.call(ADMIN, "DELETE", f"{robots()}/never-was/token/{foreign}"),
        await world.call(ADMIN, "DELETE", f"{robots('private')}/{EXISTING}/token/{foreign}"),
    ]
    rightly = await world.call(ADMIN, "DELETE", own)
    kept = [await world.access.tokens.find(it) for it in (foreign, world.personal_token)]

    await world.close()
    assert [404, 404, 404, 404, 403] == [it.status for it in tried]
    assert 200 == rightly.status
    assert all(kept)


@pytest.mark.parametrize("caller", [STRANGER, "everywhere-cluster-admin", ADMIN_ROBOT])
async def test_a_personal_token_is_nobodys_but_its_owners(tmp_path: Path, caller: str) -> None:
    world = await make_master_world(tmp_path)
    path = f"{_TOKENS}/{world.personal_token}"

    answers = {
        (method, below): (await world.call(caller, method, f"{path}{below}")).status
        for method, below in (("GET", ""), ("DELETE", ""), ("POST", "/rotate"))
    }
    kept = await world.access.tokens.find(world.personal_token)

    await world.close()
    answers_of_robots = {403, 404} if caller == ADMIN_ROBOT else {404}
    assert set(answers.values()) <= answers_of_robots
    assert kept is not None


async def test_a_token_of_another_kind_is_no_personal_one(tmp_path: Path) -> None:
    world = await make_master_world(tmp_path)
    uid = world.access.directory.users[NOBODY].uid
    _, code = await world.access.tokens.mint(
        TokenKind.CODE, user=NOBODY, user_uid=uid, lifetime=None
    )
    _, login = await world.access.tokens.mint(
        TokenKind.ACCESS, user=NOBODY, user_uid=uid, lifetime=None
    )

    answers = [
        await world.call(NOBODY, "GET", f"{_TOKENS}/{code.id}"),
        await world.call(NOBODY, "DELETE", f"{_TOKENS}/{code.id}"),
        await world.call(NOBODY, "POST", f"{_TOKENS}/{code.id}/rotate"),
        await world.call(NOBODY, "POST", f"{_TOKENS}/{login.id}/rotate"),
        await world.call(NOBODY, "GET", f"{_TOKENS}/{login.id}"),
    ]

    await world.close()
    assert [404, 404, 404, 404, 200] == [it.status for it in answers]


async def test_a_precondition_spares_an_object_that_was_made_anew(tmp_path: Path) -> None:
    world = await make_master_world(tmp_path)
    path = f"{robots()}/{ROBOT}"
    old = document(await world.call(ADMIN, "GET", path))
    expected: dict[str, object] = {"preconditions": {"uid": old["metadata"]["uid"]}}
    by_uid = [await world.call(ADMIN, "DELETE", path, expected)]
    await world.call(ADMIN, "POST", robots(), {"metadata": {"name": ROBOT}})

    by_uid.append(await world.call(ADMIN, "DELETE", path, expected))
    by_uid.append(await world.call(ADMIN, "PUT", path, old))
    kept = await world.call(ADMIN, "GET", path)

    await world.close()
    assert [200, 409, 409] == [it.status for it in by_uid]
    assert 200 == kept.status


async def test_a_robot_made_anew_is_not_who_it_was(tmp_path: Path) -> None:
    world = await make_master_world(tmp_path)
    whoami = f"{_USERS}/users/~"
    before = await world.call(ROBOT, "GET", whoami)
    await world.call(ADMIN, "DELETE", f"{robots()}/{ROBOT}")
    await world.call(ADMIN, "POST", robots(), {"metadata": {"name": ROBOT}})

    after = await world.call(ROBOT, "GET", whoami)

    await world.close()
    assert (200, 401) == (before.status, after.status)


@pytest.mark.parametrize("caller", [*SCOPED, ADMIN, ADMIN_ROBOT, "everywhere-cluster-reader"])
async def test_a_caller_is_told_of_no_rule_that_does_not_hold(tmp_path: Path, caller: str) -> None:
    world = await make_master_world(tmp_path)
    actor = await world.actor(caller)
    rules = world.access.policy.rules_of(actor, "own")
    promised = [right for right in _rights() if any(covers(rule, right) for rule in rules)]

    wrong = [right for right in promised if not world.access.policy.grants(actor, right)]

    await world.close()
    assert promised
    assert not wrong


async def test_the_rules_of_a_token_are_those_that_its_scopes_leave(tmp_path: Path) -> None:
    world = await make_master_world(tmp_path)
    spec = {"spec": {"namespace": "own"}}

    narrow = document(await world.call("check-token", "POST", _RULES, spec))
    wide = document(await world.call(ADMIN, "POST", _RULES, spec))

    await world.close()
    assert {"selfsubjectaccessreviews", "selfsubjectrulesreviews"} <= _resources(narrow)
    assert all(name.endswith("reviews") for name in _resources(narrow))
    assert {"rolebindings", "imagestreams/layers", "selfsubjectrulesreviews"} <= _resources(wide)


def _resources(review: dict[str, Any]) -> set[str]:
    return {name for rule in review["status"]["resourceRules"] for name in rule["resources"]}


def _rights() -> list[Right]:
    groups = ["", "image.openshift.io", "project.openshift.io", "user.openshift.io"]
    groups += ["authorization.openshift.io", "rbac.authorization.k8s.io", "authorization.k8s.io"]
    resources = ["projects", "users", "roles", "rolebindings", "serviceaccounts", "secrets"]
    resources += ["serviceaccounts/token", "imagestreams/layers", "selfsubjectrulesreviews"]
    rights = [
        Right(verb=verb, group=group, resource=resource, namespace="own", name=name)
        for verb, group, resource in product(("get", "list", "create", "delete"), groups, resources)
        for name in ("", "~", BYSTANDER)
    ]
    return [*rights, Right(verb="get", path="/api/v1"), Right(verb="get", path="/metrics")]
