"""Projects, people and roles for the matrices: who may do what to whose things."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from atomic_registry.app.access import AccessControl
from atomic_registry.app.registry import RegistryWorker
from atomic_registry.clock import SystemClock
from atomic_registry.config.identity_providers import AllowAll, IdentityProviderConfig
from atomic_registry.config.settings import LogSettings, Settings
from atomic_registry.content import ports as content
from atomic_registry.content.projects import delete_contents
from atomic_registry.content.tags import Mover
from atomic_registry.faces.registry import routes
from atomic_registry.identity.actors import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED
from atomic_registry.identity.defaults import ensure_defaults
from atomic_registry.identity.ports import TokenKind, Transaction
from atomic_registry.identity.records import (
    KINDS,
    Project,
    RoleBinding,
    RoleReference,
    Subject,
    User,
)
from atomic_registry.identity.roles import RULES
from atomic_registry.kube.objects import ObjectMeta
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.store.blobs.memory import MemoryBlobStore
from atomic_registry.store.metadata import MetadataDatabase, open_metadata
from atomic_registry.web.metrics import HttpMetrics
from tests.faces.conftest import FaceClient
from tests.kit.databases import new_database

CLOCK = SystemClock()
ROLES = sorted(RULES)
# A person for each role, named after it; the others have none in the project "own".
NOBODY, STRANGER = "nobody", "stranger"
PEOPLE = [*(role.replace(":", "-") for role in ROLES), NOBODY, STRANGER]
PROJECTS = ("own", "private", "shared", "public", "gone")
PROVIDERS = (IdentityProviderConfig(name="any", challenge=True, login=True, provider=AllowAll()),)


@dataclass
class World:
    """The registry's face over the people and projects above."""

    client: FaceClient
    metadata: MetadataDatabase
    access: AccessControl
    tokens: dict[str, str]

    def headers(self, person: str) -> dict[str, str]:
        """Return the credentials of a person; none for the anonymous one."""
        if person == ANONYMOUS.name:
            return {}
        return {"Authorization": f"Bearer {self.tokens[person]}"}

    async def close(self) -> None:
        await self.client.worker.close()


async def make_world(root: Path) -> World:
    """Every role is bound in `own` to its person; `private` is the stranger's."""
    url = new_database(root)
    metadata = open_metadata(url, CLOCK)
    access = AccessControl(metadata, PROVIDERS, trusted_proxies="", clock=CLOCK)
    metrics = HttpMetrics(((row[0], row[1]) for row in routes.ROWS), workers=1)
    worker = RegistryWorker(
        Settings(root=root, log=LogSettings(access=False)),
        metadata,
        MemoryBlobStore(),
        access=access,
        metrics=metrics,
        node="node-1",
    )
    await metadata.write(populate)
    await metadata.write(make_repositories)
    await metadata.write(delete_gone)
    await worker.start(expires_uploads=False)
    tokens = {}
    for person in PEOPLE:
        user = await metadata.read(partial(find_user, person))
        assert user is not None
        tokens[person], _ = await access.tokens.mint(
            TokenKind.PERSONAL,
            user=person,
            user_uid=user.metadata.uid,
            lifetime=timedelta(hours=1),
        )
    return World(FaceClient(worker), metadata, access, tokens)


def find_user(name: str, tx: Transaction) -> User | None:
    return tx.objects.find(User, name)


def populate(tx: Transaction) -> None:
    now = CLOCK.now()
    ensure_defaults(tx, now)
    for person in PEOPLE:
        tx.objects.add(User(metadata=ObjectMeta(name=person)), actor="test", now=now)
    for project in PROJECTS:
        tx.objects.add(Project(metadata=ObjectMeta(name=project)), actor="test", now=now)
    for role, person in zip(ROLES, PEOPLE, strict=False):
        for project in ("own", "gone"):
            bind(tx, project, role, Subject(kind="User", name=person))
    bind(tx, "private", "admin", Subject(kind="User", name=STRANGER))
    bind(tx, "shared", "registry-viewer", Subject(kind="Group", name=AUTHENTICATED))
    for group in (AUTHENTICATED, UNAUTHENTICATED):
        bind(tx, "public", "registry-viewer", Subject(kind="Group", name=group))


def make_repositories(tx: content.Transaction) -> None:
    for project in PROJECTS:
        tx.repositories.ensure(RepositoryName(f"{project}/app"), CLOCK.now())


def bind(tx: Transaction, project: str, role: str, subject: Subject, *, name: str = "") -> None:
    name = name or f"{role}-{subject.name}".replace(":", "-")
    binding = RoleBinding(
        metadata=ObjectMeta(name=name, namespace=project),
        role_ref=RoleReference(kind="ClusterRole", name=role),
        subjects=[subject],
    )
    tx.objects.add(binding, actor="test", now=CLOCK.now())


def delete_gone(tx: content.Transaction) -> None:
    mover = Mover(actor=replace(ANONYMOUS, name="test"), now=datetime.now(UTC))
    delete_contents(tx, mover, "gone")
    remove_project(tx, "gone")


def remove_project(tx: Transaction, name: str) -> None:
    """Delete a project and the objects in it."""
    project = tx.objects.find(Project, name)
    assert project is not None
    inside = [
        item
        for kind in KINDS
        if kind.namespaced
        for item in tx.objects.list(kind, namespace=name, limit=1000)
    ]
    for item in (*inside, project):
        tx.objects.remove(item, actor="test", now=CLOCK.now())
