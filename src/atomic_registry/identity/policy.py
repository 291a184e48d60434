"""The one decision function: may this actor do this to that?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from atomic_registry.errors import Denied, ScopeMissing, Unauthenticated
from atomic_registry.identity.actors import Actor
from atomic_registry.oci.reference import RepositoryName


class Verb(StrEnum):
    """What a caller of the registry may ask to do."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"
    LIST = "list"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One right in the terms of roles: a verb on a resource, or on a URL path.

    `resource` may name a subresource, as in `imagestreams/layers`. An empty `namespace` asks for
    the right everywhere, an empty `name` for the right on all objects. With a `path` the other
    parts stay empty.
    """

    verb: str
    resource: str = ""
    group: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"{self.verb} {self.path}"
        group = f".{self.group}" if self.group else ""
        name = f" {self.name!r}" if self.name else ""
        where = f" in project {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{group}{name}{where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a right is granted: the binding and its role; or, with neither, why it is not."""

    granted: bool
    text: str
    binding: str = ""
    role: str = ""


class Policy(Protocol):
    """Decides every request; nothing else grants access."""

    is_open: bool

    def allowed(self, actor: Actor, verb: Verb, repository: RepositoryName | None) -> bool:
        """Tell whether the actor may do this to the repository, or, with None, to the registry."""
        ...

    def grants(self, actor: Actor, right: Right) -> bool:
        """Tell whether the actor has the right."""
        ...

    def explain(self, actor: Actor, right: Right) -> Reason:
        """Tell why, in words for the person who asks."""
        ...


class OpenPolicy:
    """Everybody may do everything.

    While it is in force the server listens on loopback only.
    """

    is_open = True

    def allowed(self, actor: Actor, verb: Verb, repository: RepositoryName | None) -> bool:
        return True

    def grants(self, actor: Actor, right: Right) -> bool:
        return True

    def explain(self, actor: Actor, right: Right) -> Reason:
        return Reason(granted=True, text="everybody may do everything: there is no access control")


_GROUP = "image.openshift.io"
_LAYERS = "imagestreams/layers"


def rights_of(verb: Verb, repository: RepositoryName | None) -> Sequence[Right]:
    """Return the rights of which one lets a caller do this; none of them: anybody may ask."""
    if repository is None:
        return [Right(verb="get", path="/metrics")] if verb is Verb.OBSERVE else []
    project, _, name = repository.value.partition("/")
    wanted = {Verb.PULL: "get", Verb.PUSH: "update", Verb.DELETE: "delete"}[verb]
    stream = name.replace("/", "~")
    return [Right(verb=wanted, group=_GROUP, resource=_LAYERS, namespace=project, name=stream)]


def require(policy: Policy, actor: Actor, verb: Verb, repository: RepositoryName | None) -> None:
    """Return if the actor may do this.

    Raises:
        Unauthenticated: it may not, but somebody who logs in might.
        ScopeMissing: it may, but its token was made for something else.
        Denied: it may not.
    """
    if policy.allowed(actor, verb, repository):
        return
    if actor.is_anonymous:
        raise Unauthenticated
    if actor.repositories is not None and policy.allowed(
        replace(actor, repositories=None), verb, repository
    ):
        raise ScopeMissing
    resource = "the registry" if repository is None else f"repository {repository}"
    reasons = [policy.explain(actor, right).text for right in rights_of(verb, repository)]
    raise Denied(actor=actor.name, verb=verb.value, resource=resource, reason=" and ".join(reasons))


def require_right(policy: Policy, actor: Actor, right: Right) -> None:
    """Return if the actor has the right.

    Raises:
        Unauthenticated: it has not, but somebody who logs in might.
        Denied: it has not.
    """
    if policy.grants(actor, right):
        return
    if actor.is_anonymous:
        raise Unauthenticated
    raise Denied(
        actor=actor.name,
        verb=right.verb,
        resource=str(right).partition(" ")[2],
        reason=policy.explain(actor, right).text,
    )
