"""The one decision function: may this actor do this to that?"""

from enum import StrEnum
from typing import Protocol

from atomic_registry.errors import Denied
from atomic_registry.identity.actors import Actor
from atomic_registry.oci.reference import RepositoryName


class Verb(StrEnum):
    """What a caller may ask to do."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"
    LIST = "list"
    OBSERVE = "observe"


class Policy(Protocol):
    """Decides every request; nothing else in the registry grants access."""

    is_open: bool

    def allowed(self, actor: Actor, verb: Verb, repository: RepositoryName | None) -> bool:
        """Tell whether the actor may do this to the repository, or, with None, to the registry."""
        ...


class OpenPolicy:
    """Everybody may do everything.

    While it is in force the server listens on loopback only.
    """

    is_open = True

    def allowed(self, actor: Actor, verb: Verb, repository: RepositoryName | None) -> bool:
        return True


def require(policy: Policy, actor: Actor, verb: Verb, repository: RepositoryName | None) -> None:
    """Return if the actor may do this.

    Raises:
        Denied: it may not.
    """
    if not policy.allowed(actor, verb, repository):
        resource = "the registry" if repository is None else f"repository {repository}"
        raise Denied(actor=actor.name, verb=verb.value, resource=resource)
