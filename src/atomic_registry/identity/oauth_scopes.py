"""Scopes of OAuth tokens: their grammar, and how they narrow what a token's user may do.

A scope never adds a right: what it lets through is decided by the user's roles afterwards.
Source: OpenShift Origin, "Scoped tokens".
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from atomic_registry.errors import GrantRefused
from atomic_registry.identity.policy import Right
from atomic_registry.identity.records import PolicyRule
from atomic_registry.identity.rules import common_rules, covers

FULL = "user:full"
INFO = "user:info"
CHECK_ACCESS = "user:check-access"
LIST_PROJECTS = "user:list-projects"
LIST_SCOPED_PROJECTS = "user:list-scoped-projects"
USER_SCOPES = (FULL, INFO, CHECK_ACCESS, LIST_PROJECTS, LIST_SCOPED_PROJECTS)

_MAX_SCOPES = 50
_ROLE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]|:(?=[A-Za-z0-9])){0,252}\Z")
_NAMESPACE = re.compile(r"(?:\*|[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)\Z")
_LISTING = ("list", "watch")
_DISCOVERY_PATHS = ("/healthz", "/version", "/api", "/apis", "/oapi", "/openapi")
_REVIEWS = (
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "subjectrulesreviews",
)
# With these a narrowed token could make itself a wider one.
_ESCALATING = frozenset(
    {
        "*",
        "clusterrolebindings",
        "clusterroles",
        "imagestreams/secrets",
        "oauthaccesstokens",
        "oauthauthorizetokens",
        "oauthclients",
        "rolebindings",
        "roles",
        "secrets",
        "serviceaccounts/token",
        "useroauthaccesstokens",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleScope:
    """`role:<role>:<namespace or *>`, with `:!` if rights that could widen it stay in it."""

    role: str
    namespace: str
    is_escalating: bool

    def within(self, other: "RoleScope") -> bool:
        """Tell whether the other scope lets through all that this one does."""
        return (
            self.role == other.role
            and other.namespace in {"*", self.namespace}
            and (other.is_escalating or not self.is_escalating)
        )


def find_role_scope(scope: str) -> RoleScope | None:
    """Return the parts of a well-formed role scope."""
    if not scope.startswith("role:"):
        return None
    text = scope.removeprefix("role:")
    is_escalating = text.endswith(":!")
    role, _, namespace = text.removesuffix(":!").rpartition(":")
    if not _ROLE.match(role) or not _NAMESPACE.match(namespace):
        return None
    return RoleScope(role=role, namespace=namespace, is_escalating=is_escalating)


def check_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes, each once, in their order.

    Raises:
        GrantRefused: one of them breaks the grammar, or there are too many.
    """
    unique = tuple(dict.fromkeys(scopes))
    if len(unique) > _MAX_SCOPES:
        raise GrantRefused(
            code="invalid_scope", reason=f"ask for at most {_MAX_SCOPES} scopes at once"
        )
    for scope in unique:
        if scope not in USER_SCOPES and find_role_scope(scope) is None:
            raise GrantRefused(
                code="invalid_scope",
                reason=f"scope {scope[:100]!r} is unknown: use {', '.join(USER_SCOPES)} or "
                "role:<cluster role>:<project or *>",
            )
    return unique


def parse_scopes(text: str) -> tuple[str, ...]:
    """Return the scopes of a space-separated list (RFC 6749, 3.3).

    Raises:
        GrantRefused: as `check_scopes`.
    """
    return check_scopes(part for part in text.split(" ") if part)


def is_within(wanted: Sequence[str], held: Sequence[str] | None) -> bool:
    """Tell whether a token of the held scopes may make one of the wanted; None holds all."""
    if held is None or FULL in held:
        return True
    roles = [found for scope in held if (found := find_role_scope(scope)) is not None]
    return all(_is_held(scope, held, roles) for scope in wanted)


def _is_held(scope: str, held: Sequence[str], roles: Sequence[RoleScope]) -> bool:
    if scope in held or (scope == LIST_SCOPED_PROJECTS and LIST_PROJECTS in held):
        return True
    wanted = find_role_scope(scope)
    return wanted is not None and any(wanted.within(role) for role in roles)


def allows_scope(
    scopes: Sequence[str],
    right: Right,
    role_rules: Callable[[str], Sequence[PolicyRule]],
    user: str,
) -> bool:
    """Tell whether the scopes let the right through; no scope at all lets nothing through.

    `role_rules` returns the rules of a cluster role, none for one that does not exist.
    """
    return any(_allows(scope, right, role_rules, user) for scope in scopes) or (
        bool(scopes) and _is_discovery(right)
    )


def narrow_rules(
    scopes: Sequence[str],
    held: Sequence[PolicyRule],
    namespace: str,
    role_rules: Callable[[str], Sequence[PolicyRule]],
    user: str,
) -> list[PolicyRule]:
    """Return what the scopes leave of the rules held in the namespace, never more than that.

    A rule that a scope cuts a hole into is left out: rules cannot say "all but".
    """
    found = common_rules(held, [_DISCOVERY]) if scopes else []
    for scope in scopes:
        role = find_role_scope(scope)
        if role is None:
            found += common_rules(held, _SCOPE_RULES.get(scope, ()))
            if scope == INFO:
                found += common_rules(held, [_own_account_rule(user)])
        elif role.namespace in {"*", namespace}:
            rules = common_rules(held, role_rules(role.role))
            found += [_within_role_scope(rule, role) for rule in rules]
    return [rule for rule in dict.fromkeys(found) if rule.verbs]


def _allows(
    scope: str, right: Right, role_rules: Callable[[str], Sequence[PolicyRule]], user: str
) -> bool:
    match scope:
        case "user:full":
            return True
        case "user:info":
            return _is_own_account(right, user)
        case "user:check-access":
            return right.verb == "create" and right.resource in _REVIEWS
        case "user:list-projects" | "user:list-scoped-projects":
            return right.verb in _LISTING and right.resource == "projects" and not right.path
        case _:
            role = find_role_scope(scope)
            return role is not None and _role_allows(role, right, role_rules)


def _is_own_account(right: Right, user: str) -> bool:
    if right.verb == "create" and right.resource == "selfsubjectreviews":
        return True
    return right.verb == "get" and right.resource == "users" and right.name in {"~", user}


def _role_allows(
    role: RoleScope, right: Right, role_rules: Callable[[str], Sequence[PolicyRule]]
) -> bool:
    if role.namespace not in {"*", right.namespace}:
        return False
    if not role.is_escalating and (right.resource in _ESCALATING or right.verb in _WIDE_VERBS):
        return False
    return any(covers(rule, right) for rule in role_rules(role.role))


def _within_role_scope(rule: PolicyRule, role: RoleScope) -> PolicyRule:
    verbs, resources, paths = rule.verbs, rule.resources, rule.non_resource_urls
    if role.namespace != "*":
        # A path belongs to no project.
        paths = ()
    if not role.is_escalating:
        resources = tuple(name for name in resources if name not in _ESCALATING)
        verbs = tuple(verb for verb in verbs if verb not in _WIDE_VERBS)
    return msgspec.structs.replace(
        rule,
        verbs=verbs if resources or paths else (),
        resources=resources,
        non_resource_urls=paths,
    )


def _own_account_rule(user: str) -> PolicyRule:
    return PolicyRule(
        verbs=("get",), api_groups=_ANY, resources=("users",), resource_names=("~", user)
    )


_WIDE_VERBS = ("*", "bind", "escalate", "impersonate")
_ANY = ("*",)
_LISTS_PROJECTS = PolicyRule(verbs=_LISTING, api_groups=_ANY, resources=("projects",))
_SCOPE_RULES: dict[str, tuple[PolicyRule, ...]] = {
    FULL: (
        PolicyRule(verbs=_ANY, api_groups=_ANY, resources=_ANY),
        PolicyRule(verbs=_ANY, non_resource_urls=_ANY),
    ),
    INFO: (PolicyRule(verbs=("create",), api_groups=_ANY, resources=("selfsubjectreviews",)),),
    CHECK_ACCESS: (PolicyRule(verbs=("create",), api_groups=_ANY, resources=_REVIEWS),),
    LIST_PROJECTS: (_LISTS_PROJECTS,),
    LIST_SCOPED_PROJECTS: (_LISTS_PROJECTS,),
}
_DISCOVERY = PolicyRule(
    verbs=("get",),
    non_resource_urls=tuple(
        pattern for path in _DISCOVERY_PATHS for pattern in (path, f"{path}/*")
    ),
)


def _is_discovery(right: Right) -> bool:
    """What every client reads before it can ask for anything; it names no object."""
    return right.verb == "get" and any(
        right.path == path or right.path.startswith(f"{path}/") for path in _DISCOVERY_PATHS
    )
