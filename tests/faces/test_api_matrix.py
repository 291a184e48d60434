"""Every row of the master x every caller x every project x objects that are there or not.

The expectations are written out here, apart from the code that decides.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
import pytest_asyncio

from atomic_registry.faces.api import routes
from atomic_registry.faces.oauth import routes as oauth
from atomic_registry.identity.actors import ANONYMOUS
from atomic_registry.web.messages import StreamBody
from tests.faces import image_rows
from tests.faces.api_world import (
    ADMIN_ROBOT,
    CALLERS,
    EXISTING,
    FORM,
    REGISTRY_TOKEN,
    ROBOTS,
    SCOPED,
    MasterWorld,
    add_login,
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
    "limits": {*_VIEWERS, "system-registry", "system-image-pruner"},
    "quotas": {*_VIEWERS, "system-registry"},
    **image_rows.LOOKING,
    **image_rows.CHANGING,
    **image_rows.EVERYWHERE,
}
_LOOKING = ("look", "limits", "quotas", *image_rows.LOOKING)
# Need -> the tokens whose scopes let it through; those of the administrator of "own".
TOKENS: dict[str, set[str]] = {
    "discovery": set(SCOPED),
    "self": {"info-token"},
    "ask": {"check-token"},
    "projects": {"projects-token"},
}
# Need -> the tokens that may have it in "own".
OWN_TOKENS: dict[str, set[str]] = {
    **{need: {"viewer-token", "admin-token"} for need in _LOOKING},
    **{need: {"admin-token"} for need in ("manage", "inspect", *image_rows.CHANGING)},
}
# With these a token that was narrowed to a role could widen itself.
_WIDENING = ("/roles", "/rolebindings", "/token", "/secrets")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is needed for each verb on one kind, and where it is served."""

    prefixes: tuple[str, ...]
    plural: str
    needs: dict[str, str]
    namespaced: bool = False


def _stored(read: str, write: str, *, listed: str = "", made: str = "") -> dict[str, str]:
    return {
        "list": listed or read,
        "create": made or write,
        "get": read,
        "update": write,
        "delete": write,
    }


def _limits(listed: str) -> dict[str, str]:
    """Services list what they keep to; whoever may look at a project sees and follows it."""
    return _stored("look", "rule", listed=listed) | {"watch": "look"}


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
    Kind(
        prefixes=(_CORE,),
        plural="namespaces",
        needs=_stored("look", "manage", listed="oversee", made="rule"),
    ),
    Kind(prefixes=(_CORE,), plural="secrets", needs=_stored("manage", "manage"), namespaced=True),
    Kind(prefixes=(_CORE,), plural="limitranges", needs=_limits("limits"), namespaced=True),
    Kind(prefixes=(_CORE,), plural="resourcequotas", needs=_limits("quotas"), namespaced=True),
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
    "POST tokenreviews": (("/apis/authentication.k8s.io/v1",), "rule"),
    "GET events": ((_CORE,), "look"),
    "GET namespaces/{namespace}/events": ((_CORE,), "look"),
    "GET namespaces/{namespace}/events/{name}": ((_CORE,), "look"),
    "GET watch/events": ((_CORE,), "look"),
    "GET watch/namespaces/{namespace}/events": ((_CORE,), "look"),
    "GET watch/namespaces/{namespace}/events/{name}": ((_CORE,), "look"),
    "GET nodes": ((_CORE,), "oversee"),
    "GET pods": ((_CORE,), "look"),
    "GET namespaces/{namespace}/pods": ((_CORE,), "look"),
    "GET services": ((_CORE,), "look"),
    "GET namespaces/{namespace}/services": ((_CORE,), "look"),
    "GET watch/nodes": ((_CORE,), "oversee"),
    "GET watch/nodes/{name}": ((_CORE,), "oversee"),
    **{
        f"GET watch/{place}{kind}": ((_CORE,), "look")
        for kind in ("pods", "services")
        for place in ("", "namespaces/{namespace}/")
    },
    "GET watch/namespaces/{namespace}/pods/{name}": ((_CORE,), "look"),
    "GET watch/namespaces/{namespace}/services/{name}": ((_CORE,), "look"),
    "POST useridentitymappings": (_USER, "rule"),
    "GET useridentitymappings/{name}": (_USER, "rule"),
    "PUT useridentitymappings/{name}": (_USER, "rule"),
    "DELETE useridentitymappings/{name}": (_USER, "rule"),
    "GET oauthaccesstokens": (_OAUTH, "rule"),
    "GET oauthaccesstokens/{name}": (_OAUTH, "rule"),
    "DELETE oauthaccesstokens/{name}": (_OAUTH, "rule"),
    "GET useroauthaccesstokens": (_OAUTH, "named"),
    "POST useroauthaccesstokens": (_OAUTH, "named"),
    "GET useroauthaccesstokens/{name}": (_OAUTH, "named"),
    "DELETE useroauthaccesstokens/{name}": (_OAUTH, "named"),
    "POST useroauthaccesstokens/{name}/rotate": (_OAUTH, "person"),
}
_ANYBODY = ("/healthz", "/livez", "/readyz", "/version")
_GROUPS = sorted({prefix for kind in KINDS for prefix in kind.prefixes if "/apis" in prefix})
_GROUPS += ["/apis/authentication.k8s.io/v1", *_ACCESS, image_rows.GROUP]
_OPENAPI = ("/openapi/v2", "/openapi/v3", *(f"/openapi/v3{it}" for it in (_CORE, *_GROUPS)))
_DISCOVERY = (
    *("/api", "/apis", "/oapi", _CORE, _LEGACY, *_GROUPS, *(it[:-3] for it in _GROUPS)),
    *_OPENAPI,
)


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
            yield ("PATCH", one), needs["update"]
            if kind.plural not in {"projects", "namespaces"}:
                yield ("DELETE", many), needs["delete"]
            watched = [f"{prefix}/watch{below}/{kind.plural}"]
            if kind.namespaced:
                yield ("GET", f"{prefix}/{kind.plural}"), needs["list"]
                watched.append(f"{prefix}/watch/{kind.plural}")
            if "update" in needs:
                watched.append(f"{watched[0]}/{{name}}")
                # Everybody may list the roles that there are, and not follow them.
                need = "oversee" if kind.plural == "clusterroles" else needs["list"]
                need = needs.get("watch", need)
                yield from ((("GET", path), need) for path in watched)
    for request, (prefixes, need) in OTHERS.items():
        method, _, path = request.partition(" ")
        yield from (((method, f"{prefix}/{path}"), need) for prefix in prefixes)
    yield from (
        (("POST", f"{prefix}/subjectaccessreviews"), "manage" if prefix in _OPENSHIFT else "rule")
        for prefix in (*_OPENSHIFT, *_ACCESS)
    )
    yield from image_rows.expected()
    yield ("POST", _ROBOT_TOKEN), "manage"
    yield ("GET", _ROBOT_TOKEN), "manage"
    yield ("DELETE", f"{_ROBOT_TOKEN}/{{id}}"), "manage"


EXPECTED = dict(_expected())
# What the server of logins says to an empty form, whoever sends it: nobody needs a right there.
EXPECTED_OAUTH = {
    ("GET", "/oauth/authorize"): 400,
    ("POST", "/oauth/authorize"): 400,
    ("POST", "/oauth/authorize/approve"): 400,
    ("POST", "/oauth/token"): 401,
    ("GET", "/oauth/token"): 405,
    ("GET", "/oauth/token/request"): 302,
    ("GET", "/oauth/token/display"): 400,
    ("POST", "/oauth/token/display"): 302,
    ("GET", "/oauth/token/implicit"): 200,
    ("POST", "/oauth/device_authorization"): 401,
    ("GET", "/oauth/device"): 302,
    ("POST", "/oauth/device"): 302,
    ("POST", "/oauth/revoke"): 401,
    ("GET", "/oauth/style.css"): 200,
    ("GET", "/login"): 200,
    ("POST", "/login"): 403,
    ("GET", "/login/{provider}"): 200,
    ("POST", "/login/{provider}"): 403,
    ("GET", "/oauth2callback/{provider}"): 302,
    ("GET", "/logout"): 200,
    ("GET", "/.well-known/oauth-authorization-server"): 200,
}
# These two are about the token in the header: what it is, and its end.
ABOUT_A_TOKEN = {("GET", "/oauth/info"), ("POST", "/logout")}


NOT_IMPLEMENTED = 501
_PROJECTS_THEMSELVES = ("/projects/{name}", "/namespaces/{name}")


def place_of(path: str, project: str) -> str:
    """Return the project that a row's right is asked in, empty for everywhere."""
    return project if "{namespace}" in path or path.endswith(_PROJECTS_THEMSELVES) else ""


def is_allowed(need: str, caller: str, path: str, project: str) -> bool:
    place = place_of(path, project)
    if need == "anybody":
        return True
    if caller == ANONYMOUS.name:
        return need == "discovery" or (need in _LOOKING and place == "public")
    if caller in {*SCOPED, REGISTRY_TOKEN}:
        return _scope_allows(need, caller, path, place)
    if need == "person":
        return caller not in ROBOTS
    return need not in HOLDERS or _holds(need, caller, place)


def _scope_allows(need: str, token: str, path: str, place: str) -> bool:
    if place == "own" and token in OWN_TOKENS.get(need, ()):
        return token != "admin-token" or not any(part in path for part in _WIDENING)
    return token in TOKENS.get(need, ())


def _holds(need: str, caller: str, project: str) -> bool:
    if caller.startswith("everywhere-") and caller.removeprefix("everywhere-") in HOLDERS[need]:
        return True
    role = "admin" if caller == ADMIN_ROBOT else caller
    return {
        "own": role in HOLDERS[need],
        "private": caller == STRANGER and "admin" in HOLDERS[need],
        "shared": need in _LOOKING,
        "public": need in _LOOKING,
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
    if path.endswith(_PROJECTS_THEMSELVES):
        name = project
    return path.replace("{namespace}", project).replace("{name}", name).replace("{id}", token)


def body_of(method: str, path: str) -> bytes | Mapping[str, object]:
    """Return a body that changes nothing: what is refused is refused before it is read."""
    is_of_one = method == "DELETE" and path.endswith("}")
    return {"preconditions": {"uid": "another"}} if is_of_one else b"{"


def _noun(path: str) -> str:
    """Return what a row is about, to test the rows of one noun in one world."""
    words = [part for part in path.split("/") if part and "{" not in part]
    return "discovery" if path in (*_DISCOVERY, *_ANYBODY) else words[-1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MasterWorld]:
    """One world for all rows: no request to it changes anything."""
    made = await make_master_world(tmp_path_factory.mktemp("world"))
    yield made
    await made.close()


def _cases(noun: str) -> Iterator[tuple[str, str, str, str, bool]]:
    for (method, path), need in EXPECTED.items():
        if _noun(path) == noun:
            projects = PROJECTS if place_of(path, "own") else ("own",)
            there = (True, False) if "{" in path else (True,)
            yield from product((method,), (path,), (need,), projects, there)


async def _status(world: MasterWorld, caller: str, method: str, path: str, target: str) -> int:
    response = await world.call(caller, method, target, body_of(method, path))
    if isinstance(response.body, StreamBody):
        await response.body.close()
    return response.status


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("noun", sorted({_noun(path) for _, path in EXPECTED}))
async def test_a_row_is_served_to_exactly_those_who_may(world: MasterWorld, noun: str) -> None:
    wrong = []
    for method, path, need, project, is_there in _cases(noun):
        target = concrete(world, path, project, is_there=is_there)
        statuses = await asyncio.gather(
            *(_status(world, caller, method, path, target) for caller in CALLERS)
        )
        for caller, status in zip(CALLERS, statuses, strict=True):
            refused = 401 if caller == ANONYMOUS.name else 403
            served = status not in (401, 403)
            if (
                served != is_allowed(need, caller, path, project)
                or (status >= 500 and status != NOT_IMPLEMENTED)
                or (not served and status != refused)
            ):
                wrong.append((caller, method, target, status))
    assert not wrong, wrong[:10]


def test_every_row_of_the_logins_has_its_expectation() -> None:
    assert {(row[0], row[1]) for row in oauth.ROWS} == {*EXPECTED_OAUTH, *ABOUT_A_TOKEN}


@pytest.mark.asyncio(loop_scope="module")
async def test_a_credential_of_the_api_changes_nothing_at_the_logins(world: MasterWorld) -> None:
    wrong = []
    for (method, path), status in EXPECTED_OAUTH.items():
        target = path.replace("{provider}", "any")
        for caller in (ANONYMOUS.name, NOBODY, "everywhere-cluster-admin", REGISTRY_TOKEN):
            response = await world.call(caller, method, target, media_type=FORM)
            if response.status != status:
                wrong.append((caller, method, path, response.status, response.body))
    assert not wrong


@pytest.mark.asyncio(loop_scope="module")
async def test_a_token_is_told_about_itself_and_nobody_else_is(world: MasterWorld) -> None:
    answers = {
        caller: (await world.call(caller, "GET", "/oauth/info")).status for caller in CALLERS
    }

    refused = {caller for caller, status in answers.items() if status == 401}
    assert refused == {ANONYMOUS.name, REGISTRY_TOKEN}
    assert {200, 401} == set(answers.values())


async def test_a_logout_ends_the_login_in_the_header_and_no_personal_token(tmp_path: Path) -> None:
    world = await make_master_world(tmp_path)
    whoami = f"{_USER[0]}/users/~"

    await add_login(world, NOBODY)
    left = [await world.call(caller, "POST", "/logout") for caller in ("login", STRANGER)]
    after = [
        (await world.call(caller, "GET", whoami)).status for caller in ("login", NOBODY, STRANGER)
    ]

    await world.close()
    assert ([204, 204], [401, 200, 200]) == ([it.status for it in left], after)
