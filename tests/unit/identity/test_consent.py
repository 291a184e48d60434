"""Standing consent: to whom, for what, and when it ends."""

from datetime import timedelta

import pytest
from tests.kit.clock import ManualClock
from tests.kit.identity_store import MemoryIdentityStore

from atomic_registry.identity.actors import Actor
from atomic_registry.identity.consent import ConsentService, GrantMethod
from atomic_registry.identity.records import OAuthClient, OAuthClientAuthorization
from atomic_registry.kube.objects import ObjectMeta, timestamp

START = ManualClock().now()
MARY = Actor(name="mary", uid="u1")


def client(*, made: timedelta = timedelta(0), method: str = "") -> OAuthClient:
    meta = ObjectMeta(name="cli", creation_timestamp=timestamp(START + made))
    return OAuthClient(metadata=meta, grant_method=method)


@pytest.fixture
def store() -> MemoryIdentityStore:
    return MemoryIdentityStore()


@pytest.fixture
def consent(store: MemoryIdentityStore) -> ConsentService:
    return ConsentService(store, ManualClock(), default=GrantMethod.PROMPT)


@pytest.mark.parametrize(
    ("said", "method"), [("", "prompt"), ("auto", "auto"), ("deny", "deny"), ("always", "deny")]
)
def test_a_client_says_how_it_is_granted_and_nonsense_denies(
    consent: ConsentService, said: str, method: str
) -> None:
    assert GrantMethod(method) is consent.method_of(client(method=said))


async def test_consent_adds_up_and_covers_no_more(
    consent: ConsentService, store: MemoryIdentityStore
) -> None:
    for scope in ("user:info", "user:check-access", "user:info"):
        await consent.record(MARY, client(), [scope])

    assert await consent.covers(MARY, client(), ["user:info", "user:check-access"])
    assert not await consent.covers(MARY, client(), ["user:full"])
    stored = await store.read(lambda tx: tx.objects.find(OAuthClientAuthorization, "mary:cli"))
    assert stored is not None
    assert ["user:info", "user:check-access"] == stored.scopes


async def test_consent_ends_with_the_account_and_with_the_client_that_it_was_given_to(
    consent: ConsentService,
) -> None:
    await consent.record(MARY, client(), ["user:full"])
    again = Actor(name="mary", uid="u2")
    successor = client(made=timedelta(days=1))

    assert not await consent.covers(again, client(), ["user:full"])
    assert not await consent.covers(MARY, successor, ["user:full"])
    await consent.record(again, client(), ["user:info"])
    assert not await consent.covers(again, client(), ["user:full"])
    assert await consent.covers(again, client(), ["user:info"])
