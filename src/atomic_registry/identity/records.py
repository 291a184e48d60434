"""The stored objects that say who exists and what they may do.

They are kept in the form in which the Kubernetes-style API shows them.
Source: OpenShift Origin 1.x API, groups `user`, `project`, `authorization` and `oauth`, and the
Kubernetes group `rbac.authorization.k8s.io`.
"""

from typing import ClassVar

import msgspec

from atomic_registry.kube.objects import KubeObject

DISPLAY_NAME = "openshift.io/display-name"
DESCRIPTION = "openshift.io/description"
REQUESTER = "openshift.io/requester"


class Project(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """Owner scope of repositories and objects; its names are annotations."""

    plural: ClassVar[str] = "projects"
    kind: ClassVar[str] = "Project"


class User(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """A stored account; a disabled one is refused everywhere."""

    plural: ClassVar[str] = "users"
    kind: ClassVar[str] = "User"

    full_name: str = ""
    identities: list[str] = []
    disabled: bool = False


class UserReference(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Which user an identity belongs to; the uid tells a namesake made anew from the old one."""

    name: str = ""
    uid: str = ""


class Identity(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """A provider's record of a person, named `<provider>:<name at the provider>`."""

    plural: ClassVar[str] = "identities"
    kind: ClassVar[str] = "Identity"

    provider_name: str = ""
    provider_user_name: str = ""
    user: UserReference = msgspec.field(default_factory=UserReference)
    extra: dict[str, str] = {}


class Group(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """A named set of users. The annotation of its source tells who keeps its members."""

    plural: ClassVar[str] = "groups"
    kind: ClassVar[str] = "Group"

    users: list[str] = []


class PolicyRule(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True, frozen=True):
    """Rights: each verb on each resource of each group, or on each URL. `*` stands for all.

    An empty `api_groups` is the core group, as in OpenShift's own roles; `resource_names` narrows
    to objects of these names.
    """

    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = msgspec.field(default=(), name="nonResourceURLs")


class Role(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """Named rights within one project."""

    plural: ClassVar[str] = "roles"
    kind: ClassVar[str] = "Role"
    namespaced: ClassVar[bool] = True

    rules: list[PolicyRule] = []


class ClusterRole(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """Named rights, bound either in one project or everywhere."""

    plural: ClassVar[str] = "clusterroles"
    kind: ClassVar[str] = "ClusterRole"

    rules: list[PolicyRule] = []


class Subject(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True, frozen=True):
    """Who a role is bound to: `User`, `Group` or `ServiceAccount` (which has a namespace)."""

    kind: str
    name: str
    namespace: str = ""


class RoleReference(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True, frozen=True):
    """`Role` of the binding's own project, or `ClusterRole`."""

    kind: str
    name: str


class RoleBinding(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """Gives the rights of a role to subjects within one project."""

    plural: ClassVar[str] = "rolebindings"
    kind: ClassVar[str] = "RoleBinding"
    namespaced: ClassVar[bool] = True

    role_ref: RoleReference
    subjects: list[Subject] = []


class ClusterRoleBinding(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """Gives the rights of a cluster role to subjects everywhere."""

    plural: ClassVar[str] = "clusterrolebindings"
    kind: ClassVar[str] = "ClusterRoleBinding"

    role_ref: RoleReference
    subjects: list[Subject] = []


class ServiceAccount(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """A robot: an account of a project, for machines; it logs in with tokens only."""

    plural: ClassVar[str] = "serviceaccounts"
    kind: ClassVar[str] = "ServiceAccount"
    namespaced: ClassVar[bool] = True

    disabled: bool = False


class Secret(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """What programs need to log in elsewhere; each value of `data` is base64."""

    plural: ClassVar[str] = "secrets"
    kind: ClassVar[str] = "Secret"
    namespaced: ClassVar[bool] = True

    type: str = ""
    data: dict[str, str] = {}
    immutable: bool = False


class LimitRangeItem(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """What one object of a type may need at most and must have at least."""

    type: str = ""
    max: dict[str, str | int] = {}
    min: dict[str, str | int] = {}


class LimitRangeSpec(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """The limits, one entry for each type of object."""

    limits: list[LimitRangeItem] = []


class LimitRange(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """Limits of each image and each image stream of a project."""

    plural: ClassVar[str] = "limitranges"
    kind: ClassVar[str] = "LimitRange"
    namespaced: ClassVar[bool] = True

    spec: LimitRangeSpec = msgspec.field(default_factory=LimitRangeSpec)


class ResourceQuotaSpec(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """How much of each resource a project may have."""

    hard: dict[str, str | int] = {}


class ResourceQuota(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """Limits of a project as a whole."""

    plural: ClassVar[str] = "resourcequotas"
    kind: ClassVar[str] = "ResourceQuota"
    namespaced: ClassVar[bool] = True

    spec: ResourceQuotaSpec = msgspec.field(default_factory=ResourceQuotaSpec)


class ClusterRoleRestriction(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Role scopes of these roles in these projects; `*` stands for all of either."""

    role_names: list[str] = []
    namespaces: list[str] = []
    allow_escalation: bool = False


class ScopeRestriction(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Scopes that a client may ask for: exactly the literals, or role scopes."""

    literals: list[str] = []
    cluster_role: ClusterRoleRestriction | None = None


class OAuthClient(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """A program that may ask for tokens in a user's name.

    `secret_hashes` are `sha256~...` texts; a client without any is public and must use PKCE.
    """

    plural: ClassVar[str] = "oauthclients"
    kind: ClassVar[str] = "OAuthClient"

    secret_hashes: list[str] = []
    redirect_uris: list[str] = msgspec.field(default_factory=list, name="redirectURIs")
    respond_with_challenges: bool = False
    grant_method: str = ""
    scope_restrictions: list[ScopeRestriction] = []
    access_token_max_age_seconds: int | None = None
    access_token_inactivity_timeout_seconds: int | None = None


class OAuthClientAuthorization(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """A user's standing consent to a client's scopes, named `<user>:<client>`."""

    plural: ClassVar[str] = "oauthclientauthorizations"
    kind: ClassVar[str] = "OAuthClientAuthorization"

    client_name: str = ""
    user_name: str = ""
    user_uid: str = msgspec.field(default="", name="userUID")
    scopes: list[str] = []


KINDS: tuple[type[KubeObject], ...] = (
    Project,
    User,
    Identity,
    Group,
    Role,
    ClusterRole,
    RoleBinding,
    ClusterRoleBinding,
    ServiceAccount,
    Secret,
    LimitRange,
    ResourceQuota,
    OAuthClient,
    OAuthClientAuthorization,
)
