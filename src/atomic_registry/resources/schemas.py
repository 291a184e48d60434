"""The form of each kind on the wire, where it differs from what is stored."""

import msgspec

from atomic_registry.content.streams import ImageSignature
from atomic_registry.identity.records import (
    LimitRange,
    OAuthClient,
    Project,
    ResourceQuota,
    Secret,
    User,
    UserReference,
)
from atomic_registry.kube.objects import ObjectMeta
from atomic_registry.resources.image_forms import (
    StreamForm,
    StreamImageForm,
    StreamLayersForm,
    StreamTagView,
)
from atomic_registry.resources.image_strategies import ImageForm
from atomic_registry.resources.kinds import Resource


class _Form(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)


class UserForm(User, rename="camel", omit_defaults=True, kw_only=True):
    """An account; a disabled one is refused everywhere."""

    groups: list[str] = msgspec.field(default_factory=list)


class Finalizers(msgspec.Struct, rename="camel"):
    """Who takes part in the deletion of a project."""

    finalizers: list[str] = []


class Phase(msgspec.Struct, rename="camel"):
    """The state of a project."""

    phase: str = ""


class ProjectForm(Project, rename="camel", omit_defaults=True, kw_only=True):
    """A project owns repositories, robots, roles and secrets; its names are annotations."""

    spec: Finalizers = msgspec.field(default_factory=Finalizers)
    status: Phase = msgspec.field(default_factory=Phase)


class SubjectForm(msgspec.Struct, rename="camel"):
    """Who a role is bound to."""

    kind: str
    name: str
    namespace: str = ""
    api_group: str = ""


class RoleReferenceForm(msgspec.Struct, rename="camel"):
    """The role that is bound."""

    name: str
    kind: str = ""
    namespace: str = ""
    api_group: str = ""


class BindingForm(_Form, rename="camel", omit_defaults=True, kw_only=True):
    """Gives the rights of a role to subjects, within one project or everywhere."""

    role_ref: RoleReferenceForm
    subjects: list[SubjectForm] = []
    user_names: list[str] = []
    group_names: list[str] = []


class OAuthClientForm(OAuthClient, rename="camel", omit_defaults=True, kw_only=True):
    """A program that may ask for tokens in a user's name."""

    secret: str = ""
    additional_secrets: list[str] = msgspec.field(default_factory=list)


class SecretForm(Secret, rename="camel", omit_defaults=True, kw_only=True):
    """What programs need to log in elsewhere."""

    string_data: dict[str, str] = msgspec.field(default_factory=dict)


class QuotaStatus(msgspec.Struct, rename="camel"):
    """What holds, and how much of it is used."""

    hard: dict[str, str | int] = {}
    used: dict[str, str | int] = {}


class QuotaForm(ResourceQuota, rename="camel", omit_defaults=True, kw_only=True):
    """Limits of a project as a whole."""

    status: QuotaStatus = msgspec.field(default_factory=QuotaStatus)


class MappingForm(_Form, rename="camel"):
    """Joins an identity and a user; named as the identity."""

    identity: UserReference = msgspec.field(default_factory=UserReference)
    user: UserReference = msgspec.field(default_factory=UserReference)


class ProjectRequestForm(_Form, rename="camel"):
    """Asks for a project of one's own."""

    display_name: str = ""
    description: str = ""


class TokenForm(_Form, rename="camel"):
    """A token that stands for a user; it is named by the hash of its secret."""

    client_name: str = ""
    user_name: str = ""
    user_uid: str = msgspec.field(default="", name="userUID")
    scopes: list[str] = []
    description: str = ""
    type: str = ""
    expires_in: int | None = None
    inactivity_timeout_seconds: int | None = None
    status: dict[str, str] = {}


class TokenRequestSpec(msgspec.Struct, rename="camel"):
    """What the new token shall be."""

    expiration_seconds: int = 3600
    audiences: list[str] = []
    scopes: list[str] = []
    description: str = ""


class TokenRequestForm(_Form, rename="camel"):
    """Asks for a token of a robot; the answer is the only one that has its secret."""

    spec: TokenRequestSpec = msgspec.field(default_factory=TokenRequestSpec)
    status: dict[str, str] = {}


class ResourceAttributes(msgspec.Struct, rename="camel"):
    """A verb on a resource."""

    namespace: str = ""
    verb: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""


class PathAttributes(msgspec.Struct, rename="camel"):
    """A verb on a path."""

    path: str = ""
    verb: str = ""


class AccessSpec(msgspec.Struct, rename="camel"):
    """What is asked: exactly one of the two attributes."""

    resource_attributes: ResourceAttributes | None = None
    non_resource_attributes: PathAttributes | None = None
    user: str = ""
    groups: list[str] = []


class AccessStatus(msgspec.Struct, rename="camel"):
    """The answer, and why."""

    allowed: bool = False
    reason: str = ""


class AccessReviewForm(_Form, rename="camel"):
    """Asks whether somebody may do something."""

    spec: AccessSpec = msgspec.field(default_factory=AccessSpec)
    status: AccessStatus = msgspec.field(default_factory=AccessStatus)


class OldReviewForm(_Form, rename="camel"):
    """Asks who may do something, or whether somebody may; attributes stand at the top."""

    namespace: str = ""
    verb: str = ""
    resource_group: str = msgspec.field(default="", name="resourceAPIGroup")
    resource: str = ""
    resource_name: str = ""
    path: str = ""
    is_path: bool = msgspec.field(default=False, name="isNonResourceURL")
    user: str = ""
    groups: list[str] = []


class OldAccessAnswer(msgspec.Struct, rename="camel"):
    """Whether somebody may do something, and why."""

    namespace: str = ""
    allowed: bool = False
    reason: str = ""


class OldWhoAnswer(msgspec.Struct, rename="camel"):
    """Who may do something."""

    namespace: str = ""
    users: list[str] = []
    groups: list[str] = []


class OpenForm(_Form, rename="camel"):
    """An object whose fields depend on what is asked."""

    spec: dict[str, object] = {}
    status: dict[str, object] = {}


_ACCESS = {"SelfSubjectAccessReview", "SubjectAccessReview", "LocalSubjectAccessReview"}
_OLD = {*_ACCESS, "ResourceAccessReview", "LocalResourceAccessReview"}
# What answers the reviews of the original's group is of another kind than the question.
OLD_ANSWERS = {
    "SubjectAccessReview": "SubjectAccessReviewResponse",
    "LocalSubjectAccessReview": "SubjectAccessReviewResponse",
    "ResourceAccessReview": "ResourceAccessReviewResponse",
    "LocalResourceAccessReview": "ResourceAccessReviewResponse",
}
ANSWER_FORMS: dict[str, type[msgspec.Struct]] = {
    "SubjectAccessReviewResponse": OldAccessAnswer,
    "ResourceAccessReviewResponse": OldWhoAnswer,
}
_FORMS: dict[str, type[msgspec.Struct]] = {
    "User": UserForm,
    "Project": ProjectForm,
    "Namespace": ProjectForm,
    "RoleBinding": BindingForm,
    "ClusterRoleBinding": BindingForm,
    "OAuthClient": OAuthClientForm,
    "Secret": SecretForm,
    "LimitRange": LimitRange,
    "ResourceQuota": QuotaForm,
    "UserIdentityMapping": MappingForm,
    "ProjectRequest": ProjectRequestForm,
    "OAuthAccessToken": TokenForm,
    "UserOAuthAccessToken": TokenForm,
    "ImageStream": StreamForm,
    "Image": ImageForm,
    "ImageStreamImage": StreamImageForm,
    "ImageStreamTag": StreamTagView,
    "ImageStreamLayers": StreamLayersForm,
    "ImageSignature": ImageSignature,
    "TokenRequest": TokenRequestForm,
}


def form_of(resource: Resource, group: str) -> type[msgspec.Struct]:
    """Return the type whose fields a kind has in documents of a group."""
    found = _FORMS.get(resource.kind)
    if found is not None:
        return found
    if resource.kind in _OLD and group.endswith("openshift.io"):
        return OldReviewForm
    if resource.kind in _ACCESS:
        return AccessReviewForm
    return resource.stored or OpenForm
