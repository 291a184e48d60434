"""What the API does not take from those who may write: each refusal names what is wrong."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from atomic_registry.web.messages import Query, Request
from tests.faces.api_world import EXISTING, MasterWorld, make_master_world
from tests.faces.asking import document

ROOT = "everywhere-cluster-admin"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ACCESS = "/apis/authorization.k8s.io/v1"
OPENSHIFT = "/apis/authorization.openshift.io/v1"
USERS = "/apis/user.openshift.io/v1"
OAUTH = "/apis/oauth.openshift.io/v1"
ROLES = f"{RBAC}/namespaces/own/roles"
BINDINGS = f"{RBAC}/namespaces/own/rolebindings"
LOCAL = f"{ACCESS}/namespaces/own/localsubjectaccessreviews"
_NAMED: dict[str, object] = {"metadata": {"name": "fresh"}}
_REF: dict[str, object] = {"roleRef": {"kind": "ClusterRole", "name": "view"}}
_RIGHT = {"verb": "get", "resource": "projects"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[MasterWorld]:
    made = await make_master_world(tmp_path)
    yield made
    await made.close()


def _rule(**rule: object) -> dict[str, object]:
    return {**_NAMED, "rules": [rule]}


def _binding(*subjects: object, **more: object) -> dict[str, object]:
    return {**_NAMED, **_REF, "subjects": list(subjects), **more}


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        (ROLES, b'{"rules": NaN}', 400, "not JSON"),
        (ROLES, b'{"rules": [], "rules": []}', 400, "twice"),
        (
            f"{RBAC}/clusterroles",
            _rule(verbs=["get"], resources=["a"], nonResourceURLs=["/b"]),
            422,
            "two rules",
        ),
        (BINDINGS, _binding({"kind": "ServiceAccount", "name": ""}), 422, "subjects[0]"),
        (BINDINGS, _binding({"kind": "Robot", "name": "ci"}), 422, "subjects[0]"),
        (BINDINGS, _binding("mary"), 422, ""),
        (BINDINGS, {**_NAMED, "roleRef": {"kind": "ClusterRole", "name": ""}}, 422, "roleRef"),
        (BINDINGS, {**_NAMED, "roleRef": {"kind": "Group", "name": "a"}}, 422, "roleRef.kind"),
        (BINDINGS, {**_NAMED, "roleRef": {"kind": "Role", "name": "gone"}}, 404, "gone"),
        (
            f"{RBAC}/clusterrolebindings",
            _binding({"kind": "ServiceAccount", "name": "ci"}),
            422,
            "its namespace",
        ),
        (f"{USERS}/identities", _NAMED, 422, "providerUserName"),
        (
            f"{USERS}/identities",
            {**_NAMED, "providerName": "any", "providerUserName": "mary"},
            422,
            "any:mary",
        ),
        (f"{USERS}/groups", {"metadata": {"name": "system:masters"}}, 422, "system:"),
        (f"{USERS}/users", {"metadata": {"name": "a" * 300}}, 422, "characters"),
        (f"{OAUTH}/oauthclients", {**_NAMED, "grantMethod": "always"}, 422, "grantMethod"),
        (
            f"{OAUTH}/oauthclients",
            {**_NAMED, "redirectURIs": ["https://[::1"]},
            422,
            "redirectURIs[0]",
        ),
        (
            f"{OAUTH}/oauthclients",
            {**_NAMED, "accessTokenMaxAgeSeconds": -1},
            422,
            "may not be negative",
        ),
        (
            f"{OAUTH}/oauthclientauthorizations",
            {**_NAMED, "userName": "mary", "clientName": "cli"},
            422,
            "mary:cli",
        ),
        (
            ROLES,
            {"metadata": {"name": "fresh", "annotations": {"a": "b" * 300_000}}},
            422,
            "bytes in all",
        ),
        (LOCAL, {"spec": {"resourceAttributes": _RIGHT}}, 422, "a user or groups"),
        (
            LOCAL,
            {"spec": {"resourceAttributes": _RIGHT, "groups": ["g"] * 1001}},
            422,
            "at most 1000",
        ),
    ],
)
async def test_an_object_that_breaks_a_rule_is_refused_with_the_rule(
    world: MasterWorld, path: str, body: bytes | dict[str, object], status: int, told: str
) -> None:
    answer = await world.call(ROOT, "POST", path, body)

    assert status == answer.status, answer.body
    assert isinstance(answer.body, bytes)
    assert told in answer.body.decode()


async def test_a_list_takes_a_number_as_its_limit(world: MasterWorld) -> None:
    for limit in ("many", "-1", "\u0663"):
        answer = await world.call(ROOT, "GET", f"{USERS}/users?limit={limit}")
        assert 400 == answer.status, limit
    assert 1 == len(document(await world.call(ROOT, "GET", f"{USERS}/users?limit=1"))["items"])


async def test_a_trial_run_is_not_taken_for_a_real_one(world: MasterWorld) -> None:
    path = f"{ROLES}/{EXISTING}"

    by_body = await world.call(ROOT, "DELETE", path, {"dryRun": ["All"]})
    by_query = await world.call(ROOT, "DELETE", f"{path}?dryRun=All")
    kept = await world.call(ROOT, "GET", path)

    assert {400, 200} >= {by_body.status, by_query.status}
    assert 200 == kept.status


async def test_a_name_cannot_be_changed_by_an_update(world: MasterWorld) -> None:
    answer = await world.call(ROOT, "PUT", f"{ROLES}/{EXISTING}", _NAMED)

    assert 422 == answer.status
    assert "the name in the path" in document(answer)["message"]


class _Drip:
    """A body of a length that nobody said before."""

    def __init__(self, size: int, length: int | None) -> None:
        self.length = length
        self._size = size
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self._size):
            self.taken += 1
            yield b" " * 65_536


@pytest.mark.parametrize(
    ("size", "length", "status"), [(1000, None, 413), (1, 10**9, 413), (1, 70_000, 400)]
)
async def test_a_body_is_read_up_to_its_limit_and_to_its_end(
    world: MasterWorld, size: int, length: int | None, status: int
) -> None:
    body = _Drip(size, length)
    request = Request(
        method="POST",
        path=ROLES,
        query=Query(()),
        headers={
            "Content-Type": "application/json",
            "Authorization": f"Bearer {world.secrets[ROOT]}",
        },
        body=body,
        id="request-1",
    )

    answer = await world.worker.guard.serve(request)

    assert status == answer.status
    assert body.taken < 100


async def test_reviews_of_the_original_are_about_paths_and_projects_too(
    world: MasterWorld,
) -> None:
    everywhere = f"{OPENSHIFT}/subjectaccessreviews"
    path = {"verb": "get", "path": "/metrics", "isNonResourceURL": True}
    project = {"verb": "get", "resource": "projects", "resourceName": "private"}

    answers = [
        document(await world.call(ROOT, "POST", everywhere, asked))["allowed"]
        for asked in (
            path,
            {**path, "user": "nobody"},
            {**project, "user": "stranger"},
            {**project, "user": "nobody"},
            {**project, "resourceName": "public", "user": "system:anonymous"},
            {**project, "user": "system:anonymous"},
        )
    ]

    assert [True, False, True, False, True, False] == answers


async def test_a_robot_that_makes_a_project_administers_it(world: MasterWorld) -> None:
    grant = _binding({"kind": "ServiceAccount", "name": "ci", "namespace": "own"}) | {
        "roleRef": {"kind": "ClusterRole", "name": "self-provisioner"}
    }
    await world.call(ROOT, "POST", f"{RBAC}/clusterrolebindings", grant)
    requests = "/apis/project.openshift.io/v1/projectrequests"

    made = await world.call("ci", "POST", requests, {"metadata": {"name": "robots-own"}})
    seen = await world.call("ci", "GET", f"{RBAC}/namespaces/robots-own/rolebindings")

    assert (201, 200) == (made.status, seen.status)
