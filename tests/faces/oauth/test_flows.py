"""The ways to a token that work."""

import re
from pathlib import Path

import pytest

from atomic_registry.identity.oauth_clients import (
    BROWSER,
    CHALLENGING,
    CLI,
)
from atomic_registry.identity.oauth_clients import (
    CONSOLE as CONSOLE_CLIENT,
)
from atomic_registry.identity.tokens import hash_secret
from atomic_registry.web.messages import Response
from tests.faces.oauth.browser import (
    ALIAS,
    CONSOLE,
    ISSUER,
    VERIFIER,
    Browser,
    Elsewhere,
    Offered,
    Passwords,
    Server,
    authorize_path,
    basic,
    fields_of,
    fragment_of,
    get_code,
    json_of,
    make_server,
    query_of,
    text_of,
)

IMPLICIT = f"{ISSUER}/oauth/token/implicit"


@pytest.fixture
async def server() -> Server:
    return await make_server()


async def redeem(
    server: Server, code: str, client: str, redirect_uri: str, **more: str
) -> Response:
    form = {
        "grant_type": "authorization_code",
        "client_id": client,
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": VERIFIER,
        **more,
    }
    return await Browser(server).post("/oauth/token", **form)


async def test_a_browser_logs_in_and_its_client_gets_a_token(server: Server) -> None:
    browser = Browser(server)
    path = authorize_path(CONSOLE_CLIENT, CONSOLE + "/")
    page = await browser.follow(await browser.get(path))
    assert page.status == 200
    assert f"form-action 'self' {CONSOLE};" in page.headers["Content-Security-Policy"] + ";"
    done = await browser.follow(await browser.log_in(page))
    assert done.headers["Location"].startswith(f"{CONSOLE}/?code=atr_c_")
    assert query_of(done)["state"] == "s-1"
    assert query_of(done)["iss"] == ISSUER

    answer = await redeem(server, query_of(done)["code"], CONSOLE_CLIENT, CONSOLE + "/")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    tokens = json_of(answer.body)
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 86400
    assert tokens["scope"] == "user:full"
    stored = await server.tokens.verify(tokens["access_token"])
    assert (stored.user, stored.client) == ("mary", CONSOLE_CLIENT)

    form = {
        "grant_type": "refresh_token",
        "client_id": CONSOLE_CLIENT,
        "refresh_token": tokens["refresh_token"],
    }
    refreshed = json_of((await Browser(server).post("/oauth/token", **form)).body)
    assert (await server.tokens.verify(refreshed["access_token"])).user == "mary"


async def test_oc_login_gets_a_challenge_then_a_code_then_a_token(server: Server) -> None:
    path = authorize_path(CHALLENGING, IMPLICIT)
    challenge = await Browser(server).get(path, X_CSRF_Token="1")
    assert challenge.status == 401
    assert challenge.headers["WWW-Authenticate"] == 'Basic realm="openshift"'
    header = basic("mary", "mary-password")
    done = await Browser(server).get(path, X_CSRF_Token="1", Authorization=header)
    assert done.status == 302
    form = {
        "grant_type": "authorization_code",
        "code": query_of(done)["code"],
        "redirect_uri": IMPLICIT,
        "code_verifier": VERIFIER,
    }
    answer = await Browser(server).send(
        "POST", "/oauth/token", form=form, headers={"Authorization": basic(CHALLENGING, "")}
    )
    tokens = json_of(answer.body)
    assert (await server.tokens.verify(tokens["access_token"])).user == "mary"
    assert "refresh_token" not in tokens


async def test_the_challenging_client_gets_its_token_in_the_fragment(server: Server) -> None:
    path = f"/oauth/authorize?client_id={CHALLENGING}&response_type=token"
    done = await Browser(server).get(
        path, X_CSRF_Token="1", Authorization=basic("mary", "mary-password")
    )
    assert done.headers["Location"].startswith(f"{IMPLICIT}#access_token=")
    values = fragment_of(done)
    assert (values["expires_in"], values["scope"]) == ("86400", "user:full")
    assert (await server.tokens.verify(values["access_token"])).user == "mary"
    assert (await Browser(server).get("/oauth/token/implicit")).status == 200


@pytest.mark.parametrize("url", [ISSUER, ALIAS])
async def test_a_person_is_shown_a_token_once_by_each_name_of_the_server(
    server: Server, url: str
) -> None:
    browser = Browser(server, url)
    page = await browser.follow(await browser.get("/oauth/token/request"))
    page = await browser.follow(await browser.log_in(page))
    assert "Display token" in text_of(page)
    shown = await browser.send("POST", "/oauth/token/display", form=fields_of(page))
    token = re.findall(r'<pre id="token">(.*?)</pre>', text_of(shown))[0]
    assert f"oc login --token={token} --server={url}" in text_of(shown)
    stored = await server.tokens.verify(token)
    assert (stored.user, stored.client) == ("mary", BROWSER)
    again = await browser.send("POST", "/oauth/token/display", form=fields_of(page))
    assert token not in text_of(again)


async def test_a_program_without_browser_is_approved_in_one(server: Server) -> None:
    program = Browser(server)
    started = json_of(
        (await program.post("/oauth/device_authorization", client_id=CLI, scope="user:info")).body
    )
    assert re.fullmatch("[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", started["user_code"])
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": CLI,
        "device_code": started["device_code"],
    }
    waiting = await program.post("/oauth/token", **form)
    assert (waiting.status, json_of(waiting.body)["error"]) == (
        400,
        "authorization_pending",
    )
    browser = Browser(server)
    page = await browser.follow(await browser.get(started["verification_uri_complete"]))
    page = await browser.follow(await browser.log_in(page))
    typed = {**fields_of(page), "user_code": started["user_code"].lower()}
    page = await browser.send("POST", "/oauth/device", form=typed)
    assert CLI in text_of(page)
    assert "user:info" in text_of(page)
    page = await browser.send(
        "POST", "/oauth/device", form={**fields_of(page), "action": "approve"}
    )
    assert "goes on now" in text_of(page)
    tokens = json_of((await program.post("/oauth/token", **form)).body)
    assert tokens["scope"] == "user:info"
    assert (await server.tokens.verify(tokens["access_token"])).user == "mary"
    used = json_of((await program.post("/oauth/token", **form)).body)
    assert used["error"] == "invalid_grant"


async def test_a_client_that_prompts_is_approved_for_what_is_ticked(server: Server) -> None:
    await server.add_client(
        "third",
        redirect_uris=["https://third.test/cb"],
        grant_method="prompt",
        secret_hashes=[hash_secret("third-secret")],
    )
    browser = Browser(server)
    path = authorize_path(
        "third", "https://third.test/cb", scope="user:info user:list-projects", code_challenge=""
    )
    page = await browser.follow(await browser.get(path))
    page = await browser.follow(await browser.log_in(page))
    assert "Authorize access" in text_of(page)
    answer = {**fields_of(page), "scope": "user:info", "action": "approve"}
    done = await browser.follow(await browser.send("POST", "/oauth/authorize/approve", form=answer))
    form = {
        "grant_type": "authorization_code",
        "client_id": "third",
        "client_secret": "third-secret",
        "code": query_of(done)["code"],
        "redirect_uri": "https://third.test/cb",
    }
    tokens = json_of((await Browser(server).post("/oauth/token", **form)).body)
    assert tokens["scope"] == "user:info"

    browser = Browser(server)
    narrow = authorize_path("third", "https://third.test/cb", scope="user:info", code_challenge="")
    assert await get_code(browser, narrow)


async def test_a_refused_approval_goes_back_to_the_client(server: Server) -> None:
    await server.add_client("third", redirect_uris=["https://third.test/cb"], grant_method="prompt")
    browser = Browser(server)
    page = await browser.follow(await browser.get(authorize_path("third", "https://third.test/cb")))
    page = await browser.follow(await browser.log_in(page))
    answer = {**fields_of(page), "action": "deny"}
    done = await browser.send("POST", "/oauth/authorize/approve", form=answer)
    assert query_of(done)["error"] == "access_denied"


async def test_several_providers_are_offered_and_one_is_entered_at_once() -> None:
    elsewhere = Elsewhere()
    server = await make_server(providers=[Passwords(), elsewhere])
    browser = Browser(server)
    page = await browser.follow(await browser.get(authorize_path(CONSOLE_CLIENT, CONSOLE)))
    assert "/login/local?then=" in text_of(page)
    assert "/login/elsewhere?then=" in text_of(page)
    server = await make_server(providers=[elsewhere])
    away = await Browser(server).follow(await Browser(server).get("/login"))
    assert away.headers["Location"].startswith("https://idp.test/")


async def test_a_login_elsewhere_comes_back_to_the_client() -> None:
    elsewhere = Elsewhere()
    server = await make_server(providers=[elsewhere])
    browser = Browser(server)
    await browser.follow(await browser.get(authorize_path(CONSOLE_CLIENT, CONSOLE)))
    back = f"/oauth2callback/elsewhere?code=c&state={elsewhere.asked['state']}"
    assert elsewhere.asked["uri"] == f"{ISSUER}/oauth2callback/elsewhere"
    done = await browser.follow(await browser.get(back))
    code = query_of(done)["code"]
    answer = await redeem(server, code, CONSOLE_CLIENT, CONSOLE)
    tokens = json_of(answer.body)
    assert (await server.tokens.verify(tokens["access_token"])).user == "carol"


async def test_own_pages_replace_the_shipped_ones(tmp_path: Path) -> None:
    page = tmp_path / "login.html"
    page.write_text("<p>Example Corp</p><form action='{{ action }}'>{{ error }}</form>")
    server = await make_server(templates={"login": page})
    assert "Example Corp" in text_of(await Browser(server).get("/login"))


async def test_where_no_provider_takes_challenges_a_warning_names_the_page() -> None:
    server = await make_server(offered=[Offered(Passwords(), challenge=False)])
    answer = await Browser(server).get(authorize_path(CHALLENGING, IMPLICIT), X_CSRF_Token="1")
    assert answer.status == 401
    assert "WWW-Authenticate" not in answer.headers
    assert f"{ISSUER}/oauth/token/request" in answer.headers["Warning"]


async def test_a_token_tells_its_holder_what_it_is_until_it_is_revoked(server: Server) -> None:
    code = await get_code(Browser(server), authorize_path(CONSOLE_CLIENT, CONSOLE))
    tokens = json_of((await redeem(server, code, CONSOLE_CLIENT, CONSOLE)).body)
    header = f"Bearer {tokens['access_token']}"
    info = await Browser(server).get("/oauth/info", Authorization=header)
    assert json_of(info.body) == {
        "user": "mary",
        "kind": "access",
        "client_id": CONSOLE_CLIENT,
        "scope": "user:full",
        "expires_in": 86400,
    }
    form = {"client_id": CONSOLE_CLIENT, "token": tokens["refresh_token"]}
    assert (await Browser(server).post("/oauth/revoke", **form)).status == 200
    assert (await Browser(server).get("/oauth/info", Authorization=header)).status == 401
    assert (await Browser(server).post("/oauth/revoke", **form)).status == 200


async def test_logout_revokes_the_bearer_token_and_its_family(server: Server) -> None:
    code = await get_code(Browser(server), authorize_path(CONSOLE_CLIENT, CONSOLE))
    tokens = json_of((await redeem(server, code, CONSOLE_CLIENT, CONSOLE)).body)
    header = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await Browser(server).send("POST", "/logout", headers=header)).status == 204
    form = {
        "grant_type": "refresh_token",
        "client_id": CONSOLE_CLIENT,
        "refresh_token": tokens["refresh_token"],
    }
    assert (await Browser(server).post("/oauth/token", **form)).status == 400


async def test_discovery_names_every_endpoint(server: Server) -> None:
    answer = await Browser(server).get("/.well-known/oauth-authorization-server")
    metadata = json_of(answer.body)
    assert metadata["issuer"] == ISSUER
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    paths = {endpoint.path for endpoint in server.guard.face.router.endpoints}
    named = {it for key, it in metadata.items() if key.endswith("_endpoint")}
    assert {it.removeprefix(ISSUER) for it in named} <= paths
