"""Pairing a program with a user: pace, answers, ends."""

from datetime import timedelta

import pytest
from tests.kit.clock import ManualClock
from tests.kit.identity_store import MemoryIdentityStore

from atomic_registry.errors import GrantRefused, TooMany
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.device_grants import (
    DeviceGrantService,
    StartedDevice,
    clean_user_code,
)
from atomic_registry.identity.grants import GrantService
from atomic_registry.identity.records import OAuthClient, User
from atomic_registry.identity.tokens import TokenService, hash_secret
from atomic_registry.kube.objects import ObjectMeta

CLIENT = OAuthClient(metadata=ObjectMeta(name="cli"))
OTHER = OAuthClient(metadata=ObjectMeta(name="other"))
HERE = "192.0.2.7"
MARY = Actor(name="mary")


class Kit:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryIdentityStore()
        self.tokens = TokenService(self.store, self.clock)
        grants = GrantService(self.store, self.tokens, self.clock)
        self.devices = DeviceGrantService(self.store, self.tokens, grants, self.clock)

    async def start(self) -> StartedDevice:
        return await self.devices.start(CLIENT, ("user:info",), address=HERE)

    async def answer(
        self, started: StartedDevice, actor: Actor = MARY, *, yes: bool = True
    ) -> None:
        await self.devices.answer(actor, started.user_code, approves=yes, address=HERE)

    async def refusal(self, started: StartedDevice, client: OAuthClient = CLIENT) -> str:
        with pytest.raises(GrantRefused) as caught:
            await self.devices.poll(client, started.device_code)
        return caught.value.code


@pytest.fixture
def kit() -> Kit:
    return Kit()


async def test_who_polls_too_fast_is_slowed_down(kit: Kit) -> None:
    started = await kit.start()
    assert await kit.refusal(started) == "authorization_pending"
    assert await kit.refusal(started) == "slow_down"
    kit.clock.advance(timedelta(seconds=6))
    assert await kit.refusal(started) == "slow_down"
    kit.clock.advance(timedelta(seconds=16))
    assert await kit.refusal(started) == "authorization_pending"


async def test_an_answer_is_given_once_and_found_while_the_program_polls(kit: Kit) -> None:
    started = await kit.start()
    await kit.refusal(started)
    await kit.answer(started)
    for again in (True, False):
        with pytest.raises(GrantRefused):
            await kit.answer(started, Actor(name="bob"), yes=again)
    issued = await kit.devices.poll(CLIENT, started.device_code)
    assert (issued.user, issued.scopes) == ("mary", ("user:info",))
    assert await kit.refusal(started) == "invalid_grant"


async def test_a_refusal_reaches_the_program(kit: Kit) -> None:
    started = await kit.start()
    await kit.answer(started, yes=False)
    assert await kit.refusal(started) == "access_denied"


async def test_another_client_cannot_take_the_tokens(kit: Kit) -> None:
    started = await kit.start()
    await kit.answer(started)
    assert await kit.refusal(started, OTHER) == "invalid_grant"
    assert (await kit.devices.poll(CLIENT, started.device_code)).user == "mary"


async def test_the_row_of_an_answer_is_no_device_code(kit: Kit) -> None:
    started = await kit.start()
    await kit.answer(started)
    for code in (hash_secret(started.device_code), f"{hash_secret(started.device_code)}.answer"):
        with pytest.raises(GrantRefused, match="not valid"):
            await kit.devices.poll(CLIENT, code)


async def test_a_pairing_ends_after_ten_minutes(kit: Kit) -> None:
    started = await kit.start()
    kit.clock.advance(timedelta(minutes=10))
    assert await kit.refusal(started) == "expired_token"
    with pytest.raises(GrantRefused):
        await kit.answer(started)


async def test_a_user_disabled_or_made_anew_since_gets_nothing(kit: Kit) -> None:
    user = User(metadata=ObjectMeta(name="mary", uid="u-1"))
    now = kit.clock.now()
    await kit.store.write(lambda tx: tx.objects.add(user, actor="root", now=now))
    for uid, disabled in (("u-0", False), ("u-1", True)):
        started = await kit.start()
        await kit.answer(started, Actor(name="mary", uid=uid))
        user.disabled = disabled
        user.metadata.resource_version = ""
        await kit.store.write(lambda tx: tx.objects.update(user, actor="root", now=now))
        assert await kit.refusal(started) == "access_denied"


async def test_guesses_are_counted_per_user_and_per_address(kit: Kit) -> None:
    started = await kit.start()
    for number in range(10):
        with pytest.raises(GrantRefused):
            await kit.devices.get_pending(MARY, "BBBBBBBB", address=f"192.0.2.{number}")
    with pytest.raises(TooMany):
        await kit.answer(started)
    found = await kit.devices.get_pending(Actor(name="bob"), started.user_code, address=HERE)
    assert found.client == "cli"
    kit.clock.advance(timedelta(minutes=11))
    await kit.answer(await kit.start())


async def test_one_address_cannot_fill_the_store(kit: Kit) -> None:
    for _ in range(60):
        await kit.start()
    with pytest.raises(TooMany):
        await kit.start()


def test_a_typed_code_is_read_kindly() -> None:
    assert clean_user_code(" bcdf-ghjk ") == "BCDFGHJK"
    assert clean_user_code("a1!é") == ""
