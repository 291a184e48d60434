"""Registry tokens: what was minted is read back, everything else is refused."""

import asyncio
import base64
import hmac
import json
from datetime import timedelta

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from tests.kit.clock import ManualClock
from tests.kit.identity_store import MemoryIdentityStore

from atomic_registry.errors import CredentialsRejected
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.policy import Verb
from atomic_registry.identity.registry_tokens import AUDIENCE, LIFETIME, Claims, RegistryTokens
from atomic_registry.identity.scopes import RepositoryScope
from atomic_registry.oci.reference import RepositoryName

APP = RepositoryName.parse("demo/app")
MARY = Actor(name="mary", uid="u1", groups=frozenset({"g"}), scopes=("user:full",), token_id="t1")
GRANTED = [RepositoryScope(repository=APP, actions=frozenset({Verb.PULL}))]


class Bench:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryIdentityStore()
        self.tokens = RegistryTokens(self.store, self.clock)

    async def mint(self) -> str:
        return await self.tokens.mint(MARY, GRANTED, project_uid=lambda name: f"uid-of-{name}")


@pytest.fixture
def bench() -> Bench:
    return Bench()


def parts(token: str) -> tuple[dict[str, object], dict[str, object]]:
    head, payload, _ = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")
    )
    return json.loads(head), json.loads(payload)


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


async def refused(bench: Bench, token: str) -> bool:
    try:
        await bench.tokens.verify(token)
    except CredentialsRejected:
        return True
    return False


async def test_a_token_says_who_asked_and_what_was_granted(bench: Bench) -> None:
    claims = await bench.tokens.verify(await bench.mint())

    assert isinstance(claims, Claims)
    assert (claims.user, claims.user_uid, claims.token_id) == ("mary", "u1", "t1")
    assert (claims.groups, claims.scopes) == (("g",), ("user:full",))
    assert claims.repositories == {"demo/app": (frozenset({"pull"}), "uid-of-demo")}


async def test_another_process_verifies_with_the_keys_of_the_database(bench: Bench) -> None:
    token = await bench.mint()
    other = RegistryTokens(bench.store, bench.clock)
    assert (await other.verify(token)).user == "mary"


async def test_many_minters_at_once_make_one_key(bench: Bench) -> None:
    await asyncio.gather(*(bench.mint() for _ in range(10)))
    assert len(bench.store.state.keys) == 1


async def test_a_token_ends_with_its_time_and_counts_later_only_where_that_is_said(
    bench: Bench,
) -> None:
    token = await bench.mint()
    bench.clock.advance(LIFETIME + timedelta(seconds=1))
    assert await refused(bench, token)
    assert (await bench.tokens.verify(token, late=timedelta(hours=1))).user == "mary"
    bench.clock.advance(timedelta(hours=1))
    with pytest.raises(CredentialsRejected):
        await bench.tokens.verify(token, late=timedelta(hours=1))


async def test_a_token_from_the_future_is_refused(bench: Bench) -> None:
    token = await bench.mint()
    bench.clock.advance(timedelta(minutes=-10))
    assert await refused(bench, token)


async def test_a_new_key_takes_over_in_time_and_old_tokens_still_count(bench: Bench) -> None:
    first = await bench.mint()
    bench.clock.advance(timedelta(days=30, seconds=-10))
    last_of_old = await bench.mint()
    bench.clock.advance(timedelta(seconds=20))
    first_of_new = await bench.mint()
    assert parts(first)[0]["kid"] != parts(first_of_new)[0]["kid"]
    assert (await bench.tokens.verify(last_of_old)).user == "mary"
    assert (await bench.tokens.verify(first_of_new)).user == "mary"


async def test_alg_none_is_refused(bench: Bench) -> None:
    head, payload, signature = (await bench.mint()).split(".")
    none = base64.urlsafe_b64encode(
        json.dumps({"alg": "none", "kid": parts(f"{head}.{payload}.")[0]["kid"]}).encode()
    )
    text = none.decode().rstrip("=")
    assert await refused(bench, f"{text}.{payload}.")
    assert await refused(bench, f"{text}.{payload}.{signature}")


async def test_hmac_with_the_public_key_is_refused(bench: Bench) -> None:
    token = await bench.mint()
    head, payload = parts(token)
    key = ECKey.import_key(bench.store.state.keys[str(head["kid"])].private_pem)
    header = {"alg": "HS256", "kid": head["kid"]}
    text = f"{encoded(header)}.{encoded(payload)}"
    mac = hmac.digest(key.as_pem(private=False), text.encode(), "sha256")
    forged = f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    assert await refused(bench, forged)


@pytest.mark.parametrize("field", ["jwk", "jku", "x5u", "x5c"])
async def test_key_material_in_the_header_means_nothing(bench: Bench, field: str) -> None:
    head, payload = parts(await bench.mint())
    mine = ECKey.generate_key("P-256")
    value: object = {
        "jwk": mine.as_dict(private=False),
        "jku": "https://evil.example/keys",
        "x5u": "https://evil.example/cert",
        "x5c": ["MIIB"],
    }[field]
    forged = jws.serialize_compact(
        {"alg": "ES256", "kid": head["kid"], field: value}, json.dumps(payload), mine, ["ES256"]
    )
    assert await refused(bench, forged)


async def test_a_token_of_another_installation_is_refused(bench: Bench) -> None:
    other = Bench()
    assert await refused(bench, await other.mint())


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("aud", "console"),
        ("aud", [AUDIENCE]),
        ("iss", "kubernetes/serviceaccount"),
        ("exp", None),
        ("exp", 10**40),
        ("nbf", "now"),
        ("sub", 5),
        ("access", None),
        ("jti", None),
    ],
)
async def test_a_claim_that_is_missing_or_not_ours_is_refused(
    bench: Bench, claim: str, value: object
) -> None:
    head, payload = parts(await bench.mint())
    key = ECKey.import_key(bench.store.state.keys[str(head["kid"])].private_pem)
    payload[claim] = value
    if value is None:
        del payload[claim]
    signed = jws.serialize_compact(
        {"alg": "ES256", "kid": head["kid"]}, json.dumps(payload), key, ["ES256"]
    )
    assert await refused(bench, signed)


@pytest.mark.parametrize("token", ["", "a.b.c", "..", "é.é.é", "a" * 20_000, "a.b", "a.b.c.d"])
async def test_nonsense_is_refused(bench: Bench, token: str) -> None:
    await bench.mint()
    assert await refused(bench, token)


async def test_every_changed_byte_is_noticed(bench: Bench) -> None:
    token = await bench.mint()
    for position in range(0, len(token), 7):
        other = "A" if token[position] != "A" else "B"
        changed = token[:position] + other + token[position + 1 :]
        if changed != token and token[position] != ".":
            assert await refused(bench, changed), position


async def test_made_up_key_ids_do_not_become_reads(bench: Bench) -> None:
    _, payload = parts(await bench.mint())
    mine = RSAKey.generate_key(2048)
    reads = 0
    original = bench.store.read

    async def counting(query: object) -> object:
        nonlocal reads
        reads += 1
        return await original(query)  # type: ignore[arg-type]  # passed through

    bench.store.read = counting  # type: ignore[assignment,method-assign]  # counts
    for number in range(50):
        forged = jws.serialize_compact(
            {"alg": "RS256", "kid": f"k{number}"}, json.dumps(payload), mine, ["RS256"]
        )
        assert await refused(bench, forged)
    assert reads <= 1
