"""THE TABLE: every resource that the API serves, one row each.

Routes, discovery and the rights that are asked come from here. Whatever is served at several
groups is one stored object; the first group is the resource's own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from atomic_registry.content.streams import StreamRecord
from atomic_registry.identity.records import (
    ClusterRole,
    ClusterRoleBinding,
    Group,
    Identity,
    LimitRange,
    OAuthClient,
    OAuthClientAuthorization,
    Project,
    ResourceQuota,
    Role,
    RoleBinding,
    Secret,
    ServiceAccount,
    User,
)
from atomic_registry.kube.objects import KubeObject
from atomic_registry.resources import event_records, image_strategies, strategies, strategies_core
from atomic_registry.resources.event_records import Event
from atomic_registry.resources.role_strategies import RBAC, BindingStrategy, RoleStrategy
from atomic_registry.resources.strategies import Strategy

VERSION = "v1"
CORE = ""
LEGACY = "oapi"
"""Stands for the old `/oapi/v1`, where every OpenShift group was served without its name."""
AUTHENTICATION = "authentication.k8s.io"
AUTHORIZATION = "authorization.openshift.io"
ACCESS = "authorization.k8s.io"
IMAGE = "image.openshift.io"
OAUTH = "oauth.openshift.io"
PROJECT = "project.openshift.io"
USER = "user.openshift.io"
_OPENSHIFT = ".openshift.io"

# Projects go one by one: each takes all that is in it along.
_SINGLY = ("get", "list", "watch", "create", "update", "patch", "delete")
_STORED = (*_SINGLY, "deletecollection")
_SEEN = ("list", "watch")
_CREATE = ("create",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One row. `stored` is None where nothing is kept under the name: requests and reviews."""

    plural: str
    kind: str
    groups: tuple[str, ...]
    verbs: tuple[str, ...]
    namespaced: bool = False
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    """What lists and watches select by, besides name and namespace."""
    stored: type[KubeObject] | None = None
    strategy: Strategy = field(default_factory=Strategy)

    @property
    def served_groups(self) -> tuple[str, ...]:
        """Every group it is served at, the legacy one with the OpenShift groups."""
        is_old = any(group.endswith(_OPENSHIFT) for group in self.groups)
        return (*self.groups, LEGACY) if is_old else self.groups

    def asked_group(self, group: str) -> str:
        """Return the group that rights are asked of, where it is served at this one."""
        return self.groups[0] if group == LEGACY else group


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A resource as one request names it."""

    resource: Resource
    group: str
    namespace: str = ""

    @property
    def api_version(self) -> str:
        """What documents carry as `apiVersion`."""
        return api_version(self.group)


def _stored(
    kind: type[KubeObject],
    groups: tuple[str, ...],
    strategy: Strategy,
    *,
    short_names: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
    fields: tuple[str, ...] = (),
) -> Resource:
    return Resource(
        plural=kind.plural,
        kind=kind.kind,
        groups=groups,
        verbs=_SINGLY if kind is Project else _STORED,
        namespaced=kind.namespaced,
        short_names=short_names,
        categories=categories,
        fields=fields,
        stored=kind,
        strategy=strategy,
    )


def _review(plural: str, kind: str, *groups: str, namespaced: bool = False) -> Resource:
    return Resource(plural=plural, kind=kind, groups=groups, verbs=_CREATE, namespaced=namespaced)


PROJECTS = _stored(Project, (PROJECT,), strategies.ProjectStrategy())
NAMESPACES = Resource(
    plural="namespaces",
    kind="Namespace",
    groups=(CORE,),
    verbs=_SINGLY,
    short_names=("ns",),
    # Another view of the same objects.
    stored=Project,
    strategy=strategies_core.NamespaceStrategy(),
)
USERS = _stored(User, (USER,), strategies.UserStrategy())
ROBOTS = _stored(ServiceAccount, (CORE,), strategies.RobotStrategy(), short_names=("sa",))
PROJECT_REQUESTS = Resource(
    plural="projectrequests", kind="ProjectRequest", groups=(PROJECT,), verbs=("create", "list")
)
ROBOT_TOKENS = Resource(
    plural="serviceaccounts/token",
    kind="TokenRequest",
    groups=(CORE,),
    verbs=("create", "get", "delete"),
    namespaced=True,
)
USER_TOKENS = Resource(
    plural="useroauthaccesstokens",
    kind="UserOAuthAccessToken",
    groups=(OAUTH,),
    # One by one: who empties the list by mistake has locked out every program of theirs.
    verbs=("get", "list", "create", "delete"),
)
IDENTITY_MAPPINGS = Resource(
    plural="useridentitymappings",
    kind="UserIdentityMapping",
    groups=(USER,),
    verbs=("get", "create", "update", "delete"),
)
ACCESS_TOKENS = Resource(
    plural="oauthaccesstokens",
    kind="OAuthAccessToken",
    groups=(OAUTH,),
    # One by one: all at once would log everybody out, the caller too.
    verbs=("get", "list", "delete"),
)
NODES = Resource(plural="nodes", kind="Node", groups=(CORE,), verbs=_SEEN, short_names=("no",))
PODS = Resource(
    plural="pods",
    kind="Pod",
    groups=(CORE,),
    verbs=_SEEN,
    namespaced=True,
    short_names=("po",),
    categories=("all",),
)
SERVICES = Resource(
    plural="services",
    kind="Service",
    groups=(CORE,),
    verbs=_SEEN,
    namespaced=True,
    short_names=("svc",),
    categories=("all",),
)
EVENTS = Resource(
    plural=Event.plural,
    kind=Event.kind,
    groups=(CORE,),
    verbs=("get", "list", "watch"),
    namespaced=True,
    short_names=("ev",),
    fields=event_records.FIELDS,
    # Only what is counted is stored; what happens once is read from the change log.
    stored=Event,
)
EMPTY = (NODES, PODS, SERVICES)
"""What there is none of here; clients that ask anyway get an empty list."""
QUOTAS = _stored(
    ResourceQuota, (CORE,), strategies_core.ResourceQuotaStrategy(), short_names=("quota",)
)
_BOTH = (AUTHORIZATION, RBAC)
STREAMS = _stored(
    StreamRecord,
    (IMAGE,),
    image_strategies.StreamStrategy(),
    short_names=("is",),
    categories=("all",),
)
STREAM_TAGS = Resource(
    plural="imagestreamtags",
    kind="ImageStreamTag",
    groups=(IMAGE,),
    verbs=_STORED,
    namespaced=True,
    short_names=("istag",),
    # The form on the wire: what there is of it lies in the stream and in the content.
    stored=image_strategies.StreamTagForm,
    strategy=image_strategies.StreamTagStrategy(),
)
STREAM_LAYERS = Resource(
    plural="imagestreams/layers",
    kind="ImageStreamLayers",
    groups=(IMAGE,),
    verbs=("get",),
    namespaced=True,
)
STREAM_SECRETS = Resource(
    plural="imagestreams/secrets",
    kind="SecretList",
    groups=(IMAGE,),
    verbs=("get",),
    namespaced=True,
)
STREAM_STATUS = Resource(
    plural="imagestreams/status",
    kind="ImageStream",
    groups=(IMAGE,),
    verbs=("get", "update", "patch"),
    namespaced=True,
)
STREAM_IMAGES = Resource(
    plural="imagestreamimages",
    kind="ImageStreamImage",
    groups=(IMAGE,),
    verbs=("get",),
    namespaced=True,
    short_names=("isimage",),
)
STREAM_MAPPINGS = Resource(
    plural="imagestreammappings",
    kind="ImageStreamMapping",
    groups=(IMAGE,),
    verbs=("create",),
    namespaced=True,
)
STREAM_IMPORTS = Resource(
    plural="imagestreamimports",
    kind="ImageStreamImport",
    groups=(IMAGE,),
    verbs=("create",),
    namespaced=True,
)
IMAGES = Resource(
    plural="images",
    kind="Image",
    groups=(IMAGE,),
    # A push makes them. They go one by one: what is used stays, and half a collection helps nobody.
    verbs=("get", "list", "watch", "update", "patch", "delete"),
    # The form on the wire: only labels and annotations are stored.
    stored=image_strategies.ImageForm,
    strategy=image_strategies.ImageStrategy(),
)
IMAGE_SIGNATURES = Resource(
    plural="imagesignatures",
    kind="ImageSignature",
    groups=(IMAGE,),
    verbs=("create", "delete"),
)

RESOURCES: tuple[Resource, ...] = (
    PROJECTS,
    PROJECT_REQUESTS,
    NAMESPACES,
    USERS,
    _stored(Identity, (USER,), strategies.IdentityStrategy()),
    IDENTITY_MAPPINGS,
    _stored(Group, (USER,), strategies.GroupStrategy()),
    _stored(Role, _BOTH, RoleStrategy()),
    _stored(ClusterRole, _BOTH, RoleStrategy()),
    _stored(RoleBinding, _BOTH, BindingStrategy()),
    _stored(ClusterRoleBinding, _BOTH, BindingStrategy()),
    ROBOTS,
    ROBOT_TOKENS,
    _stored(Secret, (CORE,), strategies_core.SecretStrategy(), fields=("type",)),
    _stored(LimitRange, (CORE,), strategies_core.LimitRangeStrategy(), short_names=("limits",)),
    QUOTAS,
    EVENTS,
    *EMPTY,
    _stored(OAuthClient, (OAUTH,), strategies.OAuthClientStrategy()),
    _stored(OAuthClientAuthorization, (OAUTH,), strategies.AuthorizationStrategy()),
    ACCESS_TOKENS,
    USER_TOKENS,
    STREAMS,
    STREAM_LAYERS,
    STREAM_SECRETS,
    STREAM_STATUS,
    STREAM_TAGS,
    STREAM_IMAGES,
    STREAM_MAPPINGS,
    STREAM_IMPORTS,
    IMAGES,
    IMAGE_SIGNATURES,
    _review("tokenreviews", "TokenReview", AUTHENTICATION),
    _review("selfsubjectreviews", "SelfSubjectReview", AUTHENTICATION),
    _review("selfsubjectaccessreviews", "SelfSubjectAccessReview", ACCESS),
    _review("subjectaccessreviews", "SubjectAccessReview", AUTHORIZATION),
    _review("subjectaccessreviews", "SubjectAccessReview", ACCESS),
    _review("resourceaccessreviews", "ResourceAccessReview", AUTHORIZATION),
    _review("selfsubjectrulesreviews", "SelfSubjectRulesReview", ACCESS),
    _review(
        "localsubjectaccessreviews", "LocalSubjectAccessReview", AUTHORIZATION, namespaced=True
    ),
    _review("localsubjectaccessreviews", "LocalSubjectAccessReview", ACCESS, namespaced=True),
    _review(
        "localresourceaccessreviews", "LocalResourceAccessReview", AUTHORIZATION, namespaced=True
    ),
    _review("selfsubjectrulesreviews", "SelfSubjectRulesReview", AUTHORIZATION, namespaced=True),
)


def api_version(group: str) -> str:
    """Return the `apiVersion` of a group's documents."""
    return VERSION if group in {CORE, LEGACY} else f"{group}/{VERSION}"


def prefix(group: str) -> str:
    """Return the path below which a group is served."""
    if group == CORE:
        return f"/api/{VERSION}"
    return f"/oapi/{VERSION}" if group == LEGACY else f"/apis/{group}/{VERSION}"


def named_groups() -> list[str]:
    """Return the groups served below `/apis`."""
    found = dict.fromkeys(group for row in RESOURCES for group in row.groups)
    return [group for group in found if group != CORE]


def resources_of(group: str) -> Iterator[Resource]:
    """Yield the rows of a group."""
    return (row for row in RESOURCES if group in row.served_groups)


def own_group(group: str, resource: str) -> str:
    """Return the group meant by a review that leaves it out, as the original's reviews do."""
    if group not in {CORE, LEGACY}:
        return group
    plural = resource.partition("/")[0]
    if plural.startswith("image"):
        return IMAGE
    for row in RESOURCES:
        if row.plural == plural:
            return row.groups[0]
    return group
