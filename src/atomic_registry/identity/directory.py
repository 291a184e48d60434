"""Who exists and which rights they hold, in memory, kept up to date by the change log.

Every decision is made on this view: no decision waits for the database. A view that is behind
grants or refuses what was right a moment ago; `refresh` brings it up to date.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from atomic_registry.errors import Unavailable
from atomic_registry.identity.actors import (
    SERVICE_ACCOUNTS,
    Actor,
    service_account_name,
    split_service_account,
)
from atomic_registry.identity.ports import IdentityStore, ObjectChange, Transaction
from atomic_registry.identity.records import (
    KINDS,
    ClusterRole,
    ClusterRoleBinding,
    Group,
    PolicyRule,
    Project,
    Role,
    RoleBinding,
    RoleReference,
    ServiceAccount,
    Subject,
    User,
)
from atomic_registry.kube.objects import KubeObject

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_logger = structlog.get_logger(__name__)
_PAGE = 1000
_EVERYWHERE = ""
_FOLLOWED = (
    Project,
    User,
    Group,
    Role,
    ClusterRole,
    RoleBinding,
    ClusterRoleBinding,
    ServiceAccount,
)


@dataclass(frozen=True, slots=True)
class Account:
    """What matters of a stored account: which one it is, and whether it may log in."""

    uid: str
    disabled: bool


@dataclass(frozen=True, slots=True)
class Binding:
    """One binding, as decisions need it; `namespace` is empty where it holds everywhere."""

    namespace: str
    name: str
    role: RoleReference
    subjects: tuple[str, ...]


class Directory:
    """The view. `version` changes with every change that may alter a decision."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store
        self._revision = -1
        self._refreshing = asyncio.Lock()
        self.version = 0
        self.users: dict[str, Account] = {}
        self.robots: dict[tuple[str, str], Account] = {}
        self.projects: dict[str, str] = {}
        self._groups: dict[str, frozenset[str]] = {}
        self._groups_of: dict[str, set[str]] = defaultdict(set)
        self._roles: dict[tuple[str, str], tuple[PolicyRule, ...]] = {}
        self._bindings: dict[tuple[str, str], Binding] = {}
        self._bound: dict[tuple[str, str], set[Binding]] = defaultdict(set)

    async def refresh(self) -> bool:
        """Take in what was committed before this call; return False if nothing changed.

        Raises:
            Unavailable: the database cannot be read.
        """
        version = self.version
        if await self._store.last_revision() == self._revision:
            # Another task may have taken it in meanwhile.
            return self.version != version
        async with self._refreshing:
            more = True
            while more:
                found = await self._store.read(partial(_changes_after, self._revision))
                if found is None:
                    await self._load()
                    continue
                changes, newest = found
                for change in changes:
                    self._apply(change)
                more = len(changes) == _PAGE
                self._revision = changes[-1].revision if more else newest
        return self.version != version

    async def follow(self, interval_seconds: float) -> None:
        """Refresh again and again until cancelled; a database that is away is waited for."""
        while True:
            await asyncio.sleep(interval_seconds)
            try:
                await self.refresh()
            except Unavailable as error:
                _logger.warning("changes of rights not read", reason=error.message)

    def is_current(self, actor: Actor) -> bool:
        """Tell whether the actor's account still is what it was at login: there and enabled."""
        robot = split_service_account(actor.name)
        if robot is not None:
            account = self.robots.get(robot)
            is_there = robot[0] in self.projects
        else:
            account = self.users.get(actor.name)
            is_there = True
            if not actor.uid:
                # Not a stored account: anonymous, or named by a client certificate.
                return account is None or not account.disabled
        return (
            is_there and account is not None and account.uid == actor.uid and not account.disabled
        )

    def subjects_of(self, actor: Actor) -> list[str]:
        """Return what bindings may name the actor by: itself and its groups."""
        subjects = [f"User:{actor.name}", *(f"Group:{group}" for group in actor.groups)]
        subjects += [f"Group:{group}" for group in self.stored_groups_of(actor.name)]
        robot = split_service_account(actor.name)
        if robot is not None:
            subjects += [f"Group:{SERVICE_ACCOUNTS}", f"Group:{SERVICE_ACCOUNTS}:{robot[0]}"]
        return subjects

    def stored_groups_of(self, user: str) -> frozenset[str]:
        """Return the groups that list the user."""
        return frozenset(self._groups_of.get(user, ()))

    def members_of(self, group: str) -> frozenset[str]:
        """Return the users that a stored group lists."""
        return self._groups.get(group, frozenset())

    def bindings_of(self, actor: Actor, namespace: str) -> Iterator[Binding]:
        """Yield the bindings that hold for the actor in the namespace, the cluster's first."""
        places = (_EVERYWHERE, namespace) if namespace else (_EVERYWHERE,)
        subjects = self.subjects_of(actor)
        for place in places:
            for subject in subjects:
                yield from self._bound.get((place, subject), ())

    def bindings_in(self, namespace: str) -> list[Binding]:
        """Return the bindings that hold in the namespace, the cluster's first."""
        places = {_EVERYWHERE, namespace}
        found = [binding for binding in self._bindings.values() if binding.namespace in places]
        return sorted(found, key=lambda binding: (binding.namespace, binding.name))

    def rules_of(self, binding: Binding) -> tuple[PolicyRule, ...]:
        """Return the rules of the binding's role; none if there is no such role."""
        namespace = binding.namespace if binding.role.kind == Role.kind else _EVERYWHERE
        return self._roles.get((namespace, binding.role.name), ())

    def role_rules(self, name: str) -> tuple[PolicyRule, ...]:
        """Return the rules of a cluster role; none if there is no such role."""
        return self._roles.get((_EVERYWHERE, name), ())

    async def _load(self) -> None:
        def query(tx: Transaction) -> tuple[list[KubeObject], int]:
            found: list[KubeObject] = []
            for kind in _FOLLOWED:
                after = ("", "")
                while True:
                    page = tx.objects.list(kind, after=after, limit=_PAGE)
                    found += page
                    if len(page) < _PAGE:
                        break
                    after = (page[-1].metadata.namespace, page[-1].metadata.name)
            return found, tx.object_changes(0, limit=0)[1]

        found, revision = await self._store.read(query)
        for view in (self.users, self.robots, self.projects, self._groups, self._groups_of):
            view.clear()
        for table in (self._roles, self._bindings, self._bound):
            table.clear()
        for item in found:
            self._put(item)
        self._revision = revision
        self.version += 1

    def _apply(self, change: ObjectChange) -> None:
        kind = next((kind for kind in KINDS if kind.plural == change.plural), None)
        if kind is None or kind not in _FOLLOWED:
            return
        self._drop(kind, change.namespace, change.name)
        if change.body is not None:
            self._put(change.body)
        self.version += 1

    def _put(self, item: KubeObject) -> None:
        namespace, name, uid = item.metadata.namespace, item.metadata.name, item.metadata.uid
        match item:
            case User():
                self.users[name] = Account(uid, item.disabled)
            case ServiceAccount():
                self.robots[namespace, name] = Account(uid, item.disabled)
            case Project():
                self.projects[name] = uid
            case Group():
                self._put_group(name, frozenset(item.users))
            case Role() | ClusterRole():
                self._roles[namespace, name] = tuple(item.rules)
            case RoleBinding() | ClusterRoleBinding():
                subjects = tuple(_subject_key(subject, namespace) for subject in item.subjects)
                self._put_binding(Binding(namespace, name, item.role_ref, subjects))
            case _:
                pass

    def _put_group(self, name: str, users: frozenset[str]) -> None:
        if name.startswith("system:"):
            # Such a group is never stored by us; taking it would hand out virtual memberships.
            return
        self._groups[name] = users
        for user in users:
            self._groups_of[user].add(name)

    def _put_binding(self, binding: Binding) -> None:
        self._bindings[binding.namespace, binding.name] = binding
        for subject in binding.subjects:
            self._bound[binding.namespace, subject].add(binding)

    def _drop(self, kind: type[KubeObject], namespace: str, name: str) -> None:
        if kind is User:
            self.users.pop(name, None)
        elif kind is ServiceAccount:
            self.robots.pop((namespace, name), None)
        elif kind is Project:
            self.projects.pop(name, None)
        elif kind is Group:
            for user in self._groups.pop(name, ()):
                _discard(self._groups_of, user, name)
        elif kind in (Role, ClusterRole):
            self._roles.pop((namespace, name), None)
        else:
            with contextlib.suppress(KeyError):
                binding = self._bindings.pop((namespace, name))
                for subject in binding.subjects:
                    _discard(self._bound, (namespace, subject), binding)


def _changes_after(revision: int, tx: Transaction) -> tuple[list[ObjectChange], int] | None:
    """Return what is new; None if the log does not reach back that far."""
    if revision < tx.change_floor():
        return None
    return tx.object_changes(revision, limit=_PAGE)


def _subject_key(subject: Subject, namespace: str) -> str:
    if subject.kind == "ServiceAccount":
        return f"User:{service_account_name(subject.namespace or namespace, subject.name)}"
    # The original also knows the kinds SystemUser and SystemGroup.
    return f"{subject.kind.removeprefix('System')}:{subject.name}"


def _discard(table: dict[_Key, set[_Value]], key: _Key, value: _Value) -> None:
    values = table.get(key)
    if values is not None:
        values.discard(value)
        if not values:
            del table[key]
