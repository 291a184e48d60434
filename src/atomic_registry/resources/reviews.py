"""Questions about rights: may somebody do this, who can do it, what may I do."""

from collections.abc import Sequence

from atomic_registry.identity.actors import (
    ANONYMOUS,
    AUTHENTICATED,
    AUTHENTICATED_OAUTH,
    SERVICE_ACCOUNTS,
    Actor,
    split_service_account,
)
from atomic_registry.identity.policy import Reason, Right
from atomic_registry.identity.ports import IdentityStore
from atomic_registry.identity.records import PolicyRule, ServiceAccount, User
from atomic_registry.resources.ports import Authority


class ReviewService:
    """Answers from the same policy that decides requests."""

    def __init__(self, store: IdentityStore, authority: Authority) -> None:
        self._store = store
        self._authority = authority

    def explain(self, actor: Actor, right: Right) -> Reason:
        """Tell whether the actor has the right, and why."""
        return self._authority.policy.explain(actor, right)

    async def explain_other(self, user: str, groups: Sequence[str], right: Right) -> Reason:
        """Tell the same of somebody who is named; without groups, as after a login."""
        return self._authority.policy.explain(await self._as_actor(user, groups), right)

    def who_can(self, right: Right) -> tuple[list[str], list[str]]:
        """Return the users and the groups that have the right."""
        return self._authority.rights.who_can(right)

    def rules_of(self, actor: Actor, namespace: str) -> list[PolicyRule]:
        """Return the actor's rules in a project, the cluster's among them."""
        return self._authority.rights.rules_of(actor, namespace)

    def groups_of(self, actor: Actor) -> list[str]:
        """Return every group that counts for the actor."""
        return sorted(actor.groups | self._authority.accounts.stored_groups_of(actor.name))

    async def find_user(self, actor: Actor) -> User | None:
        """Return the actor's stored account."""
        return await self._store.read(lambda tx: tx.objects.find(User, actor.name))

    async def _as_actor(self, user: str, groups: Sequence[str]) -> Actor:
        if user == ANONYMOUS.name:
            return ANONYMOUS
        robot = split_service_account(user)
        if robot is None:
            own = {AUTHENTICATED, AUTHENTICATED_OAUTH} if user else set()
            return Actor(name=user, groups=frozenset(groups or own))
        project, name = robot
        account = await self._store.read(
            lambda tx: tx.objects.find(ServiceAccount, name, namespace=project)
        )
        own = {AUTHENTICATED, SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{project}"}
        uid = "" if account is None else account.metadata.uid
        return Actor(name=user, uid=uid, groups=frozenset(groups or own))
