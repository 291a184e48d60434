"""The API's face in process: real routing, guard, policy and directory over a store in memory."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from atomic_registry.faces.api import routes
from atomic_registry.faces.api.discovery import DiscoveryHandlers
from atomic_registry.faces.api.errors import render_error, render_internal
from atomic_registry.faces.api.objects import ObjectHandlers, ProjectRequestHandlers
from atomic_registry.faces.api.reviews import ReviewHandlers
from atomic_registry.faces.api.tokens import OwnTokenHandlers, RobotTokenHandlers
from atomic_registry.identity.actors import (
    ANONYMOUS,
    AUTHENTICATED,
    AUTHENTICATED_OAUTH,
    CLUSTER_ADMINS,
    Actor,
)
from atomic_registry.identity.directory import Directory
from atomic_registry.identity.ports import Transaction
from atomic_registry.identity.rbac import RbacPolicy
from atomic_registry.identity.records import User
from atomic_registry.identity.roles import default_bindings, default_roles
from atomic_registry.identity.tokens import TokenService
from atomic_registry.kube.objects import KubeObject, ObjectMeta
from atomic_registry.resources.engine import ObjectService
from atomic_registry.resources.ports import Authority
from atomic_registry.resources.projects import ProjectLimit, ProjectService, RequestRules
from atomic_registry.resources.reviews import ReviewService
from atomic_registry.resources.tokens import OwnTokenService, RobotTokenService
from atomic_registry.web.endpoint import Access, Router
from atomic_registry.web.guard import Face, Guard
from atomic_registry.web.health import ProbeHandlers
from atomic_registry.web.messages import Query, Request
from atomic_registry.web.metrics import HttpMetrics
from tests.kit.clock import ManualClock
from tests.kit.identity_store import MemoryIdentityStore

START = datetime(2026, 1, 1, tzinfo=UTC)
PROJECTS = "/apis/project.openshift.io/v1/projects"
REQUESTS = "/apis/project.openshift.io/v1/projectrequests"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
AUTHORIZATION = "/apis/authorization.openshift.io/v1"
USERS = "/apis/user.openshift.io/v1"
OAUTH = "/apis/oauth.openshift.io/v1"


class BytesBody:
    """A request body that is there already."""

    def __init__(self, content: bytes) -> None:
        self.length: int | None = len(content)
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._content:
            yield self._content


@dataclass
class Answer:
    """A status and a parsed body, with the bytes as they went out."""

    status: int
    body: Any
    raw: bytes
    headers: dict[str, str]


@dataclass
class Api:
    """Calls the guard as the server would; `actors` stands for the credentials of each name."""

    guard: Guard
    store: MemoryIdentityStore
    directory: Directory
    actors: dict[str, Actor]
    projects: ProjectService
    deleted_contents: list[str] = field(default_factory=list)

    async def call(
        self,
        user: str,
        method: str,
        path: str,
        body: object = None,
        *,
        media_type: str = "application/json",
    ) -> Answer:
        target, _, query = path.partition("?")
        pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
        content = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
        request = Request(
            method=method,
            path=target,
            query=Query(pairs),
            headers={"Content-Type": media_type, "User": user},
            body=BytesBody(content),
            id="request-1",
        )
        response = await self.guard.serve(request)
        assert isinstance(response.body, bytes)
        is_json = response.headers["Content-Type"] == "application/json"
        parsed = json.loads(response.body) if is_json else None
        return Answer(response.status, parsed, response.body, response.headers)

    async def get(self, user: str, path: str) -> Answer:
        return await self.call(user, "GET", path)

    async def post(self, user: str, path: str, body: object) -> Answer:
        return await self.call(user, "POST", path, body)

    async def new_project(self, user: str, name: str) -> Answer:
        return await self.post(user, REQUESTS, {"metadata": {"name": name}})

    async def grant(self, project: str, role: str, **subject: str) -> None:
        """Bind a cluster role as the administrator of everything."""
        binding = {
            "metadata": {"generateName": "grant-"},
            "roleRef": {"kind": "ClusterRole", "name": role},
            "subjects": [subject],
        }
        answer = await self.post("root", f"{RBAC}/namespaces/{project}/rolebindings", binding)
        assert 201 == answer.status, answer.body


async def no_metrics() -> bytes:
    return b""


class _ByHeader:
    """Knows everybody by the name in a header."""

    def __init__(self, actors: dict[str, Actor], directory: Directory) -> None:
        self._actors = actors
        self._directory = directory

    def recall(self, request: Request, access: Access) -> Actor | None:
        return self._actors[request.headers["User"]]

    async def authenticate(self, request: Request, access: Access) -> Actor:
        return ANONYMOUS

    async def refresh(self) -> bool:
        before = self._directory.version
        await self._directory.refresh()
        return self._directory.version != before


async def _seed(store: MemoryIdentityStore) -> dict[str, Actor]:
    users = [User(metadata=ObjectMeta(name=name)) for name in ("mary", "bob", "eve")]
    users[2].metadata.labels["level"] = "limited"
    items: list[KubeObject] = [*default_roles(), *default_bindings(), *users]

    def change(tx: Transaction) -> None:
        for item in items:
            tx.objects.add(item, actor="system:test", now=START)

    await store.write(change)
    groups = frozenset({AUTHENTICATED, AUTHENTICATED_OAUTH})
    actors = {
        user.metadata.name: Actor(name=user.metadata.name, uid=user.metadata.uid, groups=groups)
        for user in users
    }
    root = Actor(name="system:admin", groups=frozenset({AUTHENTICATED, CLUSTER_ADMINS}))
    return actors | {"root": root, "nobody": ANONYMOUS}


@pytest.fixture
async def api() -> Api:
    store, clock = MemoryIdentityStore(), ManualClock()
    actors = await _seed(store)
    directory = Directory(store)
    await directory.refresh()
    policy = RbacPolicy(directory)
    authority = Authority(policy=policy, rights=policy, accounts=directory)
    deleted: list[str] = []
    projects = ProjectService(
        store,
        clock,
        authority,
        rules=RequestRules(
            message="ask ops@example.com",
            limits=[ProjectLimit(labels={"level": "limited"}, max_projects=1)],
        ),
        delete_contents=lambda tx, actor, name: deleted.append(name),
    )
    tokens = TokenService(store, clock)
    handlers = routes.Handlers(
        objects=ObjectHandlers(ObjectService(store, clock, authority)),
        projects=ObjectHandlers(projects),
        requests=ProjectRequestHandlers(projects),
        reviews=ReviewHandlers(ReviewService(store, authority)),
        robot_tokens=RobotTokenHandlers(RobotTokenService(store, tokens)),
        own_tokens=OwnTokenHandlers(OwnTokenService(store, tokens)),
        discovery=DiscoveryHandlers(),
        probes=ProbeHandlers({}, no_metrics),
    )
    face = Face(
        name="api",
        router=Router(routes.endpoints(handlers), routes.CONVERTERS),
        render_error=render_error,
        render_internal=render_internal,
        default_headers={},
    )
    metrics = HttpMetrics(((row[0], row[1]) for row in routes.ROWS), workers=1)
    guard = Guard(
        face, policy, _ByHeader(actors, directory), metrics=metrics, clock=clock, access_log=False
    )
    return Api(guard, store, directory, actors, projects, deleted)
