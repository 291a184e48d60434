"""What clients may ask for."""

from datetime import timedelta

import msgspec
import pytest
from tests.kit.clock import ManualClock
from tests.kit.identity_store import MemoryIdentityStore

from atomic_registry.errors import GrantRefused
from atomic_registry.identity.oauth_clients import (
    access_lifetime,
    check_client_scopes,
    check_secret,
    ensure_default_clients,
    get_redirect,
    inactivity_limit,
    matches_redirect,
    redirect_source,
)
from atomic_registry.identity.records import (
    ClusterRoleRestriction,
    OAuthClient,
    ScopeRestriction,
)
from atomic_registry.identity.tokens import hash_secret
from atomic_registry.kube.objects import ObjectMeta


def client(**fields: object) -> OAuthClient:
    return OAuthClient(metadata=ObjectMeta(name="it"), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("registered", "wanted"),
    [
        ("https://a.test/cb", "https://a.test/cb"),
        ("https://a.test/cb", "https://a.test/cb/x"),
        ("https://a.test", "https://a.test/"),
        ("https://a.test/", "https://a.test/x"),
        ("https://a.test:443/cb", "https://a.test/cb"),
        ("https://A.test/cb", "https://a.test/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:4711/cb"),
        ("http://[::1]/cb", "http://[::1]:4711/cb"),
        ("com.example.app:/cb", "com.example.app:/cb"),
        ("https://a.test/cb?x=1", "https://a.test/cb?x=1"),
    ],
)
def test_a_redirect_equal_to_or_below_a_registered_one_matches(
    registered: str, wanted: str
) -> None:
    assert matches_redirect([registered], wanted)


@pytest.mark.parametrize(
    ("registered", "wanted"),
    [
        ("https://a.test", "https://a.test.evil.example"),
        ("https://a.test", "https://a.test@evil.example"),
        ("https://a.test/cb", "https://a.test/CB"),
        ("https://a.test/cb", "https://a.test/cb%2f..%2fx"),
        ("https://127.0.0.1/cb", "https://127.0.0.1:4711/cb"),
        ("http://localhost/cb", "http://localhost:4711/cb"),
        ("http://127.0.0.1:80/cb", "http://127.0.0.1:4711/cb"),
        ("https://a.test/cb?x=1", "https://a.test/cb"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("https://a.test:99999/", "https://a.test:99999/"),
        ("https://[a/", "https://[a/"),
        ("https:///x", "https:///x"),
    ],
)
def test_every_other_redirect_is_refused(registered: str, wanted: str) -> None:
    assert not matches_redirect([registered], wanted)
    with pytest.raises(GrantRefused):
        get_redirect(client(redirect_uris=[registered]), wanted)


def test_a_single_redirect_need_not_be_named() -> None:
    assert get_redirect(client(redirect_uris=["https://a.test/"]), None) == "https://a.test/"
    for uris in ([], ["https://a.test/", "https://b.test/"], ["https://a.test/#x"]):
        with pytest.raises(GrantRefused):
            get_redirect(client(redirect_uris=uris), None)


def test_a_public_client_gives_no_secret_and_another_one_of_its_own() -> None:
    check_secret(client(), "")
    check_secret(client(secret_hashes=[hash_secret("a"), hash_secret("b")]), "a")
    for it, secret in ((client(), "x"), (client(secret_hashes=[hash_secret("a")]), "")):
        with pytest.raises(GrantRefused):
            check_secret(it, secret)


def test_restrictions_hold_for_named_and_unnamed_scopes() -> None:
    it = client(scope_restrictions=[ScopeRestriction(literals=["user:info", "role:view:*"])])
    assert check_client_scopes(it, ["role:view:demo"]) == ("role:view:demo",)
    for scopes in ([], ["user:full"], ["role:edit:demo"]):
        with pytest.raises(GrantRefused):
            check_client_scopes(it, scopes)
    assert check_client_scopes(client(), []) == ("user:full",)


def test_life_times_of_the_client_win() -> None:
    day = timedelta(days=1)
    assert access_lifetime(client(), day) == day
    assert access_lifetime(client(access_token_max_age_seconds=60), day) == timedelta(minutes=1)
    assert access_lifetime(client(access_token_max_age_seconds=0), day) is None
    assert inactivity_limit(client(), None) is None
    assert inactivity_limit(client(), 600) == 600
    assert inactivity_limit(client(access_token_inactivity_timeout_seconds=0), 600) is None
    assert inactivity_limit(client(access_token_inactivity_timeout_seconds=1), 600) == 300


def test_a_source_for_a_policy_is_an_origin() -> None:
    assert redirect_source("https://a.test:8/cb?x") == "https://a.test:8"
    assert redirect_source("com.example.app:/cb") == "com.example.app:"


async def test_default_clients_are_made_once_and_follow_the_address() -> None:
    store, now = MemoryIdentityStore(), ManualClock().now()
    for host in ("a", "a", "b"):
        await store.write(
            lambda tx, host=host: ensure_default_clients(  # type: ignore[misc]
                tx, [f"https://{host}.test:8443"], [f"https://{host}.test:9090"], now=now
            )
        )
    found = await store.read(lambda tx: tx.objects.list(OAuthClient, limit=10))
    assert {it.metadata.name: it.redirect_uris[0] for it in found} == {
        "cockpit-oauth-client": "https://b.test:9090",
        "openshift-browser-client": "https://b.test:8443/oauth/token/display",
        "openshift-challenging-client": "https://b.test:8443/oauth/token/implicit",
        "openshift-cli-client": "http://127.0.0.1/callback",
    }


@pytest.mark.parametrize(
    ("roles", "namespaces", "escalation", "scope", "may"),
    [
        (["view"], ["mary"], False, "role:view:mary", True),
        (["view"], ["mary"], False, "role:edit:mary", False),
        (["view"], ["mary"], False, "role:view:bob", False),
        (["view"], ["mary"], False, "role:view:*", False),
        (["view"], ["*"], False, "role:view:*", True),
        (["*"], ["mary"], False, "role:system:image-puller:mary", True),
        (["*"], ["*"], False, "role:view:mary:!", False),
        (["*"], ["*"], True, "role:view:mary:!", True),
        (["*"], ["*"], True, "user:full", False),
        (["*"], ["*"], True, "user:info", False),
        ([], ["*"], True, "role:view:mary", False),
        (["*"], [], True, "role:view:mary", False),
    ],
)
def test_a_client_may_be_held_to_role_scopes(
    roles: list[str], namespaces: list[str], escalation: bool, scope: str, may: bool
) -> None:
    role = ClusterRoleRestriction(
        role_names=roles, namespaces=namespaces, allow_escalation=escalation
    )
    it = client(scope_restrictions=[ScopeRestriction(cluster_role=role)])
    if may:
        assert check_client_scopes(it, [scope]) == (scope,)
    else:
        with pytest.raises(GrantRefused, match="may not ask"):
            check_client_scopes(it, [scope])
    with pytest.raises(GrantRefused, match="user:full"):
        check_client_scopes(it, [])


def test_one_of_several_restrictions_is_enough_for_each_scope() -> None:
    role = ClusterRoleRestriction(role_names=["view"], namespaces=["mary"])
    it = client(
        scope_restrictions=[
            ScopeRestriction(literals=["user:info"]),
            ScopeRestriction(cluster_role=role),
        ]
    )
    assert check_client_scopes(it, ["user:info", "role:view:mary"])
    assert is_wire_name_of_the_original(it)


def is_wire_name_of_the_original(it: OAuthClient) -> bool:
    return b'"clusterRole":{"roleNames":["view"],"namespaces":["mary"]}' in msgspec.json.encode(it)
