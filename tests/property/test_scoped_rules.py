"""The rules that a narrowed token is told of, against the decisions that it meets."""

from hypothesis import given
from hypothesis import strategies as st

from atomic_registry.identity.oauth_scopes import allows_scope, narrow_rules
from atomic_registry.identity.policy import Right
from atomic_registry.identity.records import PolicyRule
from atomic_registry.identity.rules import covers

VERBS = ("get", "list", "create", "bind")
GROUPS = ("", "image.openshift.io", "apps")
RESOURCES = ("projects", "secrets", "users", "pods", "pods/log", "selfsubjectrulesreviews")
PATHS = ("/api", "/api/v1", "/metrics")
SCOPES = (
    "user:full",
    "user:info",
    "user:check-access",
    "user:list-projects",
    "role:one:here",
    "role:two:*",
    "role:two:*:!",
    "role:none:here",
    "role:one:elsewhere",
)


def _some(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple)


def _rules(*wild: str) -> st.SearchStrategy[list[PolicyRule]]:
    rule = st.builds(
        PolicyRule,
        verbs=_some(*VERBS, *wild),
        api_groups=_some(*GROUPS, *wild),
        resources=_some(*RESOURCES, *wild, *(["*/log"] if wild else [])),
        resource_names=_some("app", "mary", "~"),
        non_resource_urls=_some(*PATHS, "/api*", *wild),
    )
    return st.lists(rule, max_size=3)


RIGHTS = [
    *(
        Right(verb=verb, group=group, resource=resource, name=name, namespace="here")
        for verb in VERBS
        for group in GROUPS
        for resource in RESOURCES
        for name in ("", "app", "mary")
    ),
    *(Right(verb=verb, path=path) for verb in VERBS for path in PATHS),
]


def _promised(
    scopes: list[str],
    held: list[PolicyRule],
    one: list[PolicyRule],
    two: list[PolicyRule],
) -> list[tuple[Right, bool, bool]]:
    roles = {"one": one, "two": two}

    def role_rules(name: str) -> list[PolicyRule]:
        return roles.get(name, [])

    told = narrow_rules(scopes, held, "here", role_rules, "mary")
    return [
        (
            right,
            any(covers(rule, right) for rule in told),
            any(covers(rule, right) for rule in held)
            and allows_scope(scopes, right, role_rules, "mary"),
        )
        for right in RIGHTS
    ]


@given(st.lists(st.sampled_from(SCOPES), max_size=3), _rules("*"), _rules("*"), _rules("*"))
def test_a_token_is_never_told_of_a_right_that_it_does_not_have(
    scopes: list[str], held: list[PolicyRule], one: list[PolicyRule], two: list[PolicyRule]
) -> None:
    assert [] == [
        right for right, told, has in _promised(scopes, held, one, two) if told and not has
    ]


@given(st.lists(st.sampled_from(SCOPES), max_size=3), _rules(), _rules(), _rules())
def test_a_token_is_told_of_every_right_where_no_rule_has_a_wildcard(
    scopes: list[str], held: list[PolicyRule], one: list[PolicyRule], two: list[PolicyRule]
) -> None:
    assert [] == [right for right, told, has in _promised(scopes, held, one, two) if told != has]
