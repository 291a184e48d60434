"""The cluster roles and bindings that every registry has.

The names are the original's. Where its roles were flawed these differ: no registry role reads
secrets but those that manage robots, who may change a project may describe it, and whoever may
look at a project may pull from it.
"""

from typing import Final

from atomic_registry.identity.actors import (
    AUTHENTICATED,
    AUTHENTICATED_OAUTH,
    CLUSTER_ADMINS,
    UNAUTHENTICATED,
)
from atomic_registry.identity.records import (
    ClusterRole,
    ClusterRoleBinding,
    PolicyRule,
    RoleReference,
    Subject,
)
from atomic_registry.kube.objects import ObjectMeta

AUTO_UPDATE: Final = "rbac.authorization.kubernetes.io/autoupdate"

_READ = ("get", "list", "watch")
_WRITE = (*_READ, "create", "update", "patch", "delete", "deletecollection")
_IMAGE = ("image.openshift.io",)
_PROJECT = ("project.openshift.io",)
_AUTHORIZATION = ("authorization.openshift.io", "rbac.authorization.k8s.io")
_STREAMS = ("imagestreams", "imagestreamtags", "imagestreamimages", "imagestreammappings")
_LAYERS = ("imagestreams/layers",)
_NAMESPACES = PolicyRule(verbs=("get",), api_groups=("",), resources=("namespaces",))


def _rule(verbs: tuple[str, ...], groups: tuple[str, ...], *resources: str) -> PolicyRule:
    return PolicyRule(verbs=verbs, api_groups=groups, resources=resources)


_PULL = (_rule(("get",), _IMAGE, *_LAYERS),)
_PUSH = (*_PULL, _rule(("update",), _IMAGE, *_LAYERS))
_VIEW = (
    *_PULL,
    _rule(_READ, _IMAGE, *_STREAMS, "imagestreams/status"),
    _rule(("get",), _PROJECT, "projects"),
    _rule(_READ, ("",), "events", "limitranges", "resourcequotas", "pods", "services"),
    _NAMESPACES,
)
_EDIT = (
    *_VIEW,
    _rule(("update", "delete"), _IMAGE, *_LAYERS),
    _rule(_WRITE, _IMAGE, *_STREAMS),
    _rule(("create",), _IMAGE, "imagestreamimports", "imagesignatures"),
)
_ADMIN = (
    *_EDIT,
    _rule(("get", "update", "patch", "delete"), _PROJECT, "projects"),
    _rule(("update", "patch", "delete"), ("",), "namespaces"),
    _rule(_WRITE, ("",), "serviceaccounts", "serviceaccounts/token", "secrets"),
    _rule(_WRITE, _AUTHORIZATION, "roles", "rolebindings"),
    _rule(
        ("create",),
        _AUTHORIZATION,
        "localsubjectaccessreviews",
        "localresourceaccessreviews",
        "subjectrulesreviews",
        "subjectaccessreviews",
        "resourceaccessreviews",
    ),
    _rule(("create",), ("authorization.k8s.io",), "localsubjectaccessreviews"),
)

EVERYTHING: Final = (
    _rule(("*",), ("*",), "*"),
    PolicyRule(verbs=("*",), non_resource_urls=("*",)),
)

RULES: Final[dict[str, tuple[PolicyRule, ...]]] = {
    "cluster-admin": EVERYTHING,
    "cluster-reader": (
        *_VIEW,
        _rule(_READ, ("project.openshift.io",), "projects", "projectrequests"),
        _rule(_READ, ("user.openshift.io",), "users", "identities", "groups"),
        _rule(
            _READ, _AUTHORIZATION, "roles", "rolebindings", "clusterroles", "clusterrolebindings"
        ),
        _rule(_READ, ("",), "namespaces", "serviceaccounts", "nodes", "pods", "services"),
        _rule(_READ, ("oauth.openshift.io",), "oauthclients"),
        _rule(_READ, _IMAGE, "images", "imagesignatures"),
        PolicyRule(verbs=("get",), non_resource_urls=("/metrics",)),
    ),
    "registry-admin": _ADMIN,
    "registry-editor": _EDIT,
    "registry-viewer": _VIEW,
    "admin": _ADMIN,
    "edit": _EDIT,
    "view": _VIEW,
    "system:image-puller": _PULL,
    "system:image-pusher": _PUSH,
    "system:image-builder": (*_PUSH, _rule(("create",), _IMAGE, "imagestreams")),
    "system:image-pruner": (
        _rule(("get", "list", "delete"), _IMAGE, "images"),
        _rule(("get", "list"), _IMAGE, "imagestreams"),
        _rule(("update",), _IMAGE, "imagestreams/status"),
        _rule(("delete",), _IMAGE, *_LAYERS),
        _rule(("list",), ("",), "limitranges"),
    ),
    "system:image-signer": (
        _rule(("get",), _IMAGE, "images", *_LAYERS),
        _rule(("create", "delete"), _IMAGE, "imagesignatures"),
    ),
    "system:image-auditor": (_rule((*_READ, "patch", "update"), _IMAGE, "images"),),
    "system:registry": (
        _rule(("list",), ("",), "limitranges", "resourcequotas"),
        _rule(("get", "delete"), _IMAGE, "images", "imagestreamtags"),
        _rule(("get", "update"), _IMAGE, "images", "imagestreams", "imagestreams/secrets"),
        _rule(("get",), _IMAGE, "imagestreamimages"),
        _rule(("create",), _IMAGE, "imagestreammappings"),
    ),
    "basic-user": (
        PolicyRule(
            verbs=("get",),
            api_groups=("user.openshift.io",),
            resources=("users",),
            resource_names=("~",),
        ),
        _rule(("list",), _PROJECT, "projectrequests"),
        _rule(("list", "watch"), _PROJECT, "projects"),
        _rule(("get", "list"), _AUTHORIZATION, "clusterroles"),
        _rule(
            ("create",),
            ("authorization.k8s.io",),
            "selfsubjectaccessreviews",
            "selfsubjectrulesreviews",
        ),
        _rule(("create",), _AUTHORIZATION, "selfsubjectrulesreviews"),
        _rule(("create",), ("authentication.k8s.io",), "selfsubjectreviews"),
        _rule(_WRITE, ("oauth.openshift.io",), "useroauthaccesstokens"),
    ),
    "self-provisioner": (_rule(("create",), _PROJECT, "projectrequests"),),
    "system:discovery": (
        PolicyRule(
            verbs=("get",),
            non_resource_urls=(
                "/api",
                "/api/*",
                "/apis",
                "/apis/*",
                "/oapi",
                "/oapi/*",
                "/version",
                "/openapi",
                "/openapi/*",
                "/healthz",
                "/readyz",
                "/livez",
            ),
        ),
    ),
}

# Role -> groups that hold it everywhere, unless an administrator has changed the binding.
BINDINGS: Final[dict[str, tuple[str, ...]]] = {
    "cluster-admin": (CLUSTER_ADMINS,),
    "basic-user": (AUTHENTICATED,),
    "self-provisioner": (AUTHENTICATED_OAUTH,),
    "system:discovery": (AUTHENTICATED, UNAUTHENTICATED),
}


def default_roles() -> list[ClusterRole]:
    """Return the cluster roles; a later release may bring their rules up to date."""
    return [
        ClusterRole(
            metadata=ObjectMeta(name=name, annotations={AUTO_UPDATE: "true"}), rules=list(rules)
        )
        for name, rules in RULES.items()
    ]


def default_bindings() -> list[ClusterRoleBinding]:
    """Return the bindings that every registry has; what an administrator makes of one stays."""
    return [
        ClusterRoleBinding(
            metadata=ObjectMeta(name=f"{role}s"),
            role_ref=RoleReference(kind="ClusterRole", name=role),
            subjects=[Subject(kind="Group", name=group) for group in groups],
        )
        for role, groups in BINDINGS.items()
    ]
