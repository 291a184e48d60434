"""Acting as somebody else: what it takes, and who it makes of the caller.

Source: Kubernetes, "User impersonation". Nobody may do it unless a role says so, for each user,
group and robot by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from atomic_registry.errors import ParameterInvalid
from atomic_registry.identity.actors import (
    ANONYMOUS,
    AUTHENTICATED,
    SERVICE_ACCOUNTS,
    UNAUTHENTICATED,
    Actor,
    split_service_account,
)
from atomic_registry.identity.directory import Directory
from atomic_registry.identity.oauth_scopes import check_scopes
from atomic_registry.identity.policy import Policy, Right, require_right

VERB = "impersonate"
SCOPES_KEY = "scopes.authorization.openshift.io"
_AUTHENTICATION = "authentication.k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Impersonation:
    """Whom a caller wants to be; `extra` are pairs of a key and a value."""

    user: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()


def rights_to(asked: Impersonation) -> list[Right]:
    """Return every right that the caller needs."""
    robot = split_service_account(asked.user)
    if robot is None:
        found = [Right(verb=VERB, resource="users", name=asked.user)]
    else:
        found = [Right(verb=VERB, resource="serviceaccounts", namespace=robot[0], name=robot[1])]
    found += [Right(verb=VERB, resource="groups", name=group) for group in asked.groups]
    if asked.uid:
        found.append(Right(verb=VERB, group=_AUTHENTICATION, resource="uids", name=asked.uid))
    found += [
        Right(verb=VERB, group=_AUTHENTICATION, resource=f"userextras/{key}", name=value)
        for key, value in asked.extra
    ]
    return found


def assume(caller: Actor, asked: Impersonation, policy: Policy, directory: Directory) -> Actor:
    """Return the actor that the caller becomes; what narrows the caller narrows it too.

    Raises:
        Denied: the caller lacks one of the rights.
        Unauthenticated: nobody is logged in.
        ParameterInvalid: scopes are asked for that cannot be had.
        GrantRefused: a scope is unknown.
    """
    for right in rights_to(asked):
        require_right(policy, caller, right)
    return Actor(
        name=asked.user,
        uid=asked.uid or _stored_uid(directory, asked.user),
        groups=frozenset(_groups(asked)),
        scopes=_scopes(caller, asked),
        repositories=caller.repositories,
        token_id=caller.token_id,
        impersonator=caller.name,
    )


def _groups(asked: Impersonation) -> Sequence[str]:
    if asked.user == ANONYMOUS.name:
        return (*asked.groups, UNAUTHENTICATED)
    if UNAUTHENTICATED in asked.groups:
        return asked.groups
    robot = split_service_account(asked.user)
    if robot is None or asked.groups:
        return (*asked.groups, AUTHENTICATED)
    return (AUTHENTICATED, SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{robot[0]}")


def _stored_uid(directory: Directory, user: str) -> str:
    robot = split_service_account(user)
    account = directory.users.get(user) if robot is None else directory.robots.get(robot)
    return "" if account is None else account.uid


def _scopes(caller: Actor, asked: Impersonation) -> tuple[str, ...] | None:
    wanted = [value for key, value in asked.extra if key == SCOPES_KEY]
    if not wanted:
        return caller.scopes
    if caller.scopes is not None:
        reason = "the caller's own token is narrowed to scopes already"
        raise ParameterInvalid(parameter="Impersonate-Extra", value=SCOPES_KEY, reason=reason)
    return check_scopes(wanted)
