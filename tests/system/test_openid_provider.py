"""Logins at a real OpenID provider over HTTP, from discovery to the person."""

import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from atomic_registry.clock import SystemClock
from atomic_registry.errors import ProviderFailed
from atomic_registry.identity.ports import Person
from atomic_registry.identity.providers.openid import OpenIdOptions, OpenIdProvider
from atomic_registry.identity.providers.openid_claims import OpenIdClaims
from atomic_registry.remote.egress import EgressRules
from atomic_registry.remote.http import AiohttpClient
from tests.kit.oidc_provider import click_through, run_oidc_provider

CALLBACK = "http://127.0.0.1:5751/oauth2callback/sso"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CLAIMS = OpenIdClaims(preferred_username=("preferred_username", "email"), groups=("groups",))


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with run_oidc_provider(port, CALLBACK) as issuer:
        yield issuer


@pytest.fixture
async def client() -> AsyncIterator[AiohttpClient]:
    hosts = frozenset({"127.0.0.1"})
    client = AiohttpClient(egress=EgressRules(allowed_hosts=hosts, plain_hosts=hosts))
    yield client
    await client.close()


def make(issuer: str, client: AiohttpClient, secret: str = "geheim") -> OpenIdProvider:
    options = OpenIdOptions(
        name="sso", issuer=issuer, client_id="registry", client_secret=secret,
        claims=CLAIMS, extra_scopes=("email", "profile", "groups"),
    )  # fmt: skip
    return OpenIdProvider(options, http=client, clock=SystemClock())


async def begin(provider: OpenIdProvider, nonce: str) -> str:
    return await provider.begin(
        redirect_uri=CALLBACK, state="a-state", nonce=nonce, verifier=VERIFIER
    )


async def complete(
    provider: OpenIdProvider, query: dict[str, str], *, nonce: str, verifier: str = VERIFIER
) -> Person | None:
    return await provider.complete(query, redirect_uri=CALLBACK, nonce=nonce, verifier=verifier)


async def test_a_person_logs_in_with_groups(issuer: str, client: AiohttpClient) -> None:
    provider = make(issuer, client)
    query = await click_through(await begin(provider, "n1"), login="alice", callback=CALLBACK)
    assert query["state"] == "a-state"
    assert query["iss"] == issuer
    expected = Person(
        id="alice",
        preferred_username="alice",
        full_name="Alice Archer",
        email="alice@example.test",
        groups=("developers",),
    )
    assert expected == await complete(provider, query, nonce="n1")
    assert await complete(provider, query, nonce="n1") is None, "a code works once"


async def test_an_unverified_address_of_another_is_not_taken_over(
    issuer: str, client: AiohttpClient
) -> None:
    provider = make(issuer, client)
    query = await click_through(await begin(provider, "n"), login="eve", callback=CALLBACK)
    person = await complete(provider, query, nonce="n")
    assert person == Person(id="eve", preferred_username="eve", groups=())


async def test_a_callback_of_another_login_is_refused(issuer: str, client: AiohttpClient) -> None:
    provider = make(issuer, client)
    query = await click_through(await begin(provider, "mine"), login="alice", callback=CALLBACK)
    with pytest.raises(ProviderFailed, match="nonce"):
        await complete(provider, query, nonce="yours")


async def test_a_stolen_code_is_worth_nothing_without_the_verifier(
    issuer: str, client: AiohttpClient
) -> None:
    provider = make(issuer, client)
    query = await click_through(await begin(provider, "n"), login="alice", callback=CALLBACK)
    assert await complete(provider, query, nonce="n", verifier="x" * 43) is None


async def test_a_callback_without_the_issuer_or_with_another_is_refused(
    issuer: str, client: AiohttpClient
) -> None:
    provider = make(issuer, client)
    query = await click_through(await begin(provider, "n"), login="alice", callback=CALLBACK)
    for wrong in ({"code": query["code"]}, {**query, "iss": "http://evil.example.test"}):
        with pytest.raises(ProviderFailed, match="another issuer"):
            await complete(provider, wrong, nonce="n")


async def test_a_person_who_breaks_the_login_off_is_nobody(
    issuer: str, client: AiohttpClient
) -> None:
    provider = make(issuer, client)
    url = await begin(provider, "n")
    query = await click_through(url, login="", callback=CALLBACK, refuse=True)
    assert query["error"] == "access_denied"
    assert await complete(provider, query, nonce="n") is None


async def test_a_wrong_client_secret_is_told(issuer: str, client: AiohttpClient) -> None:
    provider = make(issuer, client, secret="wrong")
    query = await click_through(await begin(provider, "n"), login="alice", callback=CALLBACK)
    with pytest.raises(ProviderFailed, match="invalid_client") as caught:
        await complete(provider, query, nonce="n")
    assert query["code"] not in caught.value.message
