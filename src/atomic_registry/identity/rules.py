"""How rules match rights: additive sets, nothing is ever forbidden by a rule.

Source: Kubernetes, "Using RBAC Authorization"; resources of the OpenShift groups also match rules
that name the core group, because OpenShift's own API had them there.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
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
        return _covers_any_path(rule.non_resource_urls, right.path)
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


def common_rules(left: Iterable[PolicyRule], right: Sequence[PolicyRule]) -> list[PolicyRule]:
    """Return rules that give exactly what both sides give."""
    met = (_meet(mine, other) for mine, other in product(left, right))
    return list(dict.fromkeys(rule for rule in met if rule is not None))


def _meet(left: PolicyRule, right: PolicyRule) -> PolicyRule | None:
    verbs = _meet_values(left.verbs, right.verbs, _has)
    groups = _meet_values(left.api_groups or _CORE, right.api_groups or _CORE, _covers_group)
    resources = _meet_values(left.resources, right.resources, _covers_resource)
    paths = _meet_values(left.non_resource_urls, right.non_resource_urls, _covers_any_path)
    names = left.resource_names or right.resource_names
    if left.resource_names and right.resource_names:
        names = _meet_values(left.resource_names, right.resource_names, _names)
    if not groups or (left.resource_names and right.resource_names and not names):
        resources = ()
    if not verbs or not (resources or paths):
        return None
    return PolicyRule(
        verbs=verbs,
        api_groups=groups if resources else (),
        resources=resources,
        resource_names=names if resources else (),
        non_resource_urls=paths,
    )


def _meet_values(
    left: Sequence[str], right: Sequence[str], covers_value: Callable[[Sequence[str], str], bool]
) -> tuple[str, ...]:
    common = [value for value in left if covers_value(right, value)]
    common += [value for value in right if covers_value(left, value)]
    return tuple(dict.fromkeys(common))


def _names(names: Sequence[str], name: str) -> bool:
    return name in names


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


def _covers_any_path(patterns: Sequence[str], path: str) -> bool:
    return any(_covers_path(pattern, path) for pattern in patterns)


def _covers_path(pattern: str, path: str) -> bool:
    if pattern.endswith(_ALL):
        return path.startswith(pattern[:-1])
    return path == pattern
