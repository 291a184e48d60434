"""Roles and bindings: what hands out rights, in the forms of both groups that serve them."""

from collections.abc import Sequence

from atomic_registry.errors import ObjectUnknown
from atomic_registry.identity.ports import Transaction
from atomic_registry.identity.records import (
    ClusterRole,
    ClusterRoleBinding,
    PolicyRule,
    Role,
    RoleBinding,
    Subject,
)
from atomic_registry.kube.objects import KubeObject
from atomic_registry.resources.strategies import Cause, Document, Strategy, texts_of

RBAC = "rbac.authorization.k8s.io"
_SUBJECT_KINDS = ("User", "Group", "ServiceAccount")


class RoleStrategy(Strategy):
    """Roles hand out their rules."""

    def show(self, document: Document, group: str) -> Document:
        return {"rules": [], **document}

    def causes(self, item: KubeObject, old: KubeObject | None) -> list[Cause]:
        return [
            (f"rules[{at}]", fault)
            for at, rule in enumerate(_rules(item))
            if (fault := _rule_fault(rule, is_namespaced=isinstance(item, Role)))
        ]

    def granted(self, tx: Transaction, item: KubeObject) -> Sequence[PolicyRule]:
        return _rules(item)

    def hands_out_more(self, item: KubeObject, old: KubeObject) -> bool:
        return _rules(item) != _rules(old)


def _rules(item: KubeObject) -> list[PolicyRule]:
    return item.rules if isinstance(item, Role | ClusterRole) else []


def _rule_fault(rule: PolicyRule, *, is_namespaced: bool) -> str | None:
    if not rule.verbs:
        return "verbs are required"
    if not rule.resources and not rule.non_resource_urls:
        return "resources are required"
    if rule.non_resource_urls and is_namespaced:
        return "nonResourceURLs belong in a ClusterRole"
    if rule.non_resource_urls and rule.resources:
        return "write resources and nonResourceURLs as two rules"
    return None


class BindingStrategy(Strategy):
    """Bindings hand out the rules of their role, which stays the same for their life."""

    def read(self, document: Document, group: str) -> Document:
        reference = document.get("roleRef")
        if isinstance(reference, dict) and "kind" not in reference:
            # The original's form: a role with a namespace is the project's own.
            kind = "Role" if reference.get("namespace") else "ClusterRole"
            document["roleRef"] = reference | {"kind": kind}
        if "subjects" not in document:
            document["subjects"] = [
                {"kind": kind, "name": name}
                for field, kind in (("userNames", "User"), ("groupNames", "Group"))
                for name in texts_of(document.get(field))
            ]
        subjects = document["subjects"]
        if isinstance(subjects, list):
            document["subjects"] = [_plain_subject(subject) for subject in subjects]
        return document

    def show(self, document: Document, group: str) -> Document:
        reference, subjects = document.get("roleRef"), document.get("subjects", [])
        metadata = document.get("metadata")
        if not isinstance(reference, dict) or not isinstance(subjects, list):
            return document
        if group == RBAC:
            return document | {
                "roleRef": {"apiGroup": RBAC, **reference},
                "subjects": [_rbac_subject(subject) for subject in subjects],
            }
        namespace = metadata.get("namespace", "") if isinstance(metadata, dict) else ""
        shown = {"kind": reference["kind"], "name": reference["name"]}
        if reference["kind"] == "Role":
            shown["namespace"] = namespace
        names = {
            field: [subject["name"] for subject in subjects if subject["kind"] == kind]
            for field, kind in (("userNames", "User"), ("groupNames", "Group"))
        }
        return document | {"roleRef": shown, "subjects": subjects, **names}

    def causes(self, item: KubeObject, old: KubeObject | None) -> list[Cause]:
        if not isinstance(item, RoleBinding | ClusterRoleBinding):
            return []
        causes = [
            (f"subjects[{at}]", fault)
            for at, subject in enumerate(item.subjects)
            if (fault := _subject_fault(subject, item.metadata.namespace))
        ]
        kinds = ("Role", "ClusterRole") if isinstance(item, RoleBinding) else ("ClusterRole",)
        if item.role_ref.kind not in kinds:
            causes.append(("roleRef.kind", f"use {' or '.join(kinds)}"))
        if not item.role_ref.name:
            causes.append(("roleRef.name", "it is required"))
        if isinstance(old, RoleBinding | ClusterRoleBinding) and old.role_ref != item.role_ref:
            reason = "it cannot be changed; delete the binding and make another"
            causes.append(("roleRef", reason))
        return causes

    def granted(self, tx: Transaction, item: KubeObject) -> Sequence[PolicyRule]:
        """Return the rules of the role.

        Raises:
            ObjectUnknown: there is no such role.
        """
        if not isinstance(item, RoleBinding | ClusterRoleBinding):
            return ()
        role: Role | ClusterRole | None
        if item.role_ref.kind == "Role":
            namespace = item.metadata.namespace
            role = tx.objects.find(Role, item.role_ref.name, namespace=namespace)
        else:
            role = tx.objects.find(ClusterRole, item.role_ref.name)
        if role is None:
            raise ObjectUnknown(kind=item.role_ref.kind, name=item.role_ref.name)
        return role.rules

    def hands_out_more(self, item: KubeObject, old: KubeObject) -> bool:
        binding = RoleBinding | ClusterRoleBinding
        if not isinstance(item, binding) or not isinstance(old, binding):
            return False
        return not set(item.subjects) <= set(old.subjects)


def _plain_subject(subject: object) -> object:
    if not isinstance(subject, dict):
        return subject
    kind = subject.get("kind")
    # The original also knows the kinds SystemUser and SystemGroup.
    plain = kind.removeprefix("System") if isinstance(kind, str) else kind
    return subject | {"kind": plain}


def _rbac_subject(subject: Document) -> Document:
    return subject if subject["kind"] == "ServiceAccount" else {"apiGroup": RBAC, **subject}


def _subject_fault(subject: Subject, namespace: str) -> str | None:
    if subject.kind not in _SUBJECT_KINDS:
        return f"its kind must be one of {', '.join(_SUBJECT_KINDS)}"
    if not subject.name:
        return "its name is required"
    if subject.kind != "ServiceAccount":
        return "only service accounts have a namespace" if subject.namespace else None
    if not subject.namespace and not namespace:
        return "a service account needs its namespace"
    return None
