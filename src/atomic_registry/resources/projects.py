"""Projects: asked for by anybody who may, seen by those who may look, deleted with all in them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from atomic_registry.clock import Clock
from atomic_registry.errors import Denied, ObjectInvalid
from atomic_registry.identity.actors import (
    SERVICE_ACCOUNTS,
    Actor,
    split_service_account,
)
from atomic_registry.identity.oauth_scopes import LIST_PROJECTS
from atomic_registry.identity.policy import Right
from atomic_registry.identity.ports import IdentityStore, Transaction
from atomic_registry.identity.records import (
    DESCRIPTION,
    DISPLAY_NAME,
    REQUESTER,
    Project,
    RoleBinding,
    RoleReference,
    Subject,
    User,
)
from atomic_registry.kube.objects import KubeObject, ObjectMeta
from atomic_registry.resources.documents import read_object, show_object
from atomic_registry.resources.engine import (
    Preconditions,
    check_object,
    get_object,
    prepare_update,
)
from atomic_registry.resources.kinds import PROJECTS, RESOURCES, Place
from atomic_registry.resources.paging import (
    ListOptions,
    Page,
    decode_continue,
    scan,
    show_page,
)
from atomic_registry.resources.ports import Authority
from atomic_registry.resources.strategies import Cause, Document

_FORBIDDEN = ("openshift", "kubernetes", "kube")
_ADMIN = "admin"
_PULLER = "system:image-puller"
_PULLERS = "system:image-pullers"
_PAGE = 1000
_NAMESPACED = tuple(row for row in RESOURCES if row.namespaced and row.stored is not None)

DeleteContents = Callable[[Transaction, Actor, str, datetime], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectLimit:
    """How many projects users with these labels may ask for; None is any number."""

    labels: Mapping[str, str] = field(default_factory=dict)
    max_projects: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRules:
    """What is asked of a project request; of the limits the first that fits counts."""

    message: str = ""
    limits: Sequence[ProjectLimit] = ()


class ProjectService:
    """Keeps projects; `delete_contents` removes repositories within the deleting transaction."""

    def __init__(
        self,
        store: IdentityStore,
        clock: Clock,
        authority: Authority,
        *,
        rules: RequestRules,
        delete_contents: DeleteContents,
    ) -> None:
        self._store = store
        self._clock = clock
        self._authority = authority
        self._rules = rules
        self._delete_contents = delete_contents

    def check_may_request(self, actor: Actor) -> None:
        """Return if the actor may ask for projects.

        Raises:
            Denied: with the message that the administrator set.
        """
        right = Right(verb="create", group=PROJECTS.groups[0], resource="projectrequests")
        if not self._authority.policy.grants(actor, right):
            raise Denied(
                actor=actor.name, verb="request", resource="a project", reason=self._rules.message
            )

    async def request(
        self, actor: Actor, place: Place, name: str, *, display_name: str, description: str
    ) -> Document:
        """Make a project whose administrator is the actor.

        Raises:
            ObjectInvalid: the name is not allowed.
            AlreadyExists: there is a project of this name.
            Denied: the actor has as many projects as they may ask for.
        """
        texts = {DISPLAY_NAME: display_name, DESCRIPTION: description, REQUESTER: actor.name}
        project = Project(
            metadata=ObjectMeta(
                name=name, annotations={key: text for key, text in texts.items() if text}
            )
        )
        if _is_forbidden(name):
            causes: list[Cause] = [("metadata.name", f"{name} and names like it are the system's")]
            raise ObjectInvalid(kind=PROJECTS.kind, name=name, causes=causes)
        check_object(place, project, None)
        bindings = [_admin_binding(name, actor), _pullers_binding(name)]
        now = self._clock.now()

        def change(tx: Transaction) -> KubeObject:
            self._check_limit(tx, actor)
            for item in (project, *bindings):
                tx.objects.add(item, actor=actor.signature, now=now)
            return project

        return await self._written(place, await self._store.write(change))

    async def get(self, place: Place, name: str) -> Document:
        """Return the project.

        Raises:
            ObjectUnknown: there is none of this name.
        """
        return show_object(place, await self._store.read(lambda tx: get_object(tx, place, name)))

    async def list(self, actor: Actor, place: Place, options: ListOptions) -> Document:
        """Return a page of the projects that the actor may get."""
        after: tuple[str, str] | None = decode_continue(options.continue_token)
        found: list[KubeObject] = []
        revision: int | None = None
        wanted = options.page_size
        while after is not None and len(found) < wanted:
            page = await self._scan(place, replace(options, limit=wanted - len(found)), after)
            found += [item for item in page.items if self.may_list(actor, item.metadata.name)]
            # The oldest snapshot counts: a watch from there sees what changed in between.
            revision = page.revision if revision is None else revision
            after = page.last
        return show_page(place, Page(items=found, revision=revision or 0, last=after))

    async def create(self, actor: Actor, place: Place, document: Document) -> Document:
        """Make a project that is nobody's yet; for administrators of the registry.

        Raises:
            ObjectInvalid: it breaks the rules of projects.
            AlreadyExists: there is a project of this name.
        """
        item = read_object(place, document)
        item.metadata.uid = item.metadata.resource_version = ""
        check_object(place, item, None)
        now = self._clock.now()

        def change(tx: Transaction) -> KubeObject:
            tx.objects.add(item, actor=actor.signature, now=now)
            return item

        return await self._written(place, await self._store.write(change))

    async def update(self, actor: Actor, place: Place, name: str, document: Document) -> Document:
        """Change the display name and the description.

        Raises:
            ObjectInvalid: something else would change.
            ObjectUnknown: there is none of this name.
            StaleRevision: it has changed since it was read.
        """
        item = read_object(place, document)
        old = await self._store.read(lambda tx: get_object(tx, place, name))
        prepare_update(place, item, old)
        now = self._clock.now()

        def change(tx: Transaction) -> KubeObject:
            tx.objects.update(item, actor=actor.signature, now=now)
            return item

        return await self._written(place, await self._store.write(change))

    async def delete(
        self, actor: Actor, place: Place, name: str, preconditions: Preconditions
    ) -> Document:
        """Delete the project with its repositories, robots, roles and bindings, at once.

        Raises:
            ObjectUnknown: there is none of this name.
            StaleRevision: a precondition does not hold.
        """
        now = self._clock.now()

        def change(tx: Transaction) -> KubeObject:
            project = get_object(tx, place, name, lock=True)
            preconditions.check(project)
            self._delete_contents(tx, actor, name, now)
            for row in _NAMESPACED:
                assert row.stored is not None  # noqa: S101 - chosen so
                while batch := tx.objects.list(row.stored, namespace=name, limit=_PAGE):
                    for item in batch:
                        tx.objects.remove(item, actor=actor.signature, now=now)
                        row.strategy.removed(tx, item)
            tx.objects.remove(project, actor=actor.signature, now=now)
            return project

        return await self._written(place, await self._store.write(change))

    async def _scan(self, place: Place, options: ListOptions, after: tuple[str, str]) -> Page:
        return await self._store.read(lambda tx: scan(tx, place, options, after))

    def may_list(self, actor: Actor, name: str) -> bool:
        """Tell whether lists show the project to the actor."""
        if actor.scopes is not None and LIST_PROJECTS in actor.scopes:
            # The scope is for this: it lists what the user may get, and gets none of it.
            actor = replace(actor, scopes=None)
        group = PROJECTS.groups[0]
        right = Right(verb="get", group=group, resource="projects", namespace=name, name=name)
        return self._authority.policy.grants(actor, right)

    def _check_limit(self, tx: Transaction, actor: Actor) -> None:
        if not self._rules.limits:
            return
        # The lock makes requests of one user wait for each other, so that each is counted.
        user = tx.objects.find(User, actor.name, lock=True)
        labels = {} if user is None else user.metadata.labels
        limit = next(
            (each for each in self._rules.limits if each.labels.items() <= labels.items()), None
        )
        if limit is None or limit.max_projects is None:
            return
        if _count_of_requester(tx, actor.name) >= limit.max_projects:
            reason = f"at most {limit.max_projects} for each user; delete one first"
            raise Denied(
                actor=actor.name, verb="request", resource="one more project", reason=reason
            )

    async def _written(self, place: Place, item: KubeObject) -> Document:
        # Who made a project must not be refused there because their binding is new.
        await self._authority.accounts.refresh()
        return show_object(place, item)


def _is_forbidden(name: str) -> bool:
    return any(name == word or name.startswith(f"{word}-") for word in _FORBIDDEN)


def _count_of_requester(tx: Transaction, requester: str) -> int:
    count, after = 0, ("", "")
    while batch := tx.objects.list(Project, after=after, limit=_PAGE):
        count += sum(item.metadata.annotations.get(REQUESTER) == requester for item in batch)
        after = ("", batch[-1].metadata.name)
    return count


def _admin_binding(project: str, actor: Actor) -> RoleBinding:
    robot = split_service_account(actor.name)
    if robot is None:
        subject = Subject(kind="User", name=actor.name)
    else:
        subject = Subject(kind="ServiceAccount", namespace=robot[0], name=robot[1])
    return _binding(project, _ADMIN, _ADMIN, subject)


def _pullers_binding(project: str) -> RoleBinding:
    subject = Subject(kind="Group", name=f"{SERVICE_ACCOUNTS}:{project}")
    return _binding(project, _PULLERS, _PULLER, subject)


def _binding(project: str, name: str, role: str, subject: Subject) -> RoleBinding:
    return RoleBinding(
        metadata=ObjectMeta(name=name, namespace=project),
        role_ref=RoleReference(kind="ClusterRole", name=role),
        subjects=[subject],
    )
