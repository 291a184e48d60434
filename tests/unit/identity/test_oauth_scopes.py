"""Scopes narrow, and never widen."""

from collections.abc import Sequence

import pytest

from atomic_registry.errors import GrantRefused
from atomic_registry.identity.oauth_scopes import (
    allows_scope,
    find_role_scope,
    is_within,
    parse_scopes,
)
from atomic_registry.identity.policy import Right
from atomic_registry.identity.records import PolicyRule

IMAGE = "image.openshift.io"
RULES = {
    "puller": [PolicyRule(verbs=("get",), api_groups=(IMAGE,), resources=("imagestreams/layers",))],
    "system:all": [PolicyRule(verbs=("*",), api_groups=("*",), resources=("*",))],
}


def rules_of(role: str) -> Sequence[PolicyRule]:
    return RULES.get(role, [])


def allows(scope: str, right: Right) -> bool:
    return allows_scope(scope.split(), right, rules_of, "mary")


def pull(namespace: str) -> Right:
    return Right(verb="get", group=IMAGE, resource="imagestreams/layers", namespace=namespace)


def test_scopes_are_read_once_each_in_order() -> None:
    assert parse_scopes(" user:info  role:a:b user:info") == ("user:info", "role:a:b")
    assert parse_scopes("") == ()


@pytest.mark.parametrize(
    "text",
    [
        "USER:FULL",
        "user:",
        "user:full,user:info",
        "user:full\u00a0",
        "role:a",
        "role::ns",
        "role:a:",
        "role:a:NS",
        "role:a:..",
        "role:a:x/y",
        "role:a::!",
        "role:a:ns:!!",
        "role::a:ns",
        "role:a::b:ns",
        "role:*:ns",
        "role:a:ns\n",
        "repository:a/b:pull",
        "role:a:" + "n" * 64,
        "role:" + "a" * 300 + ":ns",
        " ".join(f"role:a:n{number}" for number in range(51)),
    ],
)
def test_what_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(GrantRefused):
        parse_scopes(text)


def test_a_role_scope_has_colons_in_its_role() -> None:
    scope = find_role_scope("role:system:image-puller:*:!")
    assert scope is not None
    assert (scope.role, scope.namespace, scope.is_escalating) == ("system:image-puller", "*", True)


def test_full_lets_everything_through_and_no_scope_nothing() -> None:
    assert allows("user:full", pull("demo"))
    assert not allows_scope((), pull("demo"), rules_of, "mary")
    assert not allows_scope((), Right(verb="get", path="/version"), rules_of, "mary")


def test_info_is_ones_own_account_only() -> None:
    assert allows("user:info", Right(verb="get", resource="users", name="~"))
    assert allows("user:info", Right(verb="get", resource="users", name="mary"))
    assert not allows("user:info", Right(verb="get", resource="users", name="bob"))
    assert not allows("user:info", Right(verb="get", resource="users"))
    assert not allows("user:info", Right(verb="update", resource="users", name="~"))
    assert not allows("user:info", pull("demo"))


def test_check_access_asks_about_oneself() -> None:
    right = Right(verb="create", group="authorization.k8s.io", resource="selfsubjectaccessreviews")
    assert allows("user:check-access", right)
    assert not allows("user:info", right)
    assert not allows("user:check-access", Right(verb="create", resource="subjectaccessreviews"))


def test_listing_projects_is_no_more() -> None:
    for scope in ("user:list-projects", "user:list-scoped-projects"):
        assert allows(scope, Right(verb="list", resource="projects"))
        assert allows(scope, Right(verb="watch", resource="projects"))
        assert not allows(scope, Right(verb="delete", resource="projects"))
        assert not allows(scope, Right(verb="list", resource="users"))


def test_a_role_scope_is_the_role_in_its_namespace() -> None:
    assert allows("role:puller:demo", pull("demo"))
    assert allows("role:puller:*", pull("demo"))
    assert not allows("role:puller:demo", pull("other"))
    assert not allows("role:puller:demo", pull(""))
    assert not allows("role:nothing:demo", pull("demo"))


@pytest.mark.parametrize(
    "right",
    [
        Right(verb="get", resource="secrets", namespace="demo"),
        Right(verb="create", resource="rolebindings", namespace="demo"),
        Right(verb="get", resource="oauthaccesstokens", namespace="demo"),
        Right(verb="create", resource="serviceaccounts/token", namespace="demo"),
        Right(verb="impersonate", resource="users", namespace="demo"),
        Right(verb="*", resource="imagestreams", namespace="demo"),
        Right(verb="get", resource="*", namespace="demo"),
    ],
)
def test_what_could_widen_a_token_needs_the_mark(right: Right) -> None:
    assert not allows("role:system:all:demo", right)
    assert allows("role:system:all:demo:!", right)


def test_discovery_is_open_to_every_token() -> None:
    assert allows("user:info", Right(verb="get", path="/apis/image.openshift.io/v1"))
    assert not allows("user:info", Right(verb="get", path="/metrics"))
    assert not allows("user:info", Right(verb="get", path="/apisx"))


def test_held_scopes_cover_narrower_ones() -> None:
    assert is_within(("user:full",), None)
    assert is_within(("role:a:b:!",), ("user:full",))
    assert is_within(("role:a:b",), ("role:a:*",))
    assert is_within(("role:a:b",), ("role:a:b:!",))
    assert is_within(("user:list-scoped-projects",), ("user:list-projects",))
    assert not is_within(("user:list-projects",), ("user:list-scoped-projects",))
    assert not is_within(("role:a:*",), ("role:a:b",))
    assert not is_within(("role:a:b:!",), ("role:a:b",))
    assert not is_within(("role:b:b",), ("role:a:*",))
    assert not is_within(("user:full",), ("user:info",))
