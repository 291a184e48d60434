"""The master over the world of the matrices, with more kinds of callers and one of each object."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl

from atomic_registry.app.access import AccessControl
from atomic_registry.app.master import MASTER_ROWS, MasterWorker
from atomic_registry.app.master_files import MasterFiles
from atomic_registry.config.master_config import MasterConfig, OAuthConfig, SessionSecret
from atomic_registry.config.settings import LogSettings, Settings, StorageSettings
from atomic_registry.identity.actors import ANONYMOUS, Actor, service_account_name
from atomic_registry.identity.ports import TokenKind, Transaction
from atomic_registry.identity.records import (
    ClusterRole,
    ClusterRoleBinding,
    Group,
    Identity,
    LimitRange,
    OAuthClient,
    OAuthClientAuthorization,
    ResourceQuota,
    Role,
    RoleReference,
    Secret,
    ServiceAccount,
    Subject,
    User,
)
from atomic_registry.identity.scopes import parse_scopes
from atomic_registry.kube.objects import KubeObject, ObjectMeta
from atomic_registry.store.blobs.memory import MemoryBlobStore
from atomic_registry.store.metadata import MetadataDatabase, open_metadata
from atomic_registry.web.credentials import actor_of_token
from atomic_registry.web.messages import Query, Request, Response
from atomic_registry.web.metrics import HttpMetrics
from tests.faces.world import (
    CLOCK,
    PEOPLE,
    PROJECTS,
    PROVIDERS,
    ROLES,
    bind,
    populate,
    remove_project,
)
from tests.kit.bodies import BytesBody
from tests.kit.databases import new_database

# The roles again, each bound to a person everywhere instead of in one project.
EVERYWHERE = [f"everywhere-{role.replace(':', '-')}" for role in ROLES]
ROBOT, ADMIN_ROBOT, BYSTANDER, EXISTING = "ci", "admin-ci", "bystander", "existing"
ROBOTS = (ROBOT, ADMIN_ROBOT)
# Tokens of the administrator of "own" that do less than they could.
SCOPED = {
    "info-token": "user:info",
    "check-token": "user:check-access",
    "projects-token": "user:list-projects",
    "viewer-token": "role:registry-viewer:own",
    "admin-token": "role:registry-admin:own",
}
REGISTRY_TOKEN = "registry-token"
CALLERS = (*PEOPLE, *EVERYWHERE, *ROBOTS, *SCOPED, REGISTRY_TOKEN, ANONYMOUS.name)
FORM = "application/x-www-form-urlencoded"
_LIFETIME = timedelta(hours=1)


@dataclass
class MasterWorld:
    """The master's faces over people, robots, tokens and objects."""

    worker: MasterWorker
    metadata: MetadataDatabase
    secrets: dict[str, str]
    robot_tokens: dict[str, str]
    personal_token: str
    blobs: MemoryBlobStore

    @property
    def access(self) -> AccessControl:
        return self.worker.access

    async def call(
        self,
        caller: str,
        method: str,
        path: str,
        body: bytes | Mapping[str, object] = b"",
        *,
        media_type: str = "application/json",
        accept: str = "",
    ) -> Response:
        """Send one request with the caller's credentials."""
        target, _, query = path.partition("?")
        headers = {"Host": "master.test:8443", "Content-Type": media_type, "Accept": accept}
        if caller != ANONYMOUS.name:
            headers["Authorization"] = f"Bearer {self.secrets[caller]}"
        request = Request(
            method=method,
            path=target,
            query=Query(parse_qsl(query)),
            headers=headers,
            body=BytesBody(body if isinstance(body, bytes) else json.dumps(body).encode()),
            id="request-1",
            remote="192.0.2.1",
        )
        return await self.worker.guard.serve(request)

    async def actor(self, caller: str) -> Actor:
        """Return whom the caller's token stands for."""
        return actor_of_token(await self.access.tokens.verify(self.secrets[caller]))

    async def close(self) -> None:
        await self.worker.close()


def make_master_worker(
    root: Path,
    metadata: MetadataDatabase,
    blobs: MemoryBlobStore,
    settings: Settings,
    config: MasterConfig | None = None,
) -> MasterWorker:
    """The master, not yet started."""
    providers = OAuthConfig(identity_providers=PROVIDERS)
    files = MasterFiles(
        config=replace(config or MasterConfig(), oauth_config=providers),
        public_url="https://master.test:8443",
        urls=("https://master.test:8443",),
        certificate=root / "unused",
        key=root / "unused",
        client_ca=None,
        authority=root / "unused",
        session_secrets=(SessionSecret(authentication="a" * 64, encryption="e" * 32),),
    )
    return MasterWorker(
        settings,
        files,
        metadata,
        blobs=blobs,
        metrics=HttpMetrics(MASTER_ROWS, workers=1),
        clock=CLOCK,
    )


async def make_master_world(
    root: Path, config: MasterConfig | None = None, storage: StorageSettings | None = None
) -> MasterWorld:
    """As the registry's world; every project but the deleted one has an object of each kind."""
    metadata = open_metadata(new_database(root), CLOCK)
    log, storage = LogSettings(access=False), storage or StorageSettings()
    blobs, settings = MemoryBlobStore(), Settings(root=root, log=log, storage=storage)
    worker = make_master_worker(root, metadata, blobs, settings, config)
    await metadata.write(populate)
    await metadata.write(_populate_more)
    await metadata.write(lambda tx: remove_project(tx, "gone"))
    await worker.start(cleans_up=False)
    world = MasterWorld(worker, metadata, {}, {}, "", blobs)
    await _make_tokens(world)
    return world


def _populate_more(tx: Transaction) -> None:
    def add(item: KubeObject) -> None:
        tx.objects.add(item, actor="test", now=CLOCK.now())

    for role, person in zip(ROLES, EVERYWHERE, strict=True):
        add(User(metadata=ObjectMeta(name=person)))
        reference = RoleReference(kind="ClusterRole", name=role)
        subjects = [Subject(kind="User", name=person)]
        meta = ObjectMeta(name=person)
        add(ClusterRoleBinding(metadata=meta, role_ref=reference, subjects=subjects))
    for name in (BYSTANDER, EXISTING):
        add(User(metadata=ObjectMeta(name=name)))
    for project in PROJECTS:
        add(Role(metadata=ObjectMeta(name=EXISTING, namespace=project)))
        for kind in (ServiceAccount, Secret, LimitRange, ResourceQuota):
            add(kind(metadata=ObjectMeta(name=EXISTING, namespace=project)))
        bind(tx, project, "view", Subject(kind="User", name=BYSTANDER), name=EXISTING)
    for robot in ROBOTS:
        add(ServiceAccount(metadata=ObjectMeta(name=robot, namespace="own")))
    bind(tx, "own", "admin", Subject(kind="ServiceAccount", name=ADMIN_ROBOT, namespace="own"))
    add(Group(metadata=ObjectMeta(name=EXISTING)))
    add(ClusterRole(metadata=ObjectMeta(name=EXISTING)))
    add(
        ClusterRoleBinding(
            metadata=ObjectMeta(name=EXISTING),
            role_ref=RoleReference(kind="ClusterRole", name=EXISTING),
        )
    )
    add(Identity(metadata=ObjectMeta(name=EXISTING)))
    add(OAuthClient(metadata=ObjectMeta(name=EXISTING)))
    add(OAuthClientAuthorization(metadata=ObjectMeta(name=EXISTING)))


async def _make_tokens(world: MasterWorld) -> None:
    async def mint(kind: TokenKind, user: str, uid: str, *scopes: str) -> tuple[str, str]:
        secret, token = await world.access.tokens.mint(
            kind, user=user, user_uid=uid, scopes=scopes, lifetime=_LIFETIME
        )
        return secret, token.id

    async def of_person(name: str, *scopes: str) -> tuple[str, str]:
        uid = world.access.directory.users[name].uid
        return await mint(TokenKind.PERSONAL, name, uid, *scopes)

    async def of_robot(project: str, name: str) -> tuple[str, str]:
        uid = world.access.directory.robots[project, name].uid
        return await mint(TokenKind.ROBOT, service_account_name(project, name), uid)

    for person in (*PEOPLE, *EVERYWHERE):
        world.secrets[person], _ = await of_person(person)
    for name, scope in SCOPED.items():
        world.secrets[name], _ = await of_person("registry-admin", scope)
    for robot in ROBOTS:
        world.secrets[robot], _ = await of_robot("own", robot)
    for project in PROJECTS:
        if project != "gone":
            _, world.robot_tokens[project] = await of_robot(project, EXISTING)
    _, world.personal_token = await of_person(BYSTANDER)
    world.secrets[REGISTRY_TOKEN] = await _registry_token(world)


async def _registry_token(world: MasterWorld) -> str:
    """Return what the registry gives to an administrator of everything who pulls and pushes."""
    return await world.access.registry_tokens.mint(
        await world.actor("everywhere-cluster-admin"),
        parse_scopes(["repository:own/app:*"]),
        project_uid=lambda name: world.access.directory.projects.get(name, ""),
        lifetime=_LIFETIME,
    )


async def add_login(world: MasterWorld, person: str) -> None:
    """Make `login` a caller: the person with a token that a login left."""
    uid = world.access.directory.users[person].uid
    world.secrets["login"], _ = await world.access.tokens.mint(
        TokenKind.ACCESS, user=person, user_uid=uid, lifetime=_LIFETIME
    )
