"""The providers that ask a server by HTTP, against small servers on loopback."""

from collections.abc import AsyncIterator

import pytest
from tests.contract.identity_provider import PasswordProviderContract
from tests.kit.identity_peers import Handler, answering, basic_auth, keystone, serving

from atomic_registry.errors import ProviderFailed
from atomic_registry.identity.ports import PasswordProvider, Person
from atomic_registry.identity.providers.basic_auth import BasicAuth
from atomic_registry.identity.providers.keystone import Keystone
from atomic_registry.remote.egress import EgressRules
from atomic_registry.remote.http import AiohttpClient

LOOPBACK = frozenset({"127.0.0.1"})
RULES = EgressRules(allowed_hosts=LOOPBACK, plain_hosts=LOOPBACK)


@pytest.fixture
async def http() -> AsyncIterator[AiohttpClient]:
    client = AiohttpClient(egress=RULES, timeout_seconds=5)
    yield client
    await client.close()


class TestBasicAuth(PasswordProviderContract):
    @pytest.fixture
    def known(self) -> tuple[str, str]:
        return "mary", "secret"

    @pytest.fixture
    async def provider(self, http: AiohttpClient) -> AsyncIterator[BasicAuth]:
        async with serving("GET", "/check", basic_auth) as url:
            yield BasicAuth(name="remote", url=str(url), http=http)

    async def test_the_answer_describes_the_person(self, provider: BasicAuth) -> None:
        expected = Person(
            id="4711",
            preferred_username="mary",
            full_name="Mary Poppins",
            email="mary@example.test",
        )
        assert expected == await provider.authenticate("mary", "secret")

    async def test_a_colon_in_the_name_cannot_move_into_the_password(
        self, http: AiohttpClient
    ) -> None:
        async with serving("GET", "/check", answering(200, {"sub": "1"})) as url:
            provider = BasicAuth(name="remote", url=str(url), http=http)
            assert await provider.authenticate("mary:se", "cret") is None


class TestKeystone(PasswordProviderContract):
    @pytest.fixture
    def known(self) -> tuple[str, str]:
        return "mary", "secret"

    @pytest.fixture
    async def provider(self, http: AiohttpClient) -> AsyncIterator[Keystone]:
        async with serving("POST", "/v3/auth/tokens", keystone) as url:
            yield Keystone(name="keystone", url=str(url.origin()), domain_name="people", http=http)

    async def test_the_id_is_that_of_the_user_and_not_the_name(self, provider: Keystone) -> None:
        expected = Person(id="ee4dfb6e5540447cb3741905149d9b6e", preferred_username="mary")
        assert expected == await provider.authenticate("mary", "secret")

    async def test_a_url_may_name_the_version(self, http: AiohttpClient) -> None:
        async with serving("POST", "/identity/v3/auth/tokens", keystone) as url:
            provider = Keystone(
                name="k", url=f"{url.origin()}/identity/v3/", domain_name="people", http=http
            )
            assert await provider.authenticate("mary", "secret") is not None

    async def test_a_user_of_another_domain_is_nobody(self, http: AiohttpClient) -> None:
        async with serving("POST", "/v3/auth/tokens", keystone) as url:
            provider = Keystone(name="k", url=str(url.origin()), domain_name="other", http=http)
            assert await provider.authenticate("mary", "secret") is None


BASIC_FAILURES = {
    "a redirect": answering(302, "", {"Location": "http://127.0.0.1/elsewhere"}),
    "a server error": answering(500, "oops"),
    "forbidden": answering(403, {"sub": "1"}),
    "an error in the answer": answering(200, {"sub": "1", "error": "out of order"}),
    "no sub": answering(200, {"name": "Mary"}),
    "an empty sub": answering(200, {"sub": ""}),
    "a sub of another type": answering(200, {"sub": 17}),
    "no JSON": answering(200, "<html>"),
    "a list": answering(200, [1]),
    "deep JSON": answering(200, '{"x":' + "[" * 100_000),
}
KEYSTONE_FAILURES = {
    "a redirect": answering(300, "", {"Location": "http://127.0.0.1/elsewhere"}),
    "a server error": answering(503, "oops"),
    "not found": answering(404, {}),
    "200 instead of 201": answering(200, {"token": {"user": {"id": "1", "name": "mary"}}}),
    "no user": answering(201, {"token": {}}),
    "an empty id": answering(201, {"token": {"user": {"id": "", "name": "mary"}}}),
    "no JSON": answering(201, "<html>"),
}


@pytest.mark.parametrize("handler", BASIC_FAILURES.values(), ids=BASIC_FAILURES)
async def test_any_other_answer_of_a_basic_auth_server_is_a_failure(
    http: AiohttpClient, handler: Handler
) -> None:
    async with serving("GET", "/check", handler) as url:
        provider: PasswordProvider = BasicAuth(name="remote", url=str(url), http=http)
        with pytest.raises(ProviderFailed, match="remote"):
            await provider.authenticate("mary", "secret")


@pytest.mark.parametrize("handler", KEYSTONE_FAILURES.values(), ids=KEYSTONE_FAILURES)
async def test_any_other_answer_of_keystone_is_a_failure(
    http: AiohttpClient, handler: Handler
) -> None:
    async with serving("POST", "/v3/auth/tokens", handler) as url:
        provider = Keystone(name="ks", url=str(url.origin()), domain_name="people", http=http)
        with pytest.raises(ProviderFailed, match="ks"):
            await provider.authenticate("mary", "secret")


async def test_a_server_that_is_down_is_a_failure(http: AiohttpClient) -> None:
    providers: list[PasswordProvider] = [
        BasicAuth(name="remote", url="http://127.0.0.1:1/", http=http),
        Keystone(name="ks", url="http://127.0.0.1:1", domain_name="d", http=http),
    ]
    for provider in providers:
        with pytest.raises(ProviderFailed):
            await provider.authenticate("mary", "secret")
