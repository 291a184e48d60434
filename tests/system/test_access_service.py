"""Access control of the running services: journeys, a master that is away, secrets, PostgreSQL."""

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from tests.kit.access import (
    OWN_TOKENS,
    PROJECTS,
    REVOKED_WITHIN,
    TOKEN_PATH,
    USERS,
    Site,
    basic,
    bearer,
    running_site,
)
from tests.kit.http import RegistryClient, sha256
from tests.kit.images import Image, image
from tests.kit.postgres import run_postgres
from tests.kit.registry import wait_until

FORM = "application/x-www-form-urlencoded"
PULL, PUSH = "repository:mary/app:pull", "repository:mary/app:pull,push"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as started:
        yield started


def push(site: Site, headers: dict[str, str], repository: str, one: Image) -> int:
    """Push an image with credentials on each request; the last status."""
    with RegistryClient(site.host) as client:
        for blob in one.blobs:
            path = f"/v2/{repository}/blobs/uploads/?digest={quote(blob.digest)}"
            answer = client.request("POST", path, blob.data, headers)
            if answer.status != 201:
                return answer.status
        kind = {"Content-Type": one.manifest.media_type}
        path = f"/v2/{repository}/manifests/v1"
        return client.request("PUT", path, one.manifest.data, headers | kind).status


def pull(site: Site, headers: dict[str, str], repository: str) -> int:
    with RegistryClient(site.host) as client:
        path = f"/v2/{repository}/manifests/v1"
        return client.request("GET", path, headers=headers | {"Accept": "*/*"}).status


def is_refused(site: Site, headers: dict[str, str], repository: str) -> bool:
    return pull(site, headers, repository) in (401, 403)


def journey(site: Site) -> None:
    """The original's smoke test: mary makes a project, pushes and shares; bob pulls only."""
    one = image("journey")
    mary, bob = site.log_in("mary"), site.log_in("bob")
    site.call(
        "POST",
        "/apis/project.openshift.io/v1/projectrequests",
        {"metadata": {"name": "mary"}},
        bearer(mary),
    )
    as_mary = bearer(site.registry_token(basic("mary", mary), PUSH))
    assert push(site, as_mary, "mary/app", one) == 201
    as_bob = bearer(site.registry_token(basic("bob", bob), PUSH))
    assert pull(site, as_bob, "mary/app") == 403
    binding = site.grant(
        "mary", "registry-viewer", {"kind": "User", "name": "bob"}, headers=bearer(mary)
    )
    as_bob = bearer(site.registry_token(basic("bob", bob), PUSH))
    assert pull(site, as_bob, "mary/app") == 200
    assert push(site, as_bob, "mary/app", one) == 403
    assert push(site, basic("bob", bob), "mary/app", one) == 403
    assert pull(site, {}, "mary/app") == 401
    robot = site.robot_token("mary", "builder")
    name = {"kind": "ServiceAccount", "name": "builder", "namespace": "mary"}
    site.grant("mary", "system:image-builder", name)
    assert push(site, basic("builder", robot), "mary/app", one) == 201
    site.call("DELETE", binding)
    spent = wait_until("bob is out", lambda: pull(site, as_bob, "mary/app") != 200, 15)
    assert spent < REVOKED_WITHIN
    site.call("DELETE", f"{PROJECTS}/mary", headers=bearer(mary))
    wait_until("the project is gone", lambda: pull(site, as_mary, "mary/app") != 200, 15)
    assert pull(site, basic("builder", robot), "mary/app") in (401, 403)


def test_the_journey_of_mary_and_bob_on_sqlite(site: Site) -> None:
    journey(site)


def test_the_journey_of_mary_and_bob_on_postgresql(tmp_path: Path) -> None:
    with run_postgres() as server:
        url = server.new_database()
        with running_site(tmp_path, ATOMIC_REGISTRY_DATABASE_URL=url) as one:
            journey(one)


def test_pulls_pushes_and_logins_go_on_while_the_master_is_away(tmp_path: Path) -> None:
    site = Site(tmp_path)
    try:
        site.start("registry")
        site.start("master")
        site.new_project("mary", "mary")
        token, _ = site.personal_token("mary")
        assert push(site, basic("mary", token), "mary/app", image("before")) == 201
        site.commands["master"].kill()
        for password in ("any password", token):
            bearer_token = bearer(site.registry_token(basic("mary", password), PUSH))
            assert push(site, bearer_token, "mary/app", image(f"after-{password}")) == 201
            assert pull(site, bearer_token, "mary/app") == 200
        assert site.registry("GET", "/v2/", headers=basic("newcomer", "password")).status == 200
        site.start("master")
        assert site.log_in("mary")
    finally:
        site.stop()


def test_what_is_made_at_the_master_serves_at_once_in_every_registry_worker(site: Site) -> None:
    token, _ = site.personal_token("hasty")
    for number in range(10):
        site.new_project("hasty", f"hasty-{number}")
        scope = f"repository:hasty-{number}/app:pull,push"
        headers = bearer(site.registry_token(basic("hasty", token), scope))
        # Each push goes over connections of its own, and so to whichever worker takes them.
        assert push(site, headers, f"hasty-{number}/app", image(f"hasty-{number}")) == 201


def test_a_revoked_personal_token_is_out_within_ten_seconds_at_the_registry(site: Site) -> None:
    site.new_project("carol", "carol")
    token, name = site.personal_token("carol")
    scope = "repository:carol/app:pull,push"
    exchanged = bearer(site.registry_token(basic("x", token), scope))
    assert push(site, exchanged, "carol/app", image("revoked")) == 201
    site.call("DELETE", f"{OWN_TOKENS}/{name}", headers=bearer(site.log_in("carol")))
    begun = time.monotonic()
    for headers in (basic("x", token), bearer(token), exchanged):
        wait_until("out", partial(is_refused, site, headers, "carol/app"), 15)
    assert time.monotonic() - begun < REVOKED_WITHIN


def test_a_disabled_user_is_out_within_ten_seconds_at_both_services(site: Site) -> None:
    site.new_project("dave", "dave")
    access = site.log_in("dave")
    held = bearer(site.registry_token(basic("dave", "password"), "repository:dave/app:pull,push"))
    assert push(site, held, "dave/app", image("disabled")) == 201
    user = site.call("GET", f"{USERS}/dave")
    site.call("PUT", f"{USERS}/dave", {**user, "disabled": True})
    begun = time.monotonic()
    for headers in (held, bearer(access), basic("dave", "password"), basic("dave", access)):
        wait_until("out", partial(is_refused, site, headers, "dave/app"), 15)
    wait_until(
        "out of the API",
        lambda: site.api("GET", f"{USERS}/~", headers=bearer(access)).status == 401,
        15,
    )
    assert time.monotonic() - begun < REVOKED_WITHIN


def test_audience_confusion_between_the_services(site: Site) -> None:
    site.new_project("erin", "erin")
    exchanged = site.registry_token(basic("erin", "x"), "repository:erin/app:pull,push")
    for method, path in (
        ("GET", f"{USERS}/~"),
        ("GET", PROJECTS),
        ("POST", OWN_TOKENS),
        ("GET", f"{PROJECTS}/erin"),
    ):
        body = {"description": "x"} if method == "POST" else None
        assert site.api(method, path, body, bearer(exchanged)).status in (401, 403), path
    code = site.api("GET", f"{TOKEN_PATH}?scope=x", headers=bearer(exchanged)).status
    assert code in (401, 403, 404)


def test_the_requests_of_oc_login_give_a_token_that_works(site: Site) -> None:
    """The real client's requests, in its order."""
    anonymous: dict[str, str] = {}
    assert site.api("HEAD", "/", headers=anonymous).status < 500
    assert site.api("GET", "/version", headers=anonymous).status == 200
    csrf = {"X-CSRF-Token": "1"}
    found = site.call("GET", "/.well-known/oauth-authorization-server", headers=csrf)
    assert found["issuer"] == f"https://{site.master_host}"
    verifier = "v" * 64
    digest = hashlib.sha256(verifier.encode()).digest()
    redirect = f"{found['issuer']}/oauth/token/implicit"
    query = urlencode(
        {
            "client_id": "openshift-challenging-client",
            "response_type": "code",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "redirect_uri": redirect,
        }
    )
    path = f"{urlsplit(found['authorization_endpoint']).path}?{query}"
    first = site.api("GET", path, headers=csrf)
    assert first.status == 401
    assert first.headers["www-authenticate"].startswith("Basic ")
    second = site.api("GET", path, headers=csrf | basic("frank", "password"))
    assert second.status == 302
    code = parse_qs(urlsplit(second.headers["location"]).query)["code"][0]
    form = urlencode(
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
        }
    ).encode()
    client = basic("openshift-challenging-client", "")
    token_path = urlsplit(found["token_endpoint"]).path
    issued = site.call("POST", token_path, form, {"Content-Type": FORM, **client})
    held = bearer(issued["access_token"])
    review = site.api(
        "POST",
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        b"k8s\x00",
        {**held, "Content-Type": "application/vnd.kubernetes.protobuf"},
    )
    # The client goes on after any of these.
    assert review.status in (200, 201, 404, 406, 415)
    assert site.call("GET", f"{USERS}/~", headers=held)["metadata"]["name"] == "frank"
    assert "items" in site.call("GET", PROJECTS, headers=held)
    motd = "/api/v1/namespaces/openshift/configmaps/motd"
    assert site.api("GET", motd, headers=held).status in (403, 404)
    assert (
        site.registry("GET", "/v2/", headers=basic("frank", issued["access_token"])).status == 200
    )


def test_no_secret_of_any_kind_is_in_what_the_services_print(tmp_path: Path) -> None:
    environment = {
        "ATOMIC_REGISTRY_LOG_LEVEL": "debug",
        "ATOMIC_REGISTRY_LOG_ACCESS": "true",
    }
    with running_site(tmp_path, **environment) as site:
        secrets = every_secret(site)
        # What is refused must not be shown either, nor what makes a request fail.
        for secret in tuple(secrets.values()):
            for path in ("/v2/", "/v2/mary/app/manifests/v1", TOKEN_PATH):
                site.registry("GET", path, headers={"Authorization": f"Digest {secret}"})
                site.registry("GET", path, headers=basic(f"\x00{secret}", secret))
                site.registry("GET", path, headers=bearer(f"{secret}.x.y"))
            site.api("GET", f"{USERS}/~", headers=bearer(f"{secret}x"))
        lines = site.output()
    assert '"route":"/v2/"' in lines
    leaked = {name for name, secret in secrets.items() if secret in lines}
    pairs = {
        name
        for name, secret in secrets.items()
        if base64.b64encode(f":{secret}".encode()).decode()[4:-4] in lines
    }
    assert not leaked | pairs
    kept = [
        path.name
        for path in sorted(site.root.rglob("*"))
        if path.is_file()
        and any(secret.encode() in path.read_bytes() for secret in secrets.values())
    ]
    assert not kept, "secrets are stored as hashes only"


def every_secret(site: Site) -> dict[str, str]:
    """Use one secret of every kind, each in every place that takes it."""
    password = "correct-horse-battery-staple"
    access = site.log_in("mary", password)
    site.new_project("mary", "mary")
    made = site.call("POST", OWN_TOKENS, {"description": "x"}, bearer(access))
    robot = site.robot_token("mary", "bot")
    secrets = {
        "password": password,
        "access token": access,
        "personal token": made["status"]["token"],
        "robot token": robot,
    }
    for name, secret in tuple(secrets.items()):
        headers = basic("mary", secret)
        query = urlencode({"scope": PUSH, "offline_token": "true", "service": "atomic-registry"})
        answer = site.registry("GET", f"{TOKEN_PATH}?{query}", headers=headers)
        assert answer.status == 200, name
        value = json.loads(answer.body)
        secrets[f"registry token by {name}"] = value["token"].rpartition(".")[2]
        secrets[f"refresh token by {name}"] = value["refresh_token"]
        form = {"grant_type": "password", "username": "mary", "password": secret}
        site.registry("POST", TOKEN_PATH, urlencode(form).encode(), headers={"Content-Type": FORM})
        form = {"grant_type": "refresh_token", "refresh_token": value["refresh_token"]}
        site.registry("POST", TOKEN_PATH, urlencode(form).encode(), headers={"Content-Type": FORM})
        for used in (headers, bearer(secret), bearer(value["token"])):
            site.registry("GET", "/v2/mary/app/tags/list", headers=used)
            site.registry("PUT", "/v2/mary/app/manifests/v1", b"{}", headers=used)
    upload = site.registry(
        "POST", f"/v2/mary/app/blobs/uploads/?digest={sha256(b'x')}", b"x", bearer(access)
    )
    assert upload.status == 201
    return secrets
