"""The OpenID provider against a peer that lies."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import OctKey, RSAKey
from tests.kit.clock import ManualClock
from tests.kit.openid import CLIENT, ISSUER, NONCE, OpenIdPeer, answer, new_key

from atomic_registry.errors import ProviderFailed
from atomic_registry.identity.ports import HttpAnswer, Person
from atomic_registry.identity.providers.google import google_options
from atomic_registry.identity.providers.openid import OpenIdOptions, OpenIdProvider, OpenIdUrls
from atomic_registry.identity.providers.openid_claims import OpenIdClaims

CALLBACK = "https://registry.example.test/oauth2callback/sso"
MARY = Person(
    id="248289761001",
    preferred_username="mary",
    full_name="Mary Major",
    email="mary@example.test",
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def peer(clock: ManualClock) -> OpenIdPeer:
    return OpenIdPeer(clock)


Make = Callable[..., OpenIdProvider]


@pytest.fixture
def make(peer: OpenIdPeer, clock: ManualClock) -> Make:
    def make(**changes: object) -> OpenIdProvider:
        fields: dict[str, object] = {
            "name": "sso",
            "issuer": ISSUER,
            "client_id": CLIENT,
            "client_secret": "geheim",
        }
        options = OpenIdOptions(**{**fields, **changes})  # type: ignore[arg-type]
        return OpenIdProvider(options, http=peer, clock=clock)

    return make


async def log_in(provider: OpenIdProvider, **parameters: str) -> Person | None:
    return await provider.complete(
        {"code": "c", **parameters}, redirect_uri=CALLBACK, nonce=NONCE, verifier="v" * 43
    )


async def refused(provider: OpenIdProvider, why: str) -> None:
    with pytest.raises(ProviderFailed, match=why):
        await log_in(provider)


async def test_a_good_login_gives_the_person(make: Make) -> None:
    assert MARY == await log_in(make())


async def test_the_browser_is_sent_with_pkce_nonce_and_state(make: Make) -> None:
    provider = make(
        extra_scopes=("email", "openid"), extra_authorize_parameters={"prompt": "login"}
    )
    # The verifier and the challenge of RFC 7636, appendix B.
    url = await provider.begin(
        redirect_uri=CALLBACK,
        state="s&t",
        nonce=NONCE,
        verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    )
    assert url.startswith(f"{ISSUER}/authorize?")
    assert parse_qs(urlsplit(url).query) == {
        "response_type": ["code"],
        "client_id": [CLIENT],
        "scope": ["openid email"],
        "redirect_uri": [CALLBACK],
        "state": ["s&t"],
        "nonce": [NONCE],
        "prompt": ["login"],
        "code_challenge": ["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"],
        "code_challenge_method": ["S256"],
    }


async def test_the_secret_goes_into_the_header_form_encoded(make: Make, peer: OpenIdPeer) -> None:
    await log_in(make(client_secret="a:b c"))
    _, _, headers, form = next(one for one in peer.requests if one[1].endswith("/token"))
    assert base64.b64decode(headers["Authorization"].split()[1]) == b"registry:a%3Ab+c"
    assert form["code_verifier"] == ["v" * 43]
    assert "client_secret" not in form


async def test_the_secret_goes_into_the_body_where_only_that_is_supported(
    make: Make, peer: OpenIdPeer
) -> None:
    peer.discovery["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    await log_in(make())
    _, _, headers, form = next(one for one in peer.requests if one[1].endswith("/token"))
    assert "Authorization" not in headers
    assert form["client_secret"] == ["geheim"]


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_each_allowed_algorithm_is_understood(
    make: Make, peer: OpenIdPeer, algorithm: str
) -> None:
    peer.key = new_key(algorithm, "k")
    peer.published = [peer.key]
    peer.header = {"alg": algorithm, "kid": "k", "vendor": "private header"}
    assert MARY == await log_in(make())


async def test_an_id_token_with_alg_none_is_refused(make: Make, peer: OpenIdPeer) -> None:
    def part(document: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")

    for algorithm in ("none", "None", "NONE", ""):
        peer.id_token = f"{part({'alg': algorithm, 'kid': 'one'})}.{part(peer.claims)}."
        await refused(make(), "algorithm is not allowed")


async def test_an_id_token_with_hs256_and_the_public_key_as_secret_is_refused(
    make: Make, peer: OpenIdPeer
) -> None:
    public = OctKey.import_key(json.dumps(peer.key.as_dict(private=False)))
    peer.id_token = jwt.encode({"alg": "HS256", "kid": "one"}, peer.claims, public)
    await refused(make(), "algorithm is not allowed")


async def test_a_shared_secret_in_the_key_set_is_no_key(make: Make, peer: OpenIdPeer) -> None:
    secret = OctKey.generate_key(256, {"kid": "one"})
    peer.answers[f"{ISSUER}/keys"] = answer({"keys": [secret.as_dict(private=True)]})
    peer.id_token = jwt.encode({"alg": "HS256", "kid": "one"}, peer.claims, secret)
    await refused(make(), "algorithm is not allowed")


async def test_a_key_in_the_header_of_an_id_token_is_ignored(make: Make, peer: OpenIdPeer) -> None:
    forged = RSAKey.generate_key(2048, {"kid": "one"})
    for header in ({"kid": "one"}, {"kid": "other"}, {}):
        peer.id_token = jwt.encode(
            {"alg": "RS256", "jwk": forged.as_dict(private=False), **header}, peer.claims, forged
        )
        await refused(make(), "signature is wrong|not one of the provider's")


async def test_a_key_address_in_the_header_of_an_id_token_is_never_fetched(
    make: Make, peer: OpenIdPeer
) -> None:
    peer.header |= {"jku": "https://evil.example.test/keys", "x5u": "https://evil.example.test/c"}
    await log_in(make())
    assert not [url for _, url, _, _ in peer.requests if "evil" in url]


async def test_a_critical_header_that_is_not_understood_is_refused(
    make: Make, peer: OpenIdPeer
) -> None:
    peer.header |= {"crit": ["exp-policy"], "exp-policy": "x"}
    await refused(make(), "header cannot be read")


async def test_an_algorithm_that_is_not_the_key_s_is_refused(make: Make, peer: OpenIdPeer) -> None:
    document = peer.key.as_dict(private=False) | {"alg": "PS256"}
    peer.answers[f"{ISSUER}/keys"] = answer({"keys": [document]})
    await refused(make(), "not one of the provider's")


async def test_a_short_rsa_key_is_passed_over(make: Make, peer: OpenIdPeer) -> None:
    with pytest.warns(SecurityWarning):
        peer.key = RSAKey.generate_key(1024, {"kid": "one"})
    peer.published = [peer.key]
    await refused(make(), "not one of the provider's")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"iss": "https://evil.example.test"}, "another issuer"),
        ({"iss": ISSUER + "/"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"aud": "another"}, "another client"),
        ({"aud": ["another"]}, "another client"),
        ({"aud": []}, "another client"),
        ({"aud": None}, "another client"),
        ({"aud": [CLIENT, "another"]}, "azp"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "azp"),
        ({"azp": "another"}, "azp"),
        ({"nonce": "of another login"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": ""}, "nonce"),
        ({"sub": ""}, "names nobody"),
        ({"sub": 7}, "names nobody"),
        ({"exp": None}, "lacks a time"),
        ({"iat": None}, "lacks a time"),
        ({"exp": "2099"}, "is none"),
        ({"exp": True}, "is none"),
        ({"exp": 1e300}, "is none"),
    ],
)
async def test_an_id_token_with_a_wrong_claim_is_refused(
    make: Make, peer: OpenIdPeer, change: dict[str, object], why: str
) -> None:
    peer.claims |= change
    peer.claims = {key: value for key, value in peer.claims.items() if value is not None}
    await refused(make(), why)


async def test_two_audiences_are_good_if_the_authorized_party_is_this_client(
    make: Make, peer: OpenIdPeer
) -> None:
    peer.claims |= {"aud": ["another", CLIENT], "azp": CLIENT}
    assert MARY == await log_in(make())


@pytest.mark.parametrize(
    ("claim", "seconds", "good"),
    [
        ("exp", -59, True),
        ("exp", -60, False),
        ("iat", 60, True),
        ("iat", 61, False),
        ("nbf", 60, True),
        ("nbf", 61, False),
    ],
)
async def test_times_are_believed_within_the_skew(
    make: Make, peer: OpenIdPeer, clock: ManualClock, claim: str, seconds: int, good: bool
) -> None:
    peer.claims[claim] = int(clock.now().timestamp()) + seconds
    if good:
        assert MARY == await log_in(make())
    else:
        await refused(make(), "expired|not valid yet")


async def test_a_new_signing_key_is_fetched_at_most_once_a_minute(
    make: Make, peer: OpenIdPeer, clock: ManualClock
) -> None:
    provider = make()
    await log_in(provider)
    for number in range(3):
        peer.header = {"alg": "RS256", "kid": f"invented {number}"}
        await refused(provider, "not one of the provider's")
    assert peer.asked("/keys") == 1

    clock.advance(timedelta(seconds=61))
    peer.key = new_key("RS256", "two")
    peer.published = [peer.key]
    peer.header = {"alg": "RS256", "kid": "two"}
    assert MARY == await log_in(provider)
    assert peer.asked("/keys") == 2


async def test_a_key_that_the_provider_took_back_is_not_believed_for_long(
    make: Make, peer: OpenIdPeer, clock: ManualClock
) -> None:
    provider = make()
    await log_in(provider)
    peer.published = [new_key("RS256", "two")]
    clock.advance(timedelta(hours=1))
    now = int(clock.now().timestamp())
    peer.claims |= {"iat": now, "exp": now + 60}
    await refused(provider, "not one of the provider's")


async def test_a_token_without_a_key_id_is_good_only_if_one_key_fits(
    make: Make, peer: OpenIdPeer
) -> None:
    peer.header = {"alg": "RS256"}
    assert MARY == await log_in(make())
    peer.published = [peer.key, new_key("RS256", "two")]
    await refused(make(), "not one of the provider's")


async def test_a_callback_of_another_issuer_is_refused(make: Make, peer: OpenIdPeer) -> None:
    provider = make()
    with pytest.raises(ProviderFailed, match="another issuer"):
        await log_in(provider, iss="https://evil.example.test")
    assert peer.asked("/token") == 0
    assert MARY == await log_in(provider, iss=ISSUER)


async def test_a_callback_must_name_its_issuer_where_the_provider_promises_to(
    make: Make, peer: OpenIdPeer
) -> None:
    peer.discovery["authorization_response_iss_parameter_supported"] = True
    await refused(make(), "another issuer")


async def test_a_discovery_that_names_another_issuer_is_refused(
    make: Make, peer: OpenIdPeer
) -> None:
    peer.discovery["issuer"] = "https://evil.example.test"
    await refused(make(), "another issuer")


async def test_a_discovery_that_sends_the_browser_to_clear_http_is_refused(
    make: Make, peer: OpenIdPeer
) -> None:
    for url in ("http://id.example.test/authorize", "javascript:alert(1)"):
        peer.discovery["authorization_endpoint"] = url
        await refused(make(), "not https")


async def test_user_info_about_somebody_else_is_refused(make: Make, peer: OpenIdPeer) -> None:
    del peer.claims["preferred_username"]
    for subject in ("bob", None):
        peer.user_info = {"sub": subject, "preferred_username": "bob"}
        await refused(make(), "somebody else")


async def test_user_info_is_asked_only_where_something_lacks(make: Make, peer: OpenIdPeer) -> None:
    await log_in(make())
    assert peer.asked("/userinfo") == 0
    peer.user_info["groups"] = ["developers", "developers", 7, ""]
    person = await log_in(make(claims=OpenIdClaims(groups=("roles", "groups"))))
    assert person is not None
    assert person.groups == ("developers",)


async def test_user_info_cannot_change_what_the_id_token_says(make: Make, peer: OpenIdPeer) -> None:
    peer.user_info |= {"preferred_username": "admin", "iss": "x", "email": "admin@example.test"}
    urls = OpenIdUrls(user_info=f"{ISSUER}/userinfo")
    assert MARY == await log_in(make(urls=urls))


async def test_an_unverified_address_is_never_an_id_or_a_name(make: Make, peer: OpenIdPeer) -> None:
    claims = OpenIdClaims(id=("email", "sub"), preferred_username=("email",), name=("email",))
    for verified in (False, "false", "no", 1.5, None):
        peer.claims["email_verified"] = verified
        person = await log_in(make(claims=claims))
        assert person is not None
        assert (person.id, person.preferred_username, person.full_name) == ("248289761001", "", "")
        assert person.email == ""
    del peer.claims["email_verified"]
    person = await log_in(make(claims=claims))
    assert person is not None
    assert person.id == "248289761001"
    await refused(make(claims=OpenIdClaims(id=("email",))), "nothing usable")


async def test_an_address_of_user_info_is_not_verified_by_the_id_token(
    make: Make, peer: OpenIdPeer
) -> None:
    del peer.claims["email"]
    peer.user_info["email"] = "admin@example.test"
    person = await log_in(make(claims=OpenIdClaims(preferred_username=("email",))))
    assert person is not None
    assert person.preferred_username == ""


async def test_somebody_without_the_groups_claim_is_in_no_group(make: Make) -> None:
    person = await log_in(make(claims=OpenIdClaims(groups=("groups",))))
    assert person is not None
    assert person.groups == ()


@pytest.mark.parametrize("error", ["access_denied", "login_required"])
async def test_a_login_that_was_broken_off_gives_nobody(make: Make, error: str) -> None:
    assert await log_in(make(), error=error) is None


async def test_a_callback_with_an_error_of_the_set_up_tells_it(make: Make) -> None:
    with pytest.raises(ProviderFailed, match="invalid_scope"):
        await log_in(make(), error="invalid_scope")


async def test_a_code_that_is_no_good_gives_nobody(make: Make, peer: OpenIdPeer) -> None:
    peer.answers[f"{ISSUER}/token"] = answer({"error": "invalid_grant"}, 400)
    assert await log_in(make()) is None
    assert await make().complete({}, redirect_uri=CALLBACK, nonce=NONCE, verifier="v") is None


async def test_a_wrong_client_secret_is_the_provider_s_failure(
    make: Make, peer: OpenIdPeer
) -> None:
    peer.answers[f"{ISSUER}/token"] = answer({"error": "invalid_client"}, 401)
    await refused(make(), "invalid_client")


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys", "/token"])
async def test_nonsense_of_the_provider_is_its_failure(
    make: Make, peer: OpenIdPeer, path: str
) -> None:
    for body in (b"", b"<html>", b"[]", b"[" * 100_000, b'{"keys": [1, {}, {"kty": "RSA"}]}'):
        peer.answers[ISSUER + path] = HttpAnswer(status=200, headers={}, body=body)
        with pytest.raises(ProviderFailed):
            await log_in(make())
    peer.answers[ISSUER + path] = answer({}, 500)
    with pytest.raises(ProviderFailed):
        await log_in(make())


async def test_nonsense_as_id_token_is_refused(make: Make, peer: OpenIdPeer) -> None:
    for token in ("", "a", "a.b", "a.b.c", "a.b.c.d.e", "é.b.c", "W10.e30.", "x" * 200_000):
        peer.id_token = token
        await refused(make(), "ID token is refused")


async def test_a_claim_that_the_administrator_requires_lets_only_its_holders_in(
    make: Make, peer: OpenIdPeer
) -> None:
    peer.user_info["hd"] = "example.test"
    urls = OpenIdUrls(user_info=f"{ISSUER}/userinfo")
    provider = make(required_claims={"hd": "example.test"}, urls=urls)
    assert await log_in(provider) is None
    peer.claims["hd"] = "evil.test"
    assert await log_in(provider) is None
    peer.claims["hd"] = "example.test"
    assert MARY == await log_in(provider)


async def test_google_lets_in_only_people_of_the_hosted_domain(
    peer: OpenIdPeer, clock: ManualClock
) -> None:
    options = google_options(
        name="google",
        client_id=CLIENT,
        client_secret="s",
        hosted_domain="example.test",
        issuer=ISSUER,
    )
    provider = OpenIdProvider(options, http=peer, clock=clock)
    url = await provider.begin(redirect_uri=CALLBACK, state="s", nonce=NONCE, verifier="v")
    assert parse_qs(urlsplit(url).query)["hd"] == ["example.test"]
    assert await log_in(provider) is None
    peer.claims["hd"] = "example.test"
    person = await log_in(provider)
    assert person is not None
    assert (person.id, person.preferred_username) == ("248289761001", "mary@example.test")


def test_google_without_a_hosted_domain_is_refused_unless_that_is_meant() -> None:
    with pytest.raises(ValueError, match="hostedDomain"):
        google_options(name="google", client_id="c", client_secret="s")
    options = google_options(name="google", client_id="c", client_secret="s", allow_everyone=True)
    assert options.required_claims == {}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"issuer": ""}, "'issuer'"),
        ({"client_id": ""}, "'clientID'"),
        ({"claims": OpenIdClaims(id=())}, "claims.id"),
        ({"extra_authorize_parameters": {"nonce": "fixed"}}, "nonce"),
        ({"urls": OpenIdUrls(authorize="http://id.example.test/")}, "https"),
    ],
)
def test_options_that_cannot_work_are_refused(
    make: Make, change: dict[str, object], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        make(**change)


async def test_explicit_urls_need_no_discovery(make: Make, peer: OpenIdPeer) -> None:
    urls = OpenIdUrls(
        authorize=f"{ISSUER}/a?tenant=1", token=f"{ISSUER}/token", keys=f"{ISSUER}/keys"
    )
    provider = make(urls=urls)
    begun = await provider.begin(redirect_uri=CALLBACK, state="s", nonce=NONCE, verifier="v")
    assert begun.startswith(f"{ISSUER}/a?tenant=1&")
    assert MARY == await log_in(provider)
    assert peer.asked("/.well-known/openid-configuration") == 0
