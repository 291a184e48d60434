"""What every registry starts with: cluster roles, their bindings, the shared projects."""

from collections.abc import Iterator
from datetime import datetime

from atomic_registry.identity.actors import AUTHENTICATED
from atomic_registry.identity.ports import Transaction
from atomic_registry.identity.records import (
    ClusterRole,
    ClusterRoleBinding,
    OAuthClient,
    Project,
    RoleBinding,
    RoleReference,
    Subject,
    User,
)
from atomic_registry.identity.roles import AUTO_UPDATE, default_bindings, default_roles
from atomic_registry.kube.objects import ObjectMeta

SYSTEM = "system:master"
# Its images are there for everybody who is logged in.
SHARED_PROJECT = "openshift"
_PROJECTS = ("default", SHARED_PROJECT)
# A registry that has none of these was never started with access control.
_SIGNS_OF_USE = (ClusterRole, ClusterRoleBinding, RoleBinding, OAuthClient, User)


def ensure_defaults(
    tx: Transaction, now: datetime, *, administrator: str = "", founder: str = ""
) -> list[str]:
    """Bring the cluster roles up to this release, and make what is missing.

    A named administrator gets every right; so does the founder, of a new registry only.

    A role without the annotation that allows it is left alone, and so is a binding, whomever it
    names; one that was deleted comes back. Returns which did, to be told to the administrator.
    """
    is_new = not any(tx.objects.list(kind, limit=1) for kind in _SIGNS_OF_USE)
    restored = [*_ensure_roles(tx, now), *_ensure_bindings(tx, now)]
    named = (administrator, founder if is_new else "")
    for user in filter(None, named):
        _make_administrator(tx, user, now)
    if not is_new:
        return restored
    _ensure_projects(tx, now)
    return []


def _ensure_roles(tx: Transaction, now: datetime) -> Iterator[str]:
    for role in default_roles():
        found = tx.objects.find(ClusterRole, role.metadata.name)
        if found is None:
            tx.objects.add(role, actor=SYSTEM, now=now)
            yield f"clusterrole {role.metadata.name}"
        elif found.metadata.annotations.get(AUTO_UPDATE) == "true" and found.rules != role.rules:
            found.rules = role.rules
            tx.objects.update(found, actor=SYSTEM, now=now)


def _ensure_bindings(tx: Transaction, now: datetime) -> Iterator[str]:
    for binding in default_bindings():
        if tx.objects.find(ClusterRoleBinding, binding.metadata.name) is None:
            tx.objects.add(binding, actor=SYSTEM, now=now)
            yield f"clusterrolebinding {binding.metadata.name}"


def _ensure_projects(tx: Transaction, now: datetime) -> None:
    for name in _PROJECTS:
        if tx.objects.find(Project, name) is not None:
            # Made while the registry ran without access control.
            continue
        tx.objects.add(Project(metadata=ObjectMeta(name=name)), actor=SYSTEM, now=now)
    shared = RoleBinding(
        metadata=ObjectMeta(name="registry-viewer", namespace=SHARED_PROJECT),
        role_ref=RoleReference(kind=ClusterRole.kind, name="registry-viewer"),
        subjects=[Subject(kind="Group", name=AUTHENTICATED)],
    )
    tx.objects.add(shared, actor=SYSTEM, now=now)


def _make_administrator(tx: Transaction, user: str, now: datetime) -> None:
    name = f"cluster-admin-{user}"
    if tx.objects.find(ClusterRoleBinding, name) is not None:
        return
    binding = ClusterRoleBinding(
        metadata=ObjectMeta(name=name),
        role_ref=RoleReference(kind=ClusterRole.kind, name="cluster-admin"),
        subjects=[Subject(kind="User", name=user)],
    )
    tx.objects.add(binding, actor=SYSTEM, now=now)
