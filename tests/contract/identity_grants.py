"""What holds of grants on every database: what is used once is used once, also at the same time."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.contract.metadata_store import OpenAnother

from atomic_registry.clock import SystemClock
from atomic_registry.errors import GrantRefused
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.grants import CodeRequest, GrantService, IssuedTokens
from atomic_registry.identity.pkce import challenge_of
from atomic_registry.identity.records import OAuthClient
from atomic_registry.identity.tokens import TokenService
from atomic_registry.kube.objects import ObjectMeta
from atomic_registry.store.metadata import MetadataDatabase

_AT_ONCE = 12
_VERIFIER = "v" * 43
_URI = "https://app.test/cb"
_CLIENT = OAuthClient(metadata=ObjectMeta(name="app"), redirect_uris=[_URI])


def service(store: MetadataDatabase) -> GrantService:
    clock = SystemClock()
    return GrantService(store, TokenService(store, clock), clock)


async def new_code(grants: GrantService) -> str:
    request = CodeRequest(
        client=_CLIENT,
        redirect_uri=_URI,
        scopes=("user:info",),
        challenge=challenge_of(_VERIFIER),
    )
    return await grants.issue_code(Actor(name="mary"), request)


async def redeem(grants: GrantService, code: str) -> IssuedTokens:
    return await grants.redeem_code(_CLIENT, code=code, redirect_uri=_URI, verifier=_VERIFIER)


async def race(
    store: MetadataDatabase,
    open_another: OpenAnother,
    attempt: Callable[[GrantService], Awaitable[IssuedTokens]],
) -> list[IssuedTokens]:
    """What those get who come at once, to two processes."""
    another = open_another()
    try:
        services = [service(of) for of in (store, another)]
        answers = await asyncio.gather(
            *(attempt(services[n % 2]) for n in range(_AT_ONCE)), return_exceptions=True
        )
    finally:
        await another.close()
    won = [it for it in answers if isinstance(it, IssuedTokens)]
    refused = [it for it in answers if isinstance(it, GrantRefused)]
    assert [it for it in answers if it not in won and it not in refused] == []
    assert {it.code for it in refused} == {"invalid_grant"}
    return won


class GrantsContract:
    async def test_of_many_that_redeem_a_code_at_once_one_gets_tokens(
        self, store: MetadataDatabase, open_another: OpenAnother
    ) -> None:
        for _ in range(3):
            code = await new_code(service(store))
            won = await race(store, open_another, lambda to, code=code: redeem(to, code))  # type: ignore[misc]
            assert len(won) == 1
            assert await is_dead(store, won[0])

    async def test_of_many_that_use_a_refresh_token_at_once_one_gets_tokens(
        self, store: MetadataDatabase, open_another: OpenAnother
    ) -> None:
        for _ in range(3):
            grants = service(store)
            secret = (await redeem(grants, await new_code(grants))).refresh_token
            won = await race(
                store,
                open_another,
                lambda to, secret=secret: to.refresh(_CLIENT, refresh_token=secret),  # type: ignore[misc]
            )
            assert len(won) == 1
            assert await is_dead(store, won[0])


async def is_dead(store: MetadataDatabase, issued: IssuedTokens) -> bool:
    """Whether the whole login is revoked: one of those who came was a thief."""
    try:
        await service(store).refresh(_CLIENT, refresh_token=issued.refresh_token)
    except GrantRefused:
        return True
    return False
