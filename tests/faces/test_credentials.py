"""Named attacks on the registry: forged, broken and misused credentials."""

import base64
import hmac
import ipaddress
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from joserfc import jws
from joserfc.jwk import ECKey
from multidict import CIMultiDict

from atomic_registry.identity.actors import Actor
from atomic_registry.identity.policy import Right
from atomic_registry.identity.registry_tokens import AUDIENCE
from atomic_registry.web.forwarded import Forwarding, Network
from atomic_registry.web.messages import Query, Request
from tests.faces.asking import (
    ask,
    basic,
    bearer,
    get_token,
    post_form,
    status_of,
)
from tests.faces.world import World, make_world
from tests.kit.bodies import BytesBody

EDITOR, VIEWER = "registry-editor", "registry-viewer"
MANIFEST = "/v2/own/app/manifests/v1"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = await make_world(tmp_path)
    yield made
    await made.close()


def unpadded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def parts(token: str) -> tuple[dict[str, object], dict[str, object]]:
    head, payload = (
        json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        for part in token.split(".")[:2]
    )
    return head, payload


async def a_token(world: World, person: str = EDITOR) -> str:
    answer = await get_token(
        world, basic("x", world.tokens[person]), "repository:own/app:pull,push"
    )
    token: str = answer["token"]
    return token


# Forged tokens.


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c", "x5t"])
async def test_key_material_in_a_tokens_header_is_ignored(world: World, name: str) -> None:
    head, payload = parts(await a_token(world))
    key = ECKey.generate_key("P-256")
    values = {
        "jwk": key.as_dict(private=False),
        "jku": "http://127.0.0.1:1/keys",
        "x5u": "http://127.0.0.1:1/certificate",
        "x5c": [base64.b64encode(b"certificate").decode()],
        "x5t": "abc",
    }
    forged = jws.serialize_compact(
        {**head, name: values[name]}, json.dumps(payload).encode(), key, ["ES256"]
    )
    assert await status_of(world, "GET", MANIFEST, bearer(forged)) == 401


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "ES384", "RS256", ""])
async def test_another_algorithm_in_a_tokens_header_is_refused(
    world: World, algorithm: str
) -> None:
    token = await a_token(world)
    head, payload = parts(token)
    signature = "" if algorithm.lower() == "none" else token.rpartition(".")[2]
    forged = ".".join(
        [
            unpadded(json.dumps({**head, "alg": algorithm}).encode()),
            unpadded(json.dumps(payload).encode()),
            signature,
        ]
    )
    assert await status_of(world, "GET", MANIFEST, bearer(forged)) == 401


async def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(world: World) -> None:
    head, payload = parts(await a_token(world))
    keys = await world.metadata.read(lambda tx: tx.signing_keys.list())
    public = ECKey.import_key(keys[0].private_pem).as_pem(private=False)
    text = f"{unpadded(json.dumps({**head, 'alg': 'HS256'}).encode())}." + unpadded(
        json.dumps(payload).encode()
    )
    forged = f"{text}.{unpadded(hmac.digest(public, text.encode(), 'sha256'))}"
    assert await status_of(world, "GET", MANIFEST, bearer(forged)) == 401


@pytest.mark.parametrize(
    "head",
    [
        {},
        [],
        "x",
        None,
        {"alg": "ES256"},
        {"alg": "ES256", "kid": ["a"]},
        {"alg": "ES256", "kid": {}},
        {"alg": "ES256", "kid": None},
        {"alg": "ES256", "kid": "../../etc/passwd"},
        {"alg": "ES256", "kid": "' OR 1=1 --"},
        {"alg": "ES256", "kid": "x", "crit": ["exp"]},
        {"alg": "ES256", "kid": "x", "b64": False},
    ],
)
async def test_a_strange_header_of_a_token_is_refused_and_not_a_failure(
    world: World, head: object
) -> None:
    token = await a_token(world)
    _, payload, signature = token.split(".")
    forged = f"{unpadded(json.dumps(head).encode())}.{payload}.{signature}"
    assert await status_of(world, "GET", MANIFEST, bearer(forged)) == 401


@pytest.mark.parametrize(
    "value", ["..", "a.b.c", "a..b", "%00.a.b", "\u20ac.a.b", "\udce2.\udc82.x", "A" * 9000]
)
async def test_a_bearer_that_is_no_token_is_refused_and_not_a_failure(
    world: World, value: str
) -> None:
    assert await status_of(world, "GET", MANIFEST, bearer(value)) == 401


@pytest.mark.parametrize(
    "claim", ["iss", "aud", "sub", "jti", "iat", "nbf", "exp", "uid", "grp", "access"]
)
async def test_a_claim_that_was_altered_is_refused(world: World, claim: str) -> None:
    token = await a_token(world)
    head, payload = parts(token)
    payload[claim] = f"{payload[claim]}x" if isinstance(payload[claim], str) else 4_000_000_000
    forged = (
        f"{unpadded(json.dumps(head).encode())}.{unpadded(json.dumps(payload).encode())}"
        f".{token.rpartition('.')[2]}"
    )
    assert await status_of(world, "GET", MANIFEST, bearer(forged)) == 401


async def test_audience_confusion_with_a_token_of_our_key_for_another_service(
    world: World,
) -> None:
    head, payload = parts(await a_token(world))
    keys = await world.metadata.read(lambda tx: tx.signing_keys.list())
    key = ECKey.import_key(keys[0].private_pem)

    def signed(**claims: object) -> str:
        value = json.dumps({**payload, **claims}).encode()
        return jws.serialize_compact(head, value, key, ["ES256"])

    assert await status_of(world, "GET", MANIFEST, bearer(signed())) == 404
    for claims in ({"aud": "atomic-console"}, {"aud": [AUDIENCE]}, {"iss": "elsewhere"}):
        assert await status_of(world, "GET", MANIFEST, bearer(signed(**claims))) == 401


async def test_a_registry_token_gives_no_right_of_the_api(world: World) -> None:
    token = await a_token(world, "admin")
    claims = await world.access.registry_tokens.verify(token)
    actor = Actor(
        name=claims.user,
        uid=claims.user_uid,
        groups=frozenset(claims.groups),
        repositories={name: actions for name, (actions, _) in claims.repositories.items()},
    )
    for right in (
        Right(verb="get", resource="projects", group="project.openshift.io", namespace="own"),
        Right(verb="list", resource="rolebindings", group="rbac.authorization.k8s.io"),
        Right(verb="get", path="/metrics"),
    ):
        assert not world.access.policy.grants(actor, right)


# Basic credentials.


@pytest.mark.parametrize(
    "value",
    [
        "",
        "!",
        "====",
        "bWFyeQ",
        base64.b64encode(b"mary").decode(),
        base64.b64encode(b":").decode(),
        base64.b64encode(b"mary:").decode(),
        base64.b64encode(b":secret").decode(),
        base64.b64encode(b"\xff\xfe:\xff").decode(),
        base64.b64encode(b"ma\x00ry:secret").decode(),
        base64.b64encode(b"mary\r\nX: y:secret").decode(),
        base64.b64encode(b"m" * 5000 + b":secret").decode(),
        base64.b64encode(b"mary:" + b"s" * 50_000).decode(),
        "A" * 100_000,
        "\u20ac",
        "\udce2\udc82",
    ],
)
async def test_broken_basic_credentials_are_refused_and_not_a_failure(
    world: World, value: str
) -> None:
    headers = {"Authorization": f"Basic {value}"}
    assert await status_of(world, "GET", "/v2/", headers) in (401, 403)
    assert await status_of(world, "GET", "/openshift/token", headers) in (401, 403)


@pytest.mark.parametrize("header", ["", "Basic", "Bearer", "Bearer ", "Digest x", "Negotiate", "x"])
async def test_an_authorization_of_no_known_form_is_refused(world: World, header: str) -> None:
    assert await status_of(world, "GET", "/v2/", {"Authorization": header}) == 401
    # Credentials that are not good never make a caller anonymous, even where that would do.
    path = "/v2/public/app/manifests/v1"
    assert await status_of(world, "GET", path, {"Authorization": header}) == 401


async def test_the_anonymous_name_cannot_be_logged_in_as(world: World) -> None:
    for name in ("system:anonymous", "system:admin", "system:serviceaccount:own:bot"):
        # In Basic credentials the colon ends the name.
        response = await post_form(world, grant_type="password", username=name, password="secret")
        assert response.status == 403, name


async def test_brute_force_at_the_token_endpoint_is_slowed_down_for_its_address_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world(tmp_path)
    (provider,) = (each.provider for each in world.access.logins.providers)

    async def authenticate(username: str, password: str) -> object:
        return None if password.startswith("wrong") else await allow(username, password)

    allow = provider.authenticate  # type: ignore[union-attr]  # it checks passwords
    monkeypatch.setattr(type(provider), "authenticate", staticmethod(authenticate))
    attacker, victim = "203.0.113.9", "198.51.100.7"
    seen = []
    for number in range(12):
        response = await post_form(
            world,
            remote=attacker,
            grant_type="password",
            username="mary",
            password=f"wrong{number}",
        )
        seen.append(response)
    assert {each.status for each in seen} == {401, 429}
    assert seen[-1].status == 429
    assert int(seen[-1].headers["Retry-After"]) >= 1
    # Even the right password has to wait there, so that a hit is not told from a miss.
    good = {"grant_type": "password", "username": "mary", "password": "right"}
    assert (await post_form(world, remote=attacker, **good)).status == 429
    assert (await post_form(world, remote=victim, **good)).status == 200
    headers = basic("mary", "right")
    assert (await ask(world, "GET", "/v2/", headers, remote=victim)).status == 200
    await world.close()


# The challenge and proxies in front.


async def realm(world: World, headers: dict[str, str], remote: str = "10.0.0.9") -> str:
    response = await ask(world, "GET", "/v2/", headers, remote=remote)
    challenge = response.headers["WWW-Authenticate"]
    return challenge.partition('realm="')[2].partition('"')[0]


FORWARDED = {
    "Host": "inside:5000",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "registry.example.com",
    "X-Forwarded-For": "203.0.113.5",
}


async def test_forwarded_headers_of_a_stranger_are_ignored(world: World) -> None:
    assert await realm(world, FORWARDED) == "http://inside:5000/openshift/token"


async def test_forwarded_headers_of_a_trusted_proxy_are_believed(world: World) -> None:
    trust(world)
    assert await realm(world, FORWARDED) == "https://registry.example.com/openshift/token"
    outside = await realm(world, FORWARDED, remote="192.0.2.1")
    assert outside == "http://inside:5000/openshift/token"
    mapped = await realm(world, FORWARDED, remote="::ffff:10.0.0.9")
    assert mapped == "https://registry.example.com/openshift/token"


@pytest.mark.parametrize(
    "host",
    [
        'evil"/,realm="http://evil',
        "evil\r\nX-Injected: 1",
        "evil/path",
        "evil?x=",
        "evil#",
        "user@evil",
        "evil, other",
        "ev il",
        "evil:port",
        "evil:1234567",
        "[::1",
        "\u20ac.example.com",
        "",
    ],
)
async def test_header_injection_through_the_host_leaves_the_realm_alone(
    world: World, host: str
) -> None:
    own = await realm(world, {"Host": host})
    assert own == "http://127.0.0.1:5000/openshift/token"
    trust(world)
    headers = {"Host": "good:5000", "X-Forwarded-Host": host}
    split = urlsplit(await realm(world, headers))
    assert split.scheme == "http"
    assert split.netloc in ("127.0.0.1:5000", "good:5000", "evil")
    scheme = await realm(world, {"Host": "good:5000", "X-Forwarded-Proto": "javascript"})
    assert scheme == "http://127.0.0.1:5000/openshift/token"


async def test_an_address_that_a_client_made_up_does_not_hide_it_from_the_throttle() -> None:
    forwarding = Forwarding(networks("10.0.0.0/8"))
    for lines, expected in (
        (["203.0.113.5"], "203.0.113.5"),
        (["1.2.3.4, 203.0.113.5"], "203.0.113.5"),
        # A proxy that adds a line of its own below the client's.
        (["1.2.3.4", "203.0.113.5"], "203.0.113.5"),
        (["1.2.3.4, 203.0.113.5, 10.0.0.2"], "203.0.113.5"),
        (["nonsense"], "10.0.0.9"),
        (["1.2.3.4, nonsense"], "10.0.0.9"),
    ):
        request = request_with(lines)
        forwarding.apply(request)
        assert request.remote == expected, lines


def trust(world: World) -> None:
    world.client.worker.guard.face.forwarding._proxies = tuple(networks("10.0.0.0/8"))


def networks(text: str) -> list[Network]:
    return [ipaddress.ip_network(text)]


def request_with(lines: list[str]) -> Request:
    headers = CIMultiDict([("X-Forwarded-For", line) for line in lines])
    return Request(
        method="GET",
        path="/v2/",
        query=Query([]),
        headers=headers,
        body=BytesBody(b""),
        id="request-1",
        remote="10.0.0.9",
    )
