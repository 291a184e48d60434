"""What this package needs of those who decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from atomic_registry.identity.actors import Actor
from atomic_registry.identity.policy import Policy, Right
from atomic_registry.identity.records import PolicyRule


class RightsDirectory(Protocol):
    """Answers questions about rights that are wider than yes or no."""

    def who_can(self, right: Right) -> tuple[list[str], list[str]]:
        """Return the users and the groups that bindings give the right to."""
        ...

    def rules_of(self, actor: Actor, namespace: str) -> list[PolicyRule]:
        """Return every rule that holds for the actor in the namespace."""
        ...

    def may_grant(self, actor: Actor, namespace: str, rules: Sequence[PolicyRule]) -> list[Right]:
        """Return which rights of the rules the actor lacks: nobody grants more than they hold."""
        ...


class Accounts(Protocol):
    """The view of stored objects that decisions are made on."""

    def stored_groups_of(self, user: str) -> frozenset[str]:
        """Return the stored groups that list the user."""
        ...

    async def refresh(self) -> bool:
        """Take in what was committed before this call; return False if nothing changed.

        Raises:
            Unavailable: the database cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Those who decide, as every service here needs them."""

    policy: Policy
    rights: RightsDirectory
    accounts: Accounts
