"""Named attacks on the registry: forged and misused credentials, other people's uploads."""

import base64
import hmac
import ipaddress
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc import jws
from joserfc.jwk import ECKey
from multidict import CIMultiDict

from atomic_registry.content import ports as content
from atomic_registry.identity.actors import AUTHENTICATED, Actor
from atomic_registry.identity.policy import Right
from atomic_registry.identity.records import Project, Subject
from atomic_registry.identity.registry_tokens import AUDIENCE
from atomic_registry.kube.objects import ObjectMeta
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.web.forwarded import Forwarding, Network
from atomic_registry.web.messages import Query, Request
from tests.faces.asking import (
    actor_of,
    add,
    ask,
    basic,
    bearer,
    document,
    get_token,
    granted,
    mint,
    new_user,
    open_upload,
    post_form,
    push_blob,
    remake_project,
    status_of,
)
from tests.faces.conftest import BytesBody
from tests.faces.world import CLOCK, NOBODY, STRANGER, World, bind, make_world
from tests.kit.http import sha256
from tests.kit.images import image

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
        seen.append(response.status)
    assert set(seen) == {401, 429}
    assert seen[-1] == 429
    assert int(response.headers["Retry-After"]) >= 1
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


# Uploads.


async def test_an_upload_outlives_the_token_that_began_it(world: World) -> None:
    secret = world.tokens[EDITOR]
    scope = "repository:own/app:pull,push"
    upload = await open_upload(world, "own/app", bearer(await a_token(world)))
    expired = bearer(await mint(world, secret, scope, lifetime=timedelta(seconds=-60)))
    data = b"first half, second half"
    assert await status_of(world, "PATCH", upload, expired, body=data[:11]) == 202
    assert await status_of(world, "GET", upload, expired) == 204
    finish = f"{upload}?digest={sha256(data)}"
    assert await status_of(world, "PUT", finish, expired, body=data[11:]) == 201
    # It may finish, and that is all.
    assert await status_of(world, "POST", "/v2/own/app/blobs/uploads/", expired) == 401
    assert await status_of(world, "GET", MANIFEST, expired) == 401
    assert await status_of(world, "GET", f"/v2/own/app/blobs/{sha256(data)}", expired) == 401
    assert await status_of(world, "PUT", MANIFEST, expired, body=b"{}") == 401
    assert await status_of(world, "GET", "/openshift/token", expired) == 401


async def test_a_token_that_ended_a_day_ago_carries_nothing(world: World) -> None:
    upload = await open_upload(world, "own/app", bearer(await a_token(world)))
    old = await mint(
        world, world.tokens[EDITOR], "repository:own/app:push", lifetime=timedelta(hours=-25)
    )
    assert await status_of(world, "PATCH", upload, bearer(old), body=b"x") == 401


async def test_an_expired_token_does_not_reach_anothers_upload(world: World) -> None:
    theirs = await open_upload(world, "own/app", bearer(world.tokens["registry-admin"]))
    expired = await mint(
        world, world.tokens[EDITOR], "repository:own/app:push", lifetime=timedelta(seconds=-60)
    )
    assert await status_of(world, "PATCH", theirs, bearer(expired), body=b"x") == 404


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
async def test_the_upload_of_another_user_is_not_found(world: World, method: str) -> None:
    theirs = await open_upload(world, "own/app", bearer(world.tokens["registry-admin"]))
    never = "/v2/own/app/blobs/uploads/" + "0" * 64
    query = f"?digest={sha256(b'x')}" if method == "PUT" else ""
    mine = bearer(world.tokens[EDITOR])
    answers = [
        await ask(world, method, path + query, mine, body=b"x" if method != "GET" else b"")
        for path in (theirs, never)
    ]
    assert [answer.status for answer in answers] == [404, 404]
    codes = {document(answer)["errors"][0]["code"] for answer in answers}
    assert codes == {"BLOB_UPLOAD_UNKNOWN"}
    # And it is none the worse for it.
    owner = bearer(world.tokens["registry-admin"])
    finish = f"{theirs}?digest={sha256(b'owner')}"
    assert await status_of(world, "PUT", finish, owner, body=b"owner") == 201


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
async def test_an_upload_is_not_found_in_another_repository(world: World, method: str) -> None:
    mine = bearer(world.tokens[EDITOR])
    upload = await open_upload(world, "own/app", mine)
    other = upload.replace("/own/app/", "/own/other/")
    query = f"?digest={sha256(b'x')}" if method == "PUT" else ""
    body = b"" if method in ("GET", "DELETE") else b"x"
    assert await status_of(world, method, other + query, mine, body=body) == 404
    assert await status_of(world, "GET", upload, mine) == 204


async def test_guessed_and_tampered_upload_ids_are_not_found(world: World) -> None:
    mine = bearer(world.tokens[EDITOR])
    upload = await open_upload(world, "own/app", mine)
    before, _, name = upload.rpartition("/")
    flipped = "0" if name[-1] != "0" else "1"
    for guess in (
        name[:-1] + flipped,
        flipped + name[1:],
        name[:32],
        name[:32] + "0" * 32,
        name.upper(),
        name + "0",
        "..",
        "%2e%2e",
        "a'--",
        "0" * 5000,
    ):
        if guess == name:
            continue
        assert await status_of(world, "PATCH", f"{before}/{guess}", mine, body=b"x") == 404
    assert await status_of(world, "DELETE", upload, mine) == 204
    assert await status_of(world, "PATCH", upload, mine, body=b"x") == 404


async def test_a_finished_upload_cannot_be_replayed(world: World) -> None:
    mine = bearer(world.tokens[EDITOR])
    upload = await open_upload(world, "own/app", mine)
    finish = f"{upload}?digest={sha256(b'x')}"
    assert await status_of(world, "PUT", finish, mine, body=b"x") == 201
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        assert await status_of(world, method, finish, mine, body=b"") == 404


# Mounts, tags and lists.


async def test_a_mount_needs_the_right_to_read_its_source(world: World) -> None:
    secret = b"a private layer"
    digest = await push_blob(world, "private/app", secret, bearer(world.tokens[STRANGER]))
    absent = sha256(b"never pushed")
    mine = bearer(world.tokens[EDITOR])
    seen = set()
    for blob in (digest, absent):
        for source in ("private/app", "gone/app", "never/was", "PRIVATE/app", ""):
            query = f"mount={blob}" + (f"&from={source}" if source else "")
            response = await ask(world, "POST", f"/v2/own/app/blobs/uploads/?{query}", mine)
            seen.add((response.status, response.headers["Range"], frozenset(response.headers)))
        assert await status_of(world, "GET", f"/v2/own/app/blobs/{blob}", mine) == 404
    # Forbidden and missing are told apart by nothing.
    assert len(seen) == 1
    assert next(iter(seen))[0] == 202


async def test_a_mount_from_a_readable_source_needs_push_on_the_target(world: World) -> None:
    digest = await push_blob(world, "own/app", b"layer", bearer(world.tokens[EDITOR]))
    query = f"?mount={digest}&from=own/app"
    for target, expected in (("private/app", 403), ("own/other", 201)):
        path = f"/v2/{target}/blobs/uploads/{query}"
        assert await status_of(world, "POST", path, bearer(world.tokens[EDITOR])) == expected
    path = f"/v2/own/third/blobs/uploads/{query}"
    assert await status_of(world, "POST", path, bearer(world.tokens[VIEWER])) == 403
    assert await status_of(world, "POST", path) == 401


async def test_a_mount_without_a_source_takes_only_what_the_caller_may_read(
    world: World,
) -> None:
    stranger = bearer(world.tokens[STRANGER])
    digest = await push_blob(world, "private/app", b"layer", stranger)
    path = f"/v2/own/app/blobs/uploads/?mount={digest}"
    assert await status_of(world, "POST", path, bearer(world.tokens[EDITOR])) == 202
    path = f"/v2/private/other/blobs/uploads/?mount={digest}"
    assert await status_of(world, "POST", path, stranger) == 201


async def test_a_mount_with_a_registry_token_needs_the_source_in_the_token(world: World) -> None:
    digest = await push_blob(world, "own/source", b"layer", bearer(world.tokens[EDITOR]))
    login = basic("x", world.tokens[EDITOR])
    narrow = await get_token(world, login, "repository:own/app:pull,push")
    path = f"/v2/own/app/blobs/uploads/?mount={digest}&from=own/source"
    assert await status_of(world, "POST", path, bearer(narrow["token"])) == 202
    wide = await get_token(
        world, login, "repository:own/app:pull,push", "repository:own/source:pull"
    )
    assert await status_of(world, "POST", path, bearer(wide["token"])) == 201


async def test_many_tags_in_one_push_need_the_right_to_push(world: World) -> None:
    one = image("many-tags")
    for blob in one.blobs:
        await push_blob(world, "own/app", blob.data, bearer(world.tokens[EDITOR]))
    path = f"/v2/own/app/manifests/{one.manifest.digest}?tag=latest&tag=v1"
    for person, expected in ((VIEWER, 403), (NOBODY, 403), (EDITOR, 201)):
        headers = bearer(world.tokens[person]) | {"Content-Type": one.manifest.media_type}
        status = await status_of(world, "PUT", path, headers, body=one.manifest.data)
        assert status == expected


async def test_the_catalog_shows_only_what_may_be_pulled_on_pages_of_the_right_size(
    world: World,
) -> None:
    await world.metadata.write(many_repositories)
    readable = sorted(
        [f"own/r{number:02}" for number in range(12)]
        + [f"public/r{number:02}" for number in range(12)]
        + [f"shared/r{number:02}" for number in range(12)]
    )
    mine = bearer(world.tokens[VIEWER])
    whole = document(await ask(world, "GET", "/v2/_catalog", mine))["repositories"]
    assert whole == readable
    for size in (1, 5, 7, 36, 100):
        pages: list[list[str]] = []
        path: str | None = f"/v2/_catalog?n={size}"
        while path is not None:
            response = await ask(world, "GET", path, mine)
            pages.append(document(response)["repositories"])
            link = response.headers.get("Link")
            path = link.partition("<")[2].partition(">")[0] if link else None
            if path is not None:
                assert dict(parse_qsl(urlsplit(path).query))["last"] == pages[-1][-1]
        assert [name for page in pages for name in page] == readable
        assert all(len(page) == size for page in pages[:-1])
        assert 0 < len(pages[-1]) <= size
    anonymous = document(await ask(world, "GET", "/v2/_catalog"))["repositories"]
    assert anonymous == [f"public/r{number:02}" for number in range(12)]


def many_repositories(tx: content.Transaction) -> None:
    for project in ("own", "private", "public", "shared"):
        for number in range(12):
            made = tx.repositories.ensure(RepositoryName(f"{project}/r{number:02}"), CLOCK.now())
            tx.repositories.mark_pushed(made.id, CLOCK.now())


async def test_every_way_to_read_a_repository_is_decided_alike(world: World) -> None:
    digest = sha256(b"")
    paths = [
        ("GET", "manifests/v1"),
        ("HEAD", "manifests/v1"),
        ("GET", f"manifests/{digest}"),
        ("GET", f"blobs/{digest}"),
        ("HEAD", f"blobs/{digest}"),
        ("GET", "tags/list"),
        ("GET", f"referrers/{digest}"),
    ]
    for project, name in (("private", "app"), ("private", "no"), ("gone", "app"), ("no", "no")):
        for headers, expected in ((bearer(world.tokens[NOBODY]), 403), ({}, 401)):
            seen = {
                await status_of(world, method, f"/v2/{project}/{name}/{path}", headers)
                for method, path in paths
            }
            assert seen == {expected}


async def test_a_blob_is_not_read_through_a_repository_that_does_not_link_it(
    world: World,
) -> None:
    digest = await push_blob(world, "own/app", b"layer", bearer(world.tokens[EDITOR]))
    mine = bearer(world.tokens[EDITOR])
    assert await status_of(world, "GET", f"/v2/own/app/blobs/{digest}", mine) == 200
    assert await status_of(world, "GET", f"/v2/own/other/blobs/{digest}", mine) == 404
    assert await status_of(world, "GET", f"/v2/public/app/blobs/{digest}", mine) == 404


async def test_a_refusal_names_the_missing_right(world: World) -> None:
    response = await ask(world, "POST", "/v2/own/app/blobs/uploads/", bearer(world.tokens[VIEWER]))
    assert response.status == 403
    (error,) = document(response)["errors"]
    assert error["code"] == "DENIED"
    for words in (VIEWER, "push", "own/app", "update imagestreams/layers"):
        assert words in error["message"], error["message"]


async def test_a_token_for_a_project_means_nothing_in_its_successor(world: World) -> None:
    mine = bearer(world.tokens[EDITOR])
    digest = await push_blob(world, "own/app", b"layer", mine)
    login = basic("x", world.tokens[EDITOR])
    scopes = ("repository:own/app:pull,push", "repository:own/target:pull,push")
    old = bearer((await get_token(world, login, *scopes))["token"])
    upload = await open_upload(world, "own/app", old)
    assert await status_of(world, "GET", f"/v2/own/app/blobs/{digest}", old) == 200
    await remake_project(world, "own", keeps_bindings=True)
    # The account has its rights in the new project, the old token has none.
    again = await push_blob(world, "own/app", b"layer", mine)
    assert again == digest
    assert await status_of(world, "GET", f"/v2/own/app/blobs/{digest}", old) == 401
    assert await status_of(world, "POST", "/v2/own/app/blobs/uploads/", old) == 401
    for headers, expected in ((old, 401), (mine, 404)):
        assert await status_of(world, "PATCH", upload, headers, body=b"x") == expected
    fresh = await get_token(world, login, *scopes)
    assert granted(fresh["token"])["own/app"] == ["pull", "push"]
    assert await status_of(world, "GET", f"/v2/own/app/blobs/{digest}", bearer(fresh["token"])) == (
        200
    )


async def test_a_token_for_a_project_that_was_made_anew_is_no_mount_source(world: World) -> None:
    admin = bearer(world.tokens["cluster-admin"])
    user = await actor_of(world, world.tokens[EDITOR])
    login = basic("x", world.tokens[EDITOR])
    scopes = ("repository:own/source:pull", "repository:elsewhere/app:pull,push")
    await add(world, Project(metadata=ObjectMeta(name="elsewhere")))
    await world.metadata.write(
        lambda tx: bind(tx, "elsewhere", EDITOR, Subject(kind="User", name=user.name))
    )
    old = bearer((await get_token(world, login, *scopes))["token"])
    await remake_project(world, "own", keeps_bindings=True)
    digest = await push_blob(world, "own/source", b"new owner's layer", admin)
    path = f"/v2/elsewhere/app/blobs/uploads/?mount={digest}&from=own/source"
    assert await status_of(world, "POST", path, old) == 202
    fresh = bearer((await get_token(world, login, *scopes))["token"])
    assert await status_of(world, "POST", path, fresh) == 201


async def test_an_account_that_is_new_here_may_log_in_at_once(world: World) -> None:
    await add(world, new_user("quite-new"))
    assert await status_of(world, "GET", "/v2/", basic("another-new", "secret")) == 200
    groups = (await actor_of(world, world.tokens[EDITOR])).groups
    assert AUTHENTICATED in groups
