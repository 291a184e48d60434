"""What every registry starts with: cluster roles, their bindings, the shared projects."""

from datetime import datetime

from atomic_registry.identity.actors import AUTHENTICATED
from atomic_registry.identity.ports import Transaction
from atomic_registry.identity.records import (
    ClusterRole,
    ClusterRoleBinding,
    Project,
    RoleBinding,
    RoleReference,
    Subject,
)
from atomic_registry.identity.roles import AUTO_UPDATE, default_bindings, default_roles
from atomic_registry.kube.objects import ObjectMeta

SYSTEM = "system:master"
# Its images are there for everybody who is logged in.
SHARED_PROJECT = "openshift"
_PROJECTS = ("default", SHARED_PROJECT)


def ensure_defaults(
    tx: Transaction, now: datetime, *, administrator: str = "", founder: str = ""
) -> None:
    """Bring the cluster roles up to this release; on a new registry make the rest too.

    A named administrator gets every right; so does the founder, of a new registry only.

    A role without the annotation that allows it is left alone, and a binding that somebody
    removed stays away.
    """
    is_new = tx.objects.find(ClusterRole, "cluster-admin") is None
    for role in default_roles():
        found = tx.objects.find(ClusterRole, role.metadata.name)
        if found is None:
            tx.objects.add(role, actor=SYSTEM, now=now)
        elif found.metadata.annotations.get(AUTO_UPDATE) == "true" and found.rules != role.rules:
            found.rules = role.rules
            tx.objects.update(found, actor=SYSTEM, now=now)
    named = (administrator, founder if is_new else "")
    for user in filter(None, named):
        _make_administrator(tx, user, now)
    if not is_new:
        return
    for binding in default_bindings():
        tx.objects.add(binding, actor=SYSTEM, now=now)
    for name in _PROJECTS:
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
