"""Who else may look into a project: bindings of one role to the groups of everybody."""

from datetime import datetime
from enum import StrEnum

from atomic_registry.identity.actors import AUTHENTICATED, UNAUTHENTICATED
from atomic_registry.identity.ports import Transaction
from atomic_registry.identity.records import RoleBinding, RoleReference, Subject
from atomic_registry.kube.objects import ObjectMeta

VIEWER = "registry-viewer"
_PAGE = 1000


class Sharing(StrEnum):
    """Who else may look into a project and pull from it."""

    PRIVATE = "private"
    SHARED = "shared"
    """Everybody who is logged in."""
    ANONYMOUS = "anonymous"
    """Everybody."""


_SHARED_WITH = {
    Sharing.PRIVATE: (),
    Sharing.SHARED: (AUTHENTICATED,),
    Sharing.ANONYMOUS: (AUTHENTICATED, UNAUTHENTICATED),
}


def share(tx: Transaction, project: str, sharing: Sharing, *, actor: str, now: datetime) -> None:
    """Make the project's bindings say this, whoever made them; members keep what they have."""
    wanted = set(_SHARED_WITH[sharing])
    missing = set(wanted)
    for binding in _viewer_bindings(tx, project):
        held = {subject.name for subject in binding.subjects if _is_public(subject)}
        missing -= held
        if held <= wanted:
            continue
        binding.subjects = [
            subject
            for subject in binding.subjects
            if not _is_public(subject) or subject.name in wanted
        ]
        if binding.subjects:
            tx.objects.update(binding, actor=actor, now=now)
        else:
            tx.objects.remove(binding, actor=actor, now=now)
    for group in sorted(missing):
        subject = Subject(kind="Group", name=group)
        added = new_binding(project, f"{VIEWER}:{group}", VIEWER, subject)
        tx.objects.add(added, actor=actor, now=now)


def new_binding(project: str, name: str, role: str, subject: Subject) -> RoleBinding:
    """Return a binding of a cluster role within the project."""
    return RoleBinding(
        metadata=ObjectMeta(name=name, namespace=project),
        role_ref=RoleReference(kind="ClusterRole", name=role),
        subjects=[subject],
    )


def _viewer_bindings(tx: Transaction, project: str) -> list[RoleBinding]:
    found: list[RoleBinding] = []
    after = (project, "")
    viewer = RoleReference(kind="ClusterRole", name=VIEWER)
    while batch := tx.objects.list(RoleBinding, namespace=project, after=after, limit=_PAGE):
        found += [item for item in batch if item.role_ref == viewer]
        after = (project, batch[-1].metadata.name)
    return found


def _is_public(subject: Subject) -> bool:
    return subject.kind == "Group" and subject.name in {AUTHENTICATED, UNAUTHENTICATED}
