"""The API's face in process: real routing, guard, policy and directory over a store in memory."""

import json
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import pytest

from atomic_registry.app.events import EventReading
from atomic_registry.app.images import Images
from atomic_registry.clock import SystemClock
from atomic_registry.config.settings import Settings
from atomic_registry.events.feed import Feed
from atomic_registry.events.ports import ChangeLog
from atomic_registry.faces.api import routes
from atomic_registry.faces.api.discovery import DiscoveryHandlers
from atomic_registry.faces.api.errors import render_error, render_internal
from atomic_registry.faces.api.objects import (
    EmptyHandlers,
    ObjectHandlers,
    ProjectRequestHandlers,
    Writing,
)
from atomic_registry.faces.api.openapi import OpenApiHandlers
from atomic_registry.faces.api.reviews import ReviewHandlers
from atomic_registry.faces.api.time_limits import TimeLimit
from atomic_registry.faces.api.token_reviews import TokenReviewHandlers
from atomic_registry.faces.api.tokens import (
    AccessTokenHandlers,
    OwnTokenHandlers,
    RobotTokenHandlers,
)
from atomic_registry.faces.api.watch import WatchHandlers
from atomic_registry.identity.actors import (
    ANONYMOUS,
    AUTHENTICATED,
    AUTHENTICATED_OAUTH,
    CLUSTER_ADMINS,
    Actor,
)
from atomic_registry.identity.directory import Directory
from atomic_registry.identity.ports import IdentityStore, StoredToken, TokenKind, Transaction
from atomic_registry.identity.rbac import RbacPolicy
from atomic_registry.identity.records import User
from atomic_registry.identity.roles import default_bindings, default_roles
from atomic_registry.identity.tokens import TokenService
from atomic_registry.kube.objects import KubeObject, ObjectMeta
from atomic_registry.resources.engine import ObjectService
from atomic_registry.resources.identity_mappings import IdentityMappingService
from atomic_registry.resources.patching import PatchService
from atomic_registry.resources.ports import Authority
from atomic_registry.resources.projects import ProjectLimit, ProjectService, RequestRules
from atomic_registry.resources.quotas import QuotaService
from atomic_registry.resources.rehearsal import RehearsalStore
from atomic_registry.resources.reviews import ReviewService
from atomic_registry.resources.tokens import (
    AccessTokenService,
    OwnTokenService,
    RobotTokenService,
)
from atomic_registry.resources.watch import WatchAuthority, WatchLimits, WatchService
from atomic_registry.store.blobs.memory import MemoryBlobStore
from atomic_registry.store.metadata import MetadataDatabase, open_metadata
from atomic_registry.web.credentials import actor_of_token
from atomic_registry.web.endpoint import Access, Router
from atomic_registry.web.guard import Face, Guard
from atomic_registry.web.health import ProbeHandlers
from atomic_registry.web.impersonation import Impersonator
from atomic_registry.web.messages import Query, Request
from atomic_registry.web.metrics import HttpMetrics
from tests.faces.api_world import MasterWorld, make_master_world
from tests.kit.bodies import BytesBody
from tests.kit.clock import ManualClock
from tests.kit.databases import ON_POSTGRES, drop_database, new_database
from tests.kit.identity_store import MemoryIdentityStore

# How long a request may take.
SECONDS = 60.0
START = datetime(2026, 1, 1, tzinfo=UTC)
PROJECTS = "/apis/project.openshift.io/v1/projects"
REQUESTS = "/apis/project.openshift.io/v1/projectrequests"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
AUTHORIZATION = "/apis/authorization.openshift.io/v1"
USERS = "/apis/user.openshift.io/v1"
OAUTH = "/apis/oauth.openshift.io/v1"


Kind = TypeVar("Kind", bound=KubeObject)


@dataclass
class Answer:
    """A status and a parsed body, with the bytes as they went out."""

    status: int
    body: Any
    raw: bytes
    headers: dict[str, str]


class Store(IdentityStore, ChangeLog, Protocol):
    """What the face needs of a store."""


@dataclass
class Api:
    """Calls the guard as the server would; `actors` stands for the credentials of each name."""

    guard: Guard
    store: Store
    directory: Directory
    actors: dict[str, Actor]
    projects: ProjectService
    deleted_contents: list[str] = field(default_factory=list)
    feed: Feed | None = None
    watches: WatchService | None = None

    async def call(
        self,
        user: str,
        method: str,
        path: str,
        body: object = None,
        *,
        media_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        target, _, query = path.partition("?")
        pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
        content = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
        request = Request(
            method=method,
            path=target,
            query=Query(pairs),
            headers={"Content-Type": media_type, "User": user, **(headers or {})},
            body=BytesBody(content),
            id="request-1",
        )
        response = await self.guard.serve(request)
        assert isinstance(response.body, bytes)
        is_json = response.headers["Content-Type"].startswith("application/json") and response.body
        parsed = json.loads(response.body) if is_json else None
        return Answer(response.status, parsed, response.body, response.headers)

    async def get(self, user: str, path: str) -> Answer:
        return await self.call(user, "GET", path)

    async def post(self, user: str, path: str, body: object) -> Answer:
        return await self.call(user, "POST", path, body)

    async def new_project(self, user: str, name: str) -> Answer:
        return await self.post(user, REQUESTS, {"metadata": {"name": name}})

    async def stored(self, kind: type[Kind], name: str) -> Kind | None:
        """Return an object as it is stored."""
        return await self.store.read(lambda tx: tx.objects.find(kind, name))

    async def tokens(self) -> list[StoredToken]:
        """Return everybody's tokens."""
        return await self.store.read(lambda tx: tx.tokens.list_all(kinds=[*TokenKind], limit=100))

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


class _Empty:
    """Counts the content of a store that has none."""

    async def used(self, project: str, resources: Collection[str]) -> dict[str, int]:
        return dict.fromkeys(resources, 0)


class _TokensOf:
    """Whose token it is, without a look at the account."""

    def __init__(self, tokens: TokenService) -> None:
        self._tokens = tokens

    async def identify(self, secret: str) -> Actor:
        return actor_of_token(await self._tokens.verify(secret))


async def _seed(store: Store) -> dict[str, Actor]:
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


def _guard(
    handlers: routes.Handlers,
    policy: RbacPolicy,
    directory: Directory,
    authenticator: _ByHeader,
    clock: ManualClock,
) -> Guard:
    face = Face(
        name="api",
        router=Router(routes.endpoints(handlers), routes.CONVERTERS),
        render_error=render_error,
        render_internal=render_internal,
        default_headers={},
        impersonator=Impersonator(policy, directory),
        time_limit=lambda request: TimeLimit(seconds=SECONDS, prefixes=("/api",)).of(request),
    )
    metrics = HttpMetrics(((row[0], row[1]) for row in routes.ROWS), workers=1)
    return Guard(
        face,
        policy,
        authenticator,
        metrics=metrics,
        clock=clock,
    )


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """Yield a store in memory, or one on the database that the run asks for."""
    if not ON_POSTGRES:
        yield MemoryIdentityStore()
        return
    url = new_database(tmp_path)
    opened = open_metadata(url, SystemClock())
    yield opened
    await opened.close()
    drop_database(url)


def _quotas(
    objects: ObjectService, rehearsed: ObjectService, patches: PatchService, clock: ManualClock
) -> ObjectHandlers:
    writing = Writing(service=patches, rehearsal=QuotaService(rehearsed, _Empty()))
    return ObjectHandlers(QuotaService(objects, _Empty()), clock, writing)


@pytest.fixture
async def api(store: Store) -> Api:
    clock = ManualClock()
    actors = await _seed(store)
    directory = Directory(store)
    await directory.refresh()
    policy = RbacPolicy(directory)
    authority = Authority(policy=policy, rights=policy, accounts=directory)
    deleted: list[str] = []
    make_projects = partial(
        ProjectService,
        clock=clock,
        authority=authority,
        rules=RequestRules(
            message="ask ops@example.com",
            limits=[ProjectLimit(labels={"level": "limited"}, max_projects=1)],
        ),
        delete_contents=lambda tx, actor, name, now: deleted.append(name),
    )
    projects, tries = make_projects(store), RehearsalStore(store)
    patches = PatchService(clock, policy)
    tokens, reviews = TokenService(store, clock), ReviewService(store, authority)
    feed = Feed(store)
    watches = WatchService(
        feed=feed,
        store=store,
        authority=WatchAuthority(
            policy=policy, view=directory, tokens=tokens, may_list_project=projects.may_list
        ),
        clock=clock,
        limits=WatchLimits(per_user=5, total=8),
    )
    objects, rehearsed = (ObjectService(it, clock, authority) for it in (store, tries))
    handlers = routes.Handlers(
        objects=ObjectHandlers(objects, clock, Writing(service=patches, rehearsal=rehearsed)),
        quotas=_quotas(objects, rehearsed, patches, clock),
        projects=ObjectHandlers(
            projects, clock, Writing(service=patches, rehearsal=make_projects(tries))
        ),
        requests=ProjectRequestHandlers(projects),
        reviews=ReviewHandlers(reviews),
        robot_tokens=RobotTokenHandlers(RobotTokenService(store, tokens)),
        own_tokens=OwnTokenHandlers(OwnTokenService(store, tokens)),
        access_tokens=AccessTokenHandlers(AccessTokenService(store, tokens), clock),
        token_reviews=TokenReviewHandlers(_TokensOf(tokens), reviews),
        mappings=ObjectHandlers(IdentityMappingService(store, clock, authority), clock),
        # The store in memory has no content; the image group has tests of its own.
        images=Images(
            cast("MetadataDatabase", store), MemoryBlobStore(), policy, clock, host="registry.test"
        ).handlers(patches),
        events=EventReading(Settings(), cast("MetadataDatabase", store), policy, clock).handlers,
        empty=EmptyHandlers(clock),
        discovery=DiscoveryHandlers(),
        openapi=OpenApiHandlers(routes.ROWS),
        watches=WatchHandlers(watches, clock),
        probes=ProbeHandlers({}, no_metrics),
    )
    guard = _guard(handlers, policy, directory, _ByHeader(actors, directory), clock)
    return Api(guard, store, directory, actors, projects, deleted, feed, watches)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[MasterWorld]:
    """The master's faces with content behind them, everything as the services build it."""
    world = await make_master_world(tmp_path)
    yield world
    await world.close()
