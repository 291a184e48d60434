"""Nobody hands out rights that they do not hold themselves."""

from typing import Any

import pytest

from tests.faces.api.conftest import AUTHORIZATION, RBAC, Api

BINDINGS = f"{RBAC}/namespaces/demo/rolebindings"
ROLES = f"{RBAC}/namespaces/demo/roles"
EVERYTHING = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}


@pytest.fixture(autouse=True)
async def demo(api: Api) -> None:
    await api.new_project("mary", "demo")


def binding(role: str, *, kind: str = "ClusterRole", user: str = "mary") -> dict[str, Any]:
    return {
        "metadata": {"name": "grab"},
        "roleRef": {"kind": kind, "name": role},
        "subjects": [{"kind": "User", "name": user}],
    }


@pytest.mark.parametrize("prefix", [RBAC, AUTHORIZATION, "/oapi/v1"])
async def test_a_wider_role_cannot_be_bound(api: Api, prefix: str) -> None:
    path = f"{prefix}/namespaces/demo/rolebindings"

    answer = await api.post("mary", path, binding("cluster-admin"))

    assert (403, "Forbidden") == (answer.status, answer.body["reason"])
    assert "* *" in answer.body["message"]
    assert 404 == (await api.get("mary", f"{BINDINGS}/grab")).status


async def test_a_role_that_one_holds_can_be_bound(api: Api) -> None:
    answer = await api.post("mary", BINDINGS, binding("registry-admin", user="bob"))

    assert 201 == answer.status


async def test_a_wider_role_cannot_be_written(api: Api) -> None:
    answer = await api.post("mary", ROLES, {"metadata": {"name": "r"}, "rules": [EVERYTHING]})

    assert 403 == answer.status


async def test_a_role_in_use_cannot_be_widened(api: Api) -> None:
    rule = {"verbs": ["get"], "apiGroups": ["project.openshift.io"], "resources": ["projects"]}
    made = await api.post("mary", ROLES, {"metadata": {"name": "r"}, "rules": [rule]})
    await api.post("mary", BINDINGS, binding("r", kind="Role"))

    widened = await api.call("mary", "PUT", f"{ROLES}/r", made.body | {"rules": [EVERYTHING]})
    narrowed = await api.call("mary", "PUT", f"{ROLES}/r", made.body | {"rules": []})

    assert [403, 200] == [widened.status, narrowed.status]


async def test_the_role_of_a_binding_cannot_be_swapped(api: Api) -> None:
    await api.post("mary", BINDINGS, binding("registry-viewer"))

    answer = await api.call("mary", "PUT", f"{BINDINGS}/grab", binding("cluster-admin"))

    assert 422 == answer.status
    assert "roleRef" == answer.body["details"]["causes"][0]["field"]


async def test_a_binding_made_by_another_cannot_be_joined(api: Api) -> None:
    await api.post("root", BINDINGS, binding("cluster-admin", user="bob"))
    path = f"{BINDINGS}/grab"

    joined = await api.call("mary", "PUT", path, binding("cluster-admin", user="mary"))
    left = await api.call("mary", "PUT", path, binding("cluster-admin") | {"subjects": []})

    assert [403, 200] == [joined.status, left.status]


async def test_a_role_that_does_not_exist_cannot_be_bound_ahead(api: Api) -> None:
    missing = await api.post("mary", BINDINGS, binding("later", kind="Role"))
    root = await api.post("root", BINDINGS, binding("later"))

    assert [404, 404] == [missing.status, root.status]


async def test_a_project_role_is_not_bound_from_elsewhere(api: Api) -> None:
    cluster = await api.post("root", f"{RBAC}/clusterrolebindings", binding("r", kind="Role"))

    assert 422 == cluster.status
    assert "roleRef.kind" == cluster.body["details"]["causes"][0]["field"]


@pytest.mark.parametrize(
    "subject",
    [
        {"kind": "Robot", "name": "a"},
        {"kind": "User", "name": ""},
        {"kind": "User", "name": "a", "namespace": "b"},
    ],
)
async def test_a_subject_that_names_nobody_is_refused(api: Api, subject: dict[str, str]) -> None:
    document = binding("registry-viewer") | {"subjects": [subject]}

    assert 422 == (await api.post("mary", BINDINGS, document)).status


@pytest.mark.parametrize(
    "rule",
    [
        {"verbs": []},
        {"verbs": ["get"]},
        {"verbs": ["get"], "nonResourceURLs": ["/metrics"]},
    ],
)
async def test_a_rule_that_grants_nothing_clear_is_refused(
    api: Api, rule: dict[str, list[str]]
) -> None:
    answer = await api.post("root", ROLES, {"metadata": {"name": "r"}, "rules": [rule]})

    assert 422 == answer.status
    assert "rules[0]" == answer.body["details"]["causes"][0]["field"]
