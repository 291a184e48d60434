"""How rules match rights."""

import pytest

from atomic_registry.identity.policy import Right
from atomic_registry.identity.records import PolicyRule
from atomic_registry.identity.roles import RULES
from atomic_registry.identity.rules import covers, missing_rights

IMAGE = "image.openshift.io"


def right(verb: str, resource: str, *, group: str = IMAGE, name: str = "") -> Right:
    return Right(verb=verb, resource=resource, group=group, namespace="demo", name=name)


PULL = PolicyRule(verbs=("get",), api_groups=(IMAGE,), resources=("imagestreams/layers",))


@pytest.mark.parametrize(
    ("rule", "asked", "expected"),
    [
        (PULL, right("get", "imagestreams/layers"), True),
        (PULL, right("update", "imagestreams/layers"), False),
        (PULL, right("get", "imagestreams"), False),
        (PULL, right("get", "imagestreams/layers", group="other.io"), False),
        (
            PolicyRule(verbs=("get",), resources=("imagestreams/layers",)),
            right("get", "imagestreams/layers"),
            True,
        ),
        (
            PolicyRule(verbs=("get",), resources=("secrets",)),
            right("get", "secrets", group="rbac.authorization.k8s.io"),
            False,
        ),
        (
            PolicyRule(verbs=("get",), api_groups=("*",), resources=("*/layers",)),
            right("get", "imagestreams/layers"),
            True,
        ),
        (
            PolicyRule(
                verbs=("get",), api_groups=("*",), resources=("*",), resource_names=("app",)
            ),
            right("get", "imagestreams", name="app"),
            True,
        ),
        (
            PolicyRule(
                verbs=("get",), api_groups=("*",), resources=("*",), resource_names=("app",)
            ),
            right("get", "imagestreams"),
            False,
        ),
    ],
)
def test_a_rule_covers_what_it_names_and_nothing_else(
    rule: PolicyRule, asked: Right, expected: bool
) -> None:
    assert covers(rule, asked) == expected


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [("/api/*", "/api/v1", True), ("/api", "/api/v1", False), ("*", "/metrics", True)],
)
def test_a_url_rule_covers_by_prefix_only_with_a_star(
    pattern: str, path: str, expected: bool
) -> None:
    rule = PolicyRule(verbs=("get",), non_resource_urls=(pattern,))
    assert covers(rule, Right(verb="get", path=path)) == expected
    assert not covers(rule, right("get", "imagestreams"))


def test_nobody_holds_a_wildcard_but_who_holds_the_wildcard() -> None:
    everything = RULES["cluster-admin"]
    assert missing_rights(RULES["registry-admin"], everything)
    assert not missing_rights(everything, everything)


def test_an_admin_may_grant_what_an_editor_has_and_not_the_other_way_round() -> None:
    assert not missing_rights(RULES["registry-admin"], RULES["registry-editor"])
    assert missing_rights(RULES["registry-editor"], RULES["registry-admin"])


@pytest.mark.parametrize("role", ["registry-editor", "registry-viewer", "edit", "view"])
def test_only_administrators_of_a_project_reach_its_secrets_and_robots(role: str) -> None:
    for resource in ("secrets", "serviceaccounts", "serviceaccounts/token", "rolebindings"):
        for verb in ("get", "create", "update"):
            for group in ("", "rbac.authorization.k8s.io"):
                asked = right(verb, resource, group=group)
                assert not any(covers(rule, asked) for rule in RULES[role])


def test_whoever_views_a_project_can_pull_from_it() -> None:
    for role in ("view", "registry-viewer", "edit", "admin"):
        assert any(covers(rule, right("get", "imagestreams/layers")) for rule in RULES[role])


def test_a_registry_administrator_can_describe_its_project() -> None:
    asked = Right(
        verb="update", group="project.openshift.io", resource="projects", namespace="demo"
    )
    assert any(covers(rule, asked) for rule in RULES["registry-admin"])
