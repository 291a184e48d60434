"""Stored secrets: made, checked, used, rotated, revoked."""

from datetime import timedelta

import pytest
from tests.kit.clock import ManualClock
from tests.kit.identity_store import MemoryIdentityStore

from atomic_registry.errors import (
    CredentialsRejected,
    Denied,
    GrantRefused,
    ObjectUnknown,
    ParameterInvalid,
)
from atomic_registry.identity.actors import ANONYMOUS, Actor
from atomic_registry.identity.ports import TokenKind
from atomic_registry.identity.tokens import TokenService, hash_secret, held_scopes, new_secret

DAY = timedelta(days=1)
MARY = Actor(name="mary", uid="u-1")


class Kit:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryIdentityStore()
        self.tokens = TokenService(self.store, self.clock)

    async def mint(self, kind: TokenKind = TokenKind.PERSONAL, **more: object) -> tuple[str, str]:
        values = {"user": "mary", "user_uid": "u-1", "lifetime": DAY, **more}
        secret, token = await self.tokens.mint(kind, **values)  # type: ignore[arg-type]
        return secret, token.id


@pytest.fixture
def kit() -> Kit:
    return Kit()


async def test_a_secret_is_verified_and_stored_as_a_hash_only(kit: Kit) -> None:
    secret, token_id = await kit.mint()
    token = await kit.tokens.verify(secret)
    assert (token.id, token.user) == (token_id, "mary")
    assert token_id == hash_secret(secret)
    assert secret not in repr(kit.store.__dict__)
    assert held_scopes(token) is None


async def test_kinds_are_recognisable_and_secrets_have_256_bits(kit: Kit) -> None:
    beginnings = {
        TokenKind.ACCESS: "atr_a_",
        TokenKind.PERSONAL: "atr_p_",
        TokenKind.ROBOT: "atr_r_",
    }
    for kind, beginning in beginnings.items():
        secret, _ = await kit.mint(kind)
        assert secret.startswith(beginning)
        assert len(secret) == len(beginning) + 43
    assert len(new_secret(kit.clock)) == 43


@pytest.mark.parametrize("secret", ["", "x", "atr_p_" + "x" * 43, "y" * 10_000, "\ud800"])
async def test_an_unknown_secret_is_rejected(kit: Kit, secret: str) -> None:
    with pytest.raises(CredentialsRejected):
        await kit.tokens.verify(secret)


async def test_a_token_dies_at_its_end_and_without_one_lives_on(kit: Kit) -> None:
    secret, _ = await kit.mint()
    robot, _ = await kit.mint(TokenKind.ROBOT, lifetime=None)
    kit.clock.advance(DAY - timedelta(seconds=1))
    await kit.tokens.verify(secret)
    kit.clock.advance(timedelta(seconds=1))
    with pytest.raises(CredentialsRejected):
        await kit.tokens.verify(secret)
    kit.clock.advance(DAY * 1000)
    await kit.tokens.verify(robot)


async def test_refresh_tokens_and_codes_are_no_bearers(kit: Kit) -> None:
    for kind in (TokenKind.REFRESH, TokenKind.CODE, TokenKind.DEVICE):
        secret, _ = await kit.mint(kind)
        with pytest.raises(CredentialsRejected):
            await kit.tokens.verify(secret)


async def test_an_idle_token_dies_and_a_used_one_lives(kit: Kit) -> None:
    secret, _ = await kit.mint(TokenKind.ACCESS, inactivity_seconds=300)
    for _ in range(5):
        kit.clock.advance(timedelta(seconds=299))
        await kit.tokens.verify(secret)
    kit.clock.advance(timedelta(seconds=301))
    with pytest.raises(CredentialsRejected):
        await kit.tokens.verify(secret)


async def test_use_is_written_when_flushed_and_then_seen_by_other_processes(kit: Kit) -> None:
    secret, token_id = await kit.mint(TokenKind.ACCESS, inactivity_seconds=300)
    kit.clock.advance(timedelta(seconds=200))
    await kit.tokens.verify(secret)
    stored = await kit.store.find_token(token_id)
    assert stored is not None
    assert stored.last_used_at is None
    await kit.tokens.flush_used()
    await kit.tokens.flush_used()
    stored = await kit.store.find_token(token_id)
    assert stored is not None
    assert stored.last_used_at == kit.clock.now()
    kit.clock.advance(timedelta(seconds=200))
    await TokenService(kit.store, kit.clock).verify(secret)


async def test_revoking_takes_the_family_and_only_ones_own(kit: Kit) -> None:
    secret, token_id = await kit.mint(TokenKind.ACCESS, family="f")
    other, _ = await kit.mint(TokenKind.ACCESS, family="f")
    apart, _ = await kit.mint(TokenKind.ACCESS, family="g")
    with pytest.raises(ObjectUnknown):
        await kit.tokens.revoke(token_id, user="bob")
    await kit.tokens.revoke(token_id, user="mary")
    for gone in (secret, other):
        with pytest.raises(CredentialsRejected):
            await kit.tokens.verify(gone)
    await kit.tokens.verify(apart)
    with pytest.raises(ObjectUnknown):
        await kit.tokens.revoke(token_id)


async def test_lists_show_what_can_log_in_page_by_page(kit: Kit) -> None:
    ids = sorted([(await kit.mint())[1] for _ in range(3)])
    await kit.mint(TokenKind.REFRESH)
    await kit.mint(user="bob")
    first = await kit.tokens.list("mary", limit=2)
    rest = await kit.tokens.list("mary", after=first[-1].id, limit=2)
    assert [it.id for it in [*first, *rest]] == ids


async def test_a_personal_token_is_no_wider_than_what_makes_it(kit: Kit) -> None:
    narrow = Actor(name="mary", uid="u-1", scopes=("role:view:*", "user:info"))
    secret, token = await kit.tokens.create_personal(
        narrow, description="ci", scopes=["role:view:demo"], lifetime=DAY
    )
    assert (await kit.tokens.verify(secret)).scopes == ("role:view:demo",)
    assert token.description == "ci"
    for scopes in ([], ["user:full"], ["role:admin:demo"], ["role:view:demo:!"]):
        with pytest.raises(Denied):
            await kit.tokens.create_personal(narrow, description="x", scopes=scopes, lifetime=DAY)
    full = Actor(name="mary", uid="u-1", scopes=("user:full",))
    for actor in (MARY, full):
        await kit.tokens.create_personal(actor, description="x", scopes=[], lifetime=DAY)
    pulling = Actor(name="mary", uid="u-1", repositories={"a/b": frozenset({"pull"})})
    for actor in (pulling, ANONYMOUS):
        with pytest.raises(Denied):
            await kit.tokens.create_personal(actor, description="x", scopes=[], lifetime=DAY)


@pytest.mark.parametrize("lifetime", [timedelta(0), -DAY, timedelta(days=367)])
async def test_a_personal_token_ends_within_a_year(kit: Kit, lifetime: timedelta) -> None:
    with pytest.raises(ParameterInvalid):
        await kit.tokens.create_personal(MARY, description="x", scopes=[], lifetime=lifetime)


@pytest.mark.parametrize("description", ["", "x" * 201, "a\nb"])
async def test_a_personal_token_says_what_it_is_for(kit: Kit, description: str) -> None:
    with pytest.raises(ParameterInvalid):
        await kit.tokens.create_personal(MARY, description=description, scopes=[], lifetime=DAY)


async def test_an_unknown_scope_makes_no_token(kit: Kit) -> None:
    with pytest.raises(GrantRefused):
        await kit.tokens.create_personal(MARY, description="x", scopes=["root"], lifetime=DAY)


async def test_rotating_replaces_the_secret_and_keeps_the_rest(kit: Kit) -> None:
    old, token = await kit.tokens.create_personal(
        MARY, description="ci", scopes=["user:info"], lifetime=DAY
    )
    kit.clock.advance(DAY / 2)
    new, fresh = await kit.tokens.rotate(MARY, token.id)
    with pytest.raises(CredentialsRejected):
        await kit.tokens.verify(old)
    assert (fresh.description, fresh.scopes) == ("ci", ("user:info",))
    kit.clock.advance(DAY * 0.9)
    await kit.tokens.verify(new)


async def test_rotating_is_for_the_owner_with_enough_scopes(kit: Kit) -> None:
    _, token = await kit.tokens.create_personal(MARY, description="x", scopes=[], lifetime=DAY)
    namesake = Actor(name="mary", uid="u-2")
    for actor in (Actor(name="bob", uid="u-9"), namesake):
        with pytest.raises(ObjectUnknown):
            await kit.tokens.rotate(actor, token.id)
    with pytest.raises(Denied):
        await kit.tokens.rotate(Actor(name="mary", uid="u-1", scopes=("user:info",)), token.id)
    assert await kit.store.find_token(token.id) is not None
    _, access = await kit.mint(TokenKind.ACCESS)
    with pytest.raises(ObjectUnknown):
        await kit.tokens.rotate(MARY, access)
