"""What is particular to each kind: its names, its rules, and its form on the wire.

Sources: OpenShift Origin 1.x API and Kubernetes `rbac.authorization.k8s.io`.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from atomic_registry.identity.actors import service_account_name
from atomic_registry.identity.ports import Transaction
from atomic_registry.identity.records import (
    DESCRIPTION,
    DISPLAY_NAME,
    Group,
    Identity,
    OAuthClient,
    OAuthClientAuthorization,
    PolicyRule,
)
from atomic_registry.identity.tokens import hash_secret
from atomic_registry.kube.objects import KubeObject
from atomic_registry.resources.names import (
    account_name_fault,
    dns_label_fault,
    dns_subdomain_fault,
    path_segment_fault,
)

Document = dict[str, object]
Cause = tuple[str, str]

_GRANT_METHODS = ("", "auto", "prompt", "deny")


class Strategy:
    """What holds where a kind has nothing of its own."""

    def name_fault(self, name: str) -> str | None:
        """Return what is wrong with the name."""
        return path_segment_fault(name)

    def read(self, document: Document, group: str) -> Document:
        """Return what a client wrote, in the stored form; the document is the caller's."""
        return document

    def show(self, document: Document, group: str) -> Document:
        """Return the stored form as clients of an API group see it, without secrets."""
        return document

    def causes(self, item: KubeObject, old: KubeObject | None) -> list[Cause]:
        """Return which fields are at fault."""
        return []

    def carry_over(self, item: KubeObject, old: KubeObject) -> None:
        """Take from the stored object what a client cannot write."""

    def granted(self, tx: Transaction, item: KubeObject) -> Sequence[PolicyRule]:
        """Return the rights that the object hands out."""
        return ()

    def hands_out_more(self, item: KubeObject, old: KubeObject) -> bool:
        """Tell whether a change of the object may hand out rights."""
        return False

    def removed(self, tx: Transaction, item: KubeObject) -> None:
        """Remove what goes with the object, in the same transaction."""


class ProjectStrategy(Strategy):
    """Its two texts are for people; everything else is the system's."""

    def name_fault(self, name: str) -> str | None:
        return "use at least 2 characters" if len(name) == 1 else dns_label_fault(name)

    def show(self, document: Document, group: str) -> Document:
        return document | {
            "spec": {"finalizers": ["openshift.io/origin", "kubernetes"]},
            "status": {"phase": "Active"},
        }

    def causes(self, item: KubeObject, old: KubeObject | None) -> list[Cause]:
        causes = text_causes(item.metadata.annotations)
        if old is not None:
            if item.metadata.labels != old.metadata.labels:
                causes.append(("metadata.labels", "may not be changed"))
            if _system_annotations(item) != _system_annotations(old):
                reason = f"only {DISPLAY_NAME} and {DESCRIPTION} may be changed"
                causes.append(("metadata.annotations", reason))
        return causes


def text_causes(annotations: dict[str, str]) -> list[Cause]:
    """Return what is wrong with a project's texts."""
    shown = annotations.get(DISPLAY_NAME, "")
    if shown.isprintable():
        return []
    return [(f"metadata.annotations[{DISPLAY_NAME}]", "it may not contain line breaks or tabs")]


def _system_annotations(item: KubeObject) -> dict[str, str]:
    kept = {DISPLAY_NAME, DESCRIPTION}
    return {key: value for key, value in item.metadata.annotations.items() if key not in kept}


class UserStrategy(Strategy):
    """Accounts; their tokens go with them."""

    def name_fault(self, name: str) -> str | None:
        return account_name_fault(name)

    def removed(self, tx: Transaction, item: KubeObject) -> None:
        tx.tokens.remove_of_user(item.metadata.name)


class GroupStrategy(Strategy):
    """Groups list users by name."""

    def name_fault(self, name: str) -> str | None:
        return account_name_fault(name)

    def causes(self, item: KubeObject, old: KubeObject | None) -> list[Cause]:
        users = item.users if isinstance(item, Group) else []
        faults = ((at, account_name_fault(user)) for at, user in enumerate(users))
        return [(f"users[{at}]", fault) for at, fault in faults if fault]


class IdentityStrategy(Strategy):
    """Its name is made of its provider's and the person's there."""

    def causes(self, item: KubeObject, old: KubeObject | None) -> list[Cause]:
        if not isinstance(item, Identity):
            return []
        expected = f"{item.provider_name}:{item.provider_user_name}"
        if not item.provider_name or not item.provider_user_name:
            return [("providerName", "providerName and providerUserName are required")]
        if item.metadata.name != expected:
            return [("metadata.name", f"it must be {expected!r}, as the other fields say")]
        return []


class RobotStrategy(Strategy):
    """Robots; their tokens go with them."""

    def name_fault(self, name: str) -> str | None:
        return dns_subdomain_fault(name)

    def removed(self, tx: Transaction, item: KubeObject) -> None:
        meta = item.metadata
        tx.tokens.remove_of_user(service_account_name(meta.namespace, meta.name))


class OAuthClientStrategy(Strategy):
    """Secrets go in and never come out."""

    def name_fault(self, name: str) -> str | None:
        return account_name_fault(name)

    def read(self, document: Document, group: str) -> Document:
        secrets = [document.pop("secret", None), *texts_of(document.pop("additionalSecrets", None))]
        hashes = [hash_secret(text) for text in secrets if isinstance(text, str) and text]
        document["secretHashes"] = hashes
        return document

    def show(self, document: Document, group: str) -> Document:
        document.pop("secretHashes", None)
        return document

    def causes(self, item: KubeObject, old: KubeObject | None) -> list[Cause]:
        if not isinstance(item, OAuthClient):
            return []
        causes = [
            (f"redirectURIs[{at}]", fault)
            for at, uri in enumerate(item.redirect_uris)
            if (fault := _redirect_fault(uri))
        ]
        if item.grant_method not in _GRANT_METHODS:
            causes.append(("grantMethod", "use auto, prompt or deny"))
        ages = (
            ("accessTokenMaxAgeSeconds", item.access_token_max_age_seconds),
            ("accessTokenInactivityTimeoutSeconds", item.access_token_inactivity_timeout_seconds),
        )
        causes += [(field, "it may not be negative") for field, age in ages if age and age < 0]
        return causes

    def carry_over(self, item: KubeObject, old: KubeObject) -> None:
        if isinstance(item, OAuthClient) and isinstance(old, OAuthClient):
            # Nobody can read a secret and send it back: none given means that it stays.
            item.secret_hashes = item.secret_hashes or old.secret_hashes


def _redirect_fault(uri: str) -> str | None:
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "it is not a URL"
    if not parts.scheme or not parts.netloc:
        return "it must be a whole URL, with scheme and host"
    if parts.username is not None or "\\" in uri or not uri.isprintable():
        return "it may not contain a user name, a backslash or characters without a shape"
    if "#" in uri:
        return "it may not have a fragment"
    if any(segment in {".", ".."} for segment in parts.path.split("/")):
        return "its path may not contain '.' or '..'"
    return None


class AuthorizationStrategy(Strategy):
    """Its name is made of the user's and the client's."""

    def causes(self, item: KubeObject, old: KubeObject | None) -> list[Cause]:
        if not isinstance(item, OAuthClientAuthorization):
            return []
        expected = f"{item.user_name}:{item.client_name}"
        if item.metadata.name != expected:
            return [("metadata.name", f"it must be {expected!r}, as the other fields say")]
        return []


def texts_of(value: object) -> list[str]:
    """Return the texts of a list that a client wrote."""
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
