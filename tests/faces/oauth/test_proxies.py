"""Logins by an authenticating proxy, and what others make of its headers."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from atomic_registry.identity.providers.request_header import (
    RequestHeaderOptions,
    RequestHeaderProvider,
)
from atomic_registry.web.messages import Response
from tests.faces.oauth.browser import (
    ISSUER,
    Browser,
    Offered,
    Passwords,
    Server,
    authorize_path,
    basic,
    fields_of,
    fragment_of,
    make_server,
    query_of,
    text_of,
)
from tests.kit.certificates import ClientAuthorityFiles

APP = authorize_path("app", "https://app.test/cb")
CHALLENGE = "/oauth/authorize?client_id=openshift-challenging-client&response_type=token"
NAMED = {"X-Remote-User": "mary"}


@dataclass
class Site:
    """A server with a proxy in front, and the certificates of everybody."""

    server: Server
    front: bytes
    strangers: tuple[bytes, ...]

    def browser(self, certificate: bytes = b"") -> Browser:
        browser = Browser(self.server)
        browser.certificate = certificate
        return browser

    async def ask(self, path: str, certificate: bytes, **headers: str) -> Response:
        return await self.browser(certificate).send("GET", path, headers={**NAMED, **headers})


@pytest.fixture(scope="module")
def proxies(tmp_path_factory: pytest.TempPathFactory) -> ClientAuthorityFiles:
    return ClientAuthorityFiles(tmp_path_factory.mktemp("proxies"))


def provider(proxies: ClientAuthorityFiles) -> RequestHeaderProvider:
    return RequestHeaderProvider(
        RequestHeaderOptions(
            name="sso",
            client_ca=proxies.ca,
            client_common_names=("front",),
            headers=("X-Remote-User",),
            login_url="https://sso.test/login?${query}",
            challenge_url="https://sso.test/challenge?then=${url}",
        )
    )


@pytest.fixture
async def site(proxies: ClientAuthorityFiles, tmp_path: Path) -> Site:
    server = await make_server(offered=[Offered(provider(proxies))])
    await server.add_client("app", redirect_uris=["https://app.test/cb"])
    everybody = ClientAuthorityFiles(tmp_path)
    strangers = (
        b"",
        everybody.shown("front"),
        everybody.shown("system:admin", "system:cluster-admins"),
        proxies.shown("another"),
    )
    return Site(server, proxies.shown("front"), strangers)


async def test_whom_the_proxy_names_gets_a_code_without_a_login(site: Site) -> None:
    answer = await site.ask(APP, site.front)
    assert answer.headers["Location"].startswith("https://app.test/cb?code=")
    assert query_of(answer)["state"] == "s-1"


async def test_a_browser_that_comes_past_the_proxy_is_sent_to_it(site: Site) -> None:
    answer = await site.browser().follow(await site.ask(APP, b""))
    assert answer.status == 302
    place = urlsplit(answer.headers["Location"])
    assert (place.hostname, place.path) == ("sso.test", "/login")
    assert dict(parse_qsl(place.query)) == dict(parse_qsl(urlsplit(APP).query))


async def test_headers_without_the_certificate_of_the_proxy_are_nobodys(site: Site) -> None:
    for certificate in site.strangers:
        for path in (APP, "/login", "/login/sso"):
            browser = site.browser(certificate)
            answer = await browser.send("GET", path, headers=NAMED)
            assert answer.status == 302
            assert not answer.headers["Location"].startswith("https://app.test/")
            # Nor has it made a session that would be somebody.
            again = await browser.follow(await browser.get(APP))
            assert again.headers["Location"].startswith("https://sso.test/login?")


async def test_a_challenging_client_past_the_proxy_is_sent_to_its_challenge(site: Site) -> None:
    for certificate in site.strangers:
        for headers in ({}, {"X-CSRF-Token": "1"}, {"Authorization": basic("mary", "x")}):
            answer = await site.ask(CHALLENGE, certificate, **headers)
            assert answer.status == 302
            assert answer.headers["Location"].startswith(
                "https://sso.test/challenge?then=https%3A%2F%2Fregistry.test%3A8443%2Foauth%2F"
            )


async def test_a_challenging_client_behind_the_proxy_gets_its_token(site: Site) -> None:
    answer = await site.ask(CHALLENGE, site.front, **{"X-CSRF-Token": "1"})
    assert answer.headers["Location"].startswith(f"{ISSUER}/oauth/token/implicit#")
    assert fragment_of(answer)["access_token"]
    # A page of any site can send a browser through the proxy, but no such header.
    assert (await site.ask(CHALLENGE, site.front)).status == 401


async def test_a_proxy_that_names_nobody_is_not_sent_round_and_round(site: Site) -> None:
    browser = site.browser(site.front)
    page = await browser.follow(await browser.get(APP))
    assert page.status == 401
    answer = await browser.send("GET", CHALLENGE, headers={"X-CSRF-Token": "1"})
    assert answer.status == 401


async def test_the_login_page_behind_the_proxy_begins_a_session(site: Site) -> None:
    for path in ("/login", "/login/sso"):
        browser = site.browser(site.front)
        answer = await browser.send("GET", f"{path}?then=/oauth/device", headers=NAMED)
        assert answer.headers["Location"] == "/oauth/device"
        browser.certificate = b""
        assert "Code that the program shows" in text_of(await browser.get("/oauth/device"))


async def test_consent_is_asked_for_behind_the_proxy_as_well(site: Site) -> None:
    await site.server.add_client(
        "careful", redirect_uris=["https://app.test/cb"], grant_method="prompt"
    )
    browser = site.browser(site.front)
    path = authorize_path("careful", "https://app.test/cb")
    page = await browser.send("GET", path, headers=NAMED)
    assert "mary" in text_of(page)
    form = fields_of(page) | {"action": "approve", "scope": "user:full"}
    answer = await browser.send("POST", "/oauth/authorize/approve", form=form, headers=NAMED)
    done = await browser.send("GET", answer.headers["Location"], headers=NAMED)
    assert query_of(done)["code"]


async def test_only_providers_for_browsers_are_offered_and_asked(
    proxies: ClientAuthorityFiles,
) -> None:
    quiet = Offered(provider(proxies), challenge=False, login=False)
    hidden = Offered(Passwords(name="machines"), login=False)
    offered = [quiet, hidden, Offered(Passwords(name="one")), Offered(Passwords(name="two"))]
    server = await make_server(offered=offered)
    browser = Browser(server)
    page = text_of(await browser.get("/login"))
    assert ["one" in page, "two" in page, "machines" in page, "sso" in page] == [
        True,
        True,
        False,
        False,
    ]
    for name in ("machines", "sso"):
        assert (await browser.get(f"/login/{name}")).status == 404
        assert (await browser.post(f"/login/{name}", username="x")).status == 404
    for name in ("two", "one"):
        form = fields_of(await browser.get(f"/login/{name}"))
        form |= {"username": "mary", "password": "mary-password"}
        await browser.send("POST", f"/login/{name}", form=form)
    assert server.logins.asked == ["two", "one"]
    browser.certificate = proxies.shown("front")
    answer = await browser.send("GET", "/login", headers=NAMED)
    assert answer.status == 200
