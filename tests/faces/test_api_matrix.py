"""Every row of the master x every caller x every project x objects that are there or not.

The expectations are written out here, apart from the code that decides.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest

from atomic_registry.faces.api import routes
from atomic_registry.faces.oauth import routes as oauth
from atomic_registry.identity.actors import ANONYMOUS
from atomic_registry.identity.records import ClusterRoleBinding
from tests.faces.api_world import (
    ADMIN_ROBOT,
    CALLERS,
    EXISTING,
    REGISTRY_TOKEN,
    ROBOTS,
    SCOPED,
    MasterWorld,
    delete_object,
    make_master_world,
)
from tests.faces.world import NOBODY, PROJECTS, STRANGER

_ADMINS = {"cluster-admin", "admin", "registry-admin"}
_EDITORS = {*_ADMINS, "edit", "registry-editor"}
_VIEWERS = {*_EDITORS, "view", "registry-viewer", "cluster-reader"}
# Need -> who has it where the role is bound, whatever else everybody has.
HOLDERS: dict[str, set[str]] = {
    "look": _VIEWERS,
    "manage": _ADMINS,
    "inspect": {*_ADMINS, "cluster-reader"},
    "oversee": {"cluster-admin", "cluster-reader"},
    "rule": {"cluster-admin"},
}
# Need -> the tokens whose scopes let it through; those of the administrator of "own".
TOKENS: dict[str, set[str]] = {
    "discovery": set(SCOPED),
    "self": {"info-token"},
    "ask": {"check-token"},
    "projects": {"projects-token"},
}
# Need -> the tokens that may have it in "own".
OWN_TOKENS: dict[str, set[str]] = {
    "look": {"viewer-token", "admin-token"},
    "manage": {"admin-token"},
    "inspect": {"admin-token"},
}
# With these a token that was narrowed to a role could widen itself.
_WIDENING = ("/roles", "/rolebindings", "/token")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is needed for each verb on one kind, and where it is served."""

    prefixes: tuple[str, ...]
    plural: str
    needs: dict[str, str]
    namespaced: bool = False
    existing: str = field(default=EXISTING)


def _stored(read: str, write: str, *, listed: str = "", made: str = "") -> dict[str, str]:
    return {
        "list": listed or read,
        "create": made or write,
        "get": read,
        "update": write,
        "delete": write,
    }


_CORE, _LEGACY = "/api/v1", "/oapi/v1"
_PROJECT = ("/apis/project.openshift.io/v1", _LEGACY)
_USER = ("/apis/user.openshift.io/v1", _LEGACY)
_OPENSHIFT = ("/apis/authorization.openshift.io/v1", _LEGACY)
_RBAC = (*_OPENSHIFT, "/apis/rbac.authorization.k8s.io/v1")
_ACCESS = ("/apis/authorization.k8s.io/v1",)
_OAUTH = ("/apis/oauth.openshift.io/v1", _LEGACY)

KINDS = (
    Kind(
        prefixes=_PROJECT,
        plural="projects",
        needs=_stored("look", "manage", listed="projects", made="rule"),
    ),
    Kind(prefixes=_USER, plural="users", needs=_stored("oversee", "rule")),
    Kind(prefixes=_USER, plural="identities", needs=_stored("oversee", "rule")),
    Kind(prefixes=_USER, plural="groups", needs=_stored("oversee", "rule")),
    Kind(prefixes=_RBAC, plural="roles", needs=_stored("inspect", "manage"), namespaced=True),
    Kind(
        prefixes=_RBAC, plural="rolebindings", needs=_stored("inspect", "manage"), namespaced=True
    ),
    Kind(prefixes=_RBAC, plural="clusterroles", needs=_stored("named", "rule")),
    Kind(prefixes=_RBAC, plural="clusterrolebindings", needs=_stored("oversee", "rule")),
    Kind(
        prefixes=(_CORE,),
        plural="serviceaccounts",
        needs=_stored("inspect", "manage"),
        namespaced=True,
    ),
    Kind(prefixes=_OAUTH, plural="oauthclients", needs=_stored("oversee", "rule")),
    Kind(prefixes=_OAUTH, plural="oauthclientauthorizations", needs=_stored("rule", "rule")),
)
_ROBOT_TOKEN = f"{_CORE}/namespaces/{{namespace}}/serviceaccounts/{{name}}/token"
OTHERS: dict[str, tuple[tuple[str, ...], str]] = {
    # need -> prefixes and below, with the method first
    "GET projectrequests": (_PROJECT, "person"),
    "POST projectrequests": (_PROJECT, "person"),
    "GET users/~": (_USER, "self"),
    "POST selfsubjectreviews": (("/apis/authentication.k8s.io/v1",), "self"),
    "POST selfsubjectaccessreviews": (_ACCESS, "ask"),
    "POST selfsubjectrulesreviews": (_ACCESS, "ask"),
    "POST namespaces/{namespace}/selfsubjectrulesreviews": (_OPENSHIFT, "ask"),
    "POST namespaces/{namespace}/localsubjectaccessreviews": ((*_OPENSHIFT, *_ACCESS), "manage"),
    "POST namespaces/{namespace}/localresourceaccessreviews": (_OPENSHIFT, "manage"),
    "POST resourceaccessreviews": (_OPENSHIFT, "manage"),
    "GET useroauthaccesstokens": (_OAUTH, "named"),
    "POST useroauthaccesstokens": (_OAUTH, "named"),
    "GET useroauthaccesstokens/{name}": (_OAUTH, "named"),
    "DELETE useroauthaccesstokens/{name}": (_OAUTH, "named"),
    "POST useroauthaccesstokens/{name}/rotate": (_OAUTH, "person"),
}
_ANYBODY = ("/healthz", "/livez", "/readyz", "/version")
_GROUPS = sorted({prefix for kind in KINDS for prefix in kind.prefixes if "/apis" in prefix})
_GROUPS += ["/apis/authentication.k8s.io/v1", *_ACCESS]
_DISCOVERY = ("/api", "/apis", "/oapi", _CORE, _LEGACY, *_GROUPS, *(it[:-3] for it in _GROUPS))


def _expected() -> Iterator[tuple[tuple[str, str], str]]:
    yield from ((("GET", path), "anybody") for path in _ANYBODY)
    yield from ((("GET", path), "discovery") for path in _DISCOVERY)
    yield ("GET", "/metrics"), "oversee"
    for kind in KINDS:
        below = "/namespaces/{namespace}" if kind.namespaced else ""
        for prefix in kind.prefixes:
            many = f"{prefix}{below}/{kind.plural}"
            one, needs = f"{many}/{{name}}", kind.needs
            yield ("GET", many), needs["list"]
            yield ("POST", many), needs["create"]
            yield ("GET", one), needs["get"]
            yield ("PUT", one), needs["update"]
            yield ("DELETE", one), needs["delete"]
            if kind.namespaced:
                yield ("GET", f"{prefix}/{kind.plural}"), needs["list"]
    for request, (prefixes, need) in OTHERS.items():
        method, _, path = request.partition(" ")
        yield from (((method, f"{prefix}/{path}"), need) for prefix in prefixes)
    yield from (
        (("POST", f"{prefix}/subjectaccessreviews"), "manage" if prefix in _OPENSHIFT else "rule")
        for prefix in (*_OPENSHIFT, *_ACCESS)
    )
    yield ("POST", _ROBOT_TOKEN), "manage"
    yield ("GET", _ROBOT_TOKEN), "manage"
    yield ("DELETE", f"{_ROBOT_TOKEN}/{{id}}"), "manage"


EXPECTED = dict(_expected())
# What the server of logins says to a request without anything in it: nobody needs a right there.
EXPECTED_OAUTH = {
    ("GET", "/oauth/authorize"): 400,
    ("POST", "/oauth/authorize"): 400,
    ("POST", "/oauth/authorize/approve"): 400,
    ("POST", "/oauth/token"): 400,
}


def place_of(path: str, project: str) -> str:
    """Return the project that a row's right is asked in, empty for everywhere."""
    return project if "{namespace}" in path or path.endswith("/projects/{name}") else ""


def is_allowed(need: str, caller: str, method: str, path: str, project: str) -> bool:
    if need == "anybody":
        return True
    if caller == REGISTRY_TOKEN:
        return False
    if caller == ANONYMOUS.name:
        return need == "discovery" or (need == "look" and place_of(path, project) == "public")
    if caller in SCOPED:
        if need in OWN_TOKENS and place_of(path, project) == "own":
            is_widening = any(part in path for part in _WIDENING)
            return caller in OWN_TOKENS[need] and not (caller == "admin-token" and is_widening)
        return caller in TOKENS.get(need, ())
    if need == "person":
        return caller not in ROBOTS
    return need not in HOLDERS or _holds(need, caller, place_of(path, project))


def _holds(need: str, caller: str, project: str) -> bool:
    if caller.startswith("everywhere-"):
        if caller.removeprefix("everywhere-") in HOLDERS[need]:
            return True
    role = "admin" if caller == ADMIN_ROBOT else caller
    return {
        "own": role in HOLDERS[need],
        "private": caller == STRANGER,
        "shared": need == "look",
        "public": need == "look",
    }.get(project, False)


def test_every_row_of_the_api_has_its_expectation() -> None:
    assert {(row[0], row[1]) for row in routes.ROWS} == set(EXPECTED)


def concrete(world: MasterWorld, path: str, project: str, *, is_there: bool) -> str:
    """Return the path of an object that is there, or of one that never was."""
    name = EXISTING if is_there else "never-was"
    token = "sha256~" + "0" * 43
    if is_there:
        token = world.robot_tokens.get(project, token)
    if "useroauthaccesstokens" in path:
        name = world.personal_token if is_there else token
    if path.endswith("/projects/{name}"):
        name = project
    return path.replace("{namespace}", project).replace("{name}", name).replace("{id}", token)


def body_of(method: str) -> bytes | dict[str, object]:
    """Return a body that changes nothing: what is refused is refused before it is read."""
    return {"preconditions": {"uid": "another"}} if method == "DELETE" else b"{"


_NOUNS = sorted({path.split("/")[-1 if "{" not in path else 0] for _, path in EXPECTED})


def _noun(path: str) -> str:
    """Return what a row is about, to test the rows of one noun in one world."""
    words = [part for part in path.split("/") if part and "{" not in part]
    return "discovery" if path in (*_DISCOVERY, *_ANYBODY) else words[-1]


@pytest.mark.parametrize("noun", sorted({_noun(path) for _, path in EXPECTED}))
async def test_a_row_is_served_to_exactly_those_who_may(tmp_path: Path, noun: str) -> None:
    world = await make_master_world(tmp_path)
    wrong = []
    rows = [(*row, need) for row, need in EXPECTED.items() if _noun(row[1]) == noun]
    for (method, path, need), caller in product(rows, CALLERS):
        for project in PROJECTS if place_of(path, "own") else ("own",):
            for is_there in (True, False) if "{" in path else (True,):
                target = concrete(world, path, project, is_there=is_there)
                response = await world.call(caller, method, target, body_of(method))
                refused = 401 if caller == ANONYMOUS.name else 403
                served = response.status not in (401, 403)
                expected = is_allowed(need, caller, method, path, project)
                if (
                    served != expected
                    or response.status >= 500
                    or (not served and response.status != refused)
                ):
                    wrong.append((caller, method, target, response.status, response.body))
    await world.close()
    assert not wrong, wrong[:10]
