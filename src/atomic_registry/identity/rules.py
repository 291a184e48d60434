"""How rules match rights: additive sets, nothing is ever forbidden by a rule.

Source: Kubernetes, "Using RBAC Authorization"; resources of the OpenShift groups also match rules
that name the core group, because OpenShift's own API had them there.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from atomic_registry.identity.policy import Right
from atomic_registry.identity.records import PolicyRule

_ALL = "*"
_CORE = ("",)


def covers(rule: PolicyRule, right: Right) -> bool:
    """Tell whether the rule gives the right."""
    if not _has(rule.verbs, right.verb):
        return False
    if right.path:
        return any(_covers_path(pattern, right.path) for pattern in rule.non_resource_urls)
    return (
        _covers_group(rule.api_groups or _CORE, right.group)
        and _covers_resource(rule.resources, right.resource)
        and (not rule.resource_names or right.name in rule.resource_names)
    )


def missing_rights(held: Sequence[PolicyRule], wanted: Iterable[PolicyRule]) -> list[Right]:
    """Return the rights of the wanted rules that the held ones do not give.

    A wildcard is only held by who holds the wildcard.
    """
    return [
        right
        for rule in wanted
        for right in _single_rights(rule)
        if not any(covers(mine, right) for mine in held)
    ]


def _single_rights(rule: PolicyRule) -> Iterator[Right]:
    for verb, path in product(rule.verbs, rule.non_resource_urls):
        yield Right(verb=verb, path=path)
    groups = rule.api_groups or _CORE
    names = rule.resource_names or ("",)
    for verb, group, resource, name in product(rule.verbs, groups, rule.resources, names):
        yield Right(verb=verb, group=group, resource=resource, name=name)


def _has(values: Sequence[str], value: str) -> bool:
    return value in values or _ALL in values


def _covers_group(groups: Sequence[str], group: str) -> bool:
    return _has(groups, group) or ("" in groups and group.endswith(".openshift.io"))


def _covers_resource(resources: Sequence[str], resource: str) -> bool:
    if _has(resources, resource):
        return True
    _, slash, sub = resource.partition("/")
    return bool(slash) and f"*/{sub}" in resources


def _covers_path(pattern: str, path: str) -> bool:
    if pattern.endswith(_ALL):
        return path.startswith(pattern[:-1])
    return path == pattern
