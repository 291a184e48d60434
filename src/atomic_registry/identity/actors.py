"""Who is calling; passed explicitly to everything that decides or records."""

from collections.abc import Mapping
from dataclasses import dataclass

AUTHENTICATED = "system:authenticated"
AUTHENTICATED_OAUTH = "system:authenticated:oauth"
UNAUTHENTICATED = "system:unauthenticated"
SERVICE_ACCOUNTS = "system:serviceaccounts"
CLUSTER_ADMINS = "system:cluster-admins"
# Whoever comes as one of these may do everything, whatever roles and bindings say. Only a client
# certificate makes a member: a stored group cannot have the name.
MASTERS = "system:masters"
_SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """An authenticated caller, or the anonymous one.

    `groups` are those that come with the credential; stored memberships are added when a
    decision is made. `uid` is the stored account's, empty for accounts that are not stored.
    `scopes` narrow an OAuth token, None means that nothing does.
    `repositories` narrow a registry token: repository name -> actions; None means that nothing
    does; such a token lists repositories only if it is `for_catalog`.
    `token_id` names the stored token that was used, empty if there was none.
    `impersonator` names who acts as this one, empty where nobody does.
    """

    name: str
    uid: str = ""
    groups: frozenset[str] = frozenset()
    scopes: tuple[str, ...] | None = None
    repositories: Mapping[str, frozenset[str]] | None = None
    for_catalog: bool = False
    token_id: str = ""
    impersonator: str = ""

    @property
    def signature(self) -> str:
        """Who the change log says it was.

        No name of a user has a slash, so nobody can be called like two of them.
        """
        return f"{self.impersonator}/as/{self.name}" if self.impersonator else self.name

    @property
    def is_anonymous(self) -> bool:
        """Nobody is logged in."""
        return self.name == ANONYMOUS.name


ANONYMOUS = Actor(name="system:anonymous", groups=frozenset({UNAUTHENTICATED}))


def service_account_name(project: str, name: str) -> str:
    """Return the user name of a robot."""
    return f"{_SERVICE_ACCOUNT_PREFIX}{project}:{name}"


def split_service_account(user: str) -> tuple[str, str] | None:
    """Return project and name if the user name is a robot's."""
    if not user.startswith(_SERVICE_ACCOUNT_PREFIX):
        return None
    project, colon, name = user.removeprefix(_SERVICE_ACCOUNT_PREFIX).partition(":")
    return (project, name) if colon and project and name else None
