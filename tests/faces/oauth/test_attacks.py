"""Every known way to get a token, a code or a browser where it does not belong."""

from datetime import timedelta

import pytest

from atomic_registry import errors
from atomic_registry.faces.oauth.pages import local_path
from atomic_registry.identity.oauth_clients import BROWSER, CHALLENGING, CLI
from atomic_registry.identity.oauth_clients import CONSOLE as CONSOLE_CLIENT
from atomic_registry.identity.tokens import hash_secret
from atomic_registry.web.messages import Response
from tests.faces.oauth.browser import (
    CONSOLE,
    ISSUER,
    VERIFIER,
    Browser,
    Server,
    authorize_path,
    basic,
    fields_of,
    fragment_of,
    get_code,
    json_of,
    query_of,
    text_of,
)
from tests.faces.oauth.conftest import GOOD, error_of

IMPLICIT = f"{ISSUER}/oauth/token/implicit"
REFRESH_SECONDS = 30 * 86400


async def redeem(server: Server, code: str, **more: str) -> Response:
    form = {
        "grant_type": "authorization_code",
        "client_id": "good",
        "code": code,
        "redirect_uri": GOOD,
        "code_verifier": VERIFIER,
        **more,
    }
    return await Browser(server).post("/oauth/token", **form)


async def refresh(server: Server, token: str, **more: str) -> Response:
    form = {"grant_type": "refresh_token", "client_id": "good", "refresh_token": token, **more}
    return await Browser(server).post("/oauth/token", **form)


@pytest.mark.parametrize(
    "uri",
    [
        "https://good.example.evil/cb",
        "https://good.example@evil.example/cb",
        "https://user:pw@good.example/cb",
        "https://good.example\\@evil.example/cb",
        "https://good.example/cb\\..\\x",
        "https://sub.good.example/cb",
        "https://good.example:444/cb",
        "http://good.example/cb",
        "https://good.example/cbx",
        "https://good.example/",
        "https://good.example/cb/../x",
        "https://good.example/cb/%2e%2e/x",
        "https://good.example/cb#x",
        "https://good.example/cb?x=1",
        "https://good.example\t/cb",
        "//good.example/cb",
        "/cb",
        "javascript:alert(1)",
        "",
    ],
)
async def test_a_redirect_uri_that_was_not_registered_is_never_followed(
    server: Server, uri: str
) -> None:
    answer = await Browser(server).send(
        "POST",
        "/oauth/authorize",
        form={"client_id": "good", "redirect_uri": uri, "response_type": "code"},
    )
    assert answer.status == 400
    assert "Location" not in answer.headers


async def test_a_redirect_below_a_registered_one_is_followed(server: Server) -> None:
    answer = await Browser(server).get(authorize_path("good", f"{GOOD}/deeper"))
    assert answer.headers["Location"].startswith("/login?")


async def test_an_unknown_client_gets_a_page_and_no_redirect(server: Server) -> None:
    answer = await Browser(server).get(authorize_path("nobody", GOOD))
    assert answer.status == 400
    assert "Location" not in answer.headers


async def test_a_parameter_given_twice_is_refused(server: Server) -> None:
    answer = await Browser(server).get(authorize_path("good", GOOD) + "&client_id=other")
    assert answer.status == 400


async def test_a_code_works_once_and_its_second_use_revokes_what_the_first_got(
    server: Server,
) -> None:
    code = await get_code(Browser(server), authorize_path("good", GOOD))
    tokens = json_of((await redeem(server, code)).body)
    assert error_of(await redeem(server, code)) == "invalid_grant"
    with pytest.raises(errors.CredentialsRejected):
        await server.tokens.verify(tokens["access_token"])
    assert error_of(await refresh(server, tokens["refresh_token"])) == "invalid_grant"


async def test_a_code_of_another_client_is_refused_and_burnt(server: Server) -> None:
    await server.add_client("evil", redirect_uris=["https://evil.example/cb"])
    code = await get_code(Browser(server), authorize_path("good", GOOD))
    assert error_of(await redeem(server, code, client_id="evil")) == "invalid_grant"
    assert error_of(await redeem(server, code)) == "invalid_grant"


@pytest.mark.parametrize("verifier", ["w" * 43, "", "v", "v" * 42 + "é"])
async def test_a_code_with_a_wrong_verifier_is_refused_and_burnt(
    server: Server, verifier: str
) -> None:
    code = await get_code(Browser(server), authorize_path("good", GOOD))
    assert error_of(await redeem(server, code, code_verifier=verifier)) == "invalid_grant"
    assert error_of(await redeem(server, code)) == "invalid_grant"


async def test_a_code_with_another_redirect_uri_is_refused(server: Server) -> None:
    code = await get_code(Browser(server), authorize_path("good", GOOD))
    assert error_of(await redeem(server, code, redirect_uri=f"{GOOD}/x")) == "invalid_grant"


async def test_a_code_dies_after_five_minutes(server: Server) -> None:
    code = await get_code(Browser(server), authorize_path("good", GOOD))
    server.clock.advance(timedelta(seconds=300))
    assert error_of(await redeem(server, code)) == "invalid_grant"


async def test_an_access_token_is_no_code_and_a_code_no_access_token(server: Server) -> None:
    code = await get_code(Browser(server), authorize_path("good", GOOD))
    with pytest.raises(errors.CredentialsRejected):
        await server.tokens.verify(code)
    tokens = json_of((await redeem(server, code)).body)
    for secret in (tokens["access_token"], tokens["refresh_token"]):
        assert error_of(await redeem(server, secret)) == "invalid_grant"
    assert error_of(await refresh(server, tokens["access_token"])) == "invalid_grant"
    with pytest.raises(errors.CredentialsRejected):
        await server.tokens.verify(tokens["refresh_token"])


async def test_the_hash_of_a_token_is_worth_nothing(server: Server) -> None:
    code = await get_code(Browser(server), authorize_path("good", GOOD))
    tokens = json_of((await redeem(server, code)).body)
    with pytest.raises(errors.CredentialsRejected):
        await server.tokens.verify(hash_secret(tokens["access_token"]))


async def test_plain_pkce_and_none_are_refused_for_a_public_client(server: Server) -> None:
    for challenge in (
        {"code_challenge_method": "plain"},
        {"code_challenge": ""},
        {"code_challenge_method": ""},
        {"code_challenge": "short"},
    ):
        answer = await Browser(server).get(authorize_path("good", GOOD, **challenge))
        assert query_of(answer)["error"] == "invalid_request"
        assert query_of(answer)["state"] == "s-1"


async def test_a_verifier_for_a_code_without_challenge_is_refused(server: Server) -> None:
    secret = hash_secret("secret")
    await server.add_client("secretive", redirect_uris=[GOOD], secret_hashes=[secret])
    path = authorize_path("secretive", GOOD, code_challenge="")
    code = await get_code(Browser(server), path)
    answer = await redeem(server, code, client_id="secretive", client_secret="secret")
    assert error_of(answer) == "invalid_grant"


async def test_a_confidential_client_needs_its_secret(server: Server) -> None:
    await server.add_client(
        "secretive", redirect_uris=[GOOD], secret_hashes=[hash_secret("old"), hash_secret("new")]
    )
    for secret in ("", "wrong", hash_secret("old")):
        answer = await redeem(server, "code", client_id="secretive", client_secret=secret)
        assert (answer.status, error_of(answer)) == (401, "invalid_client")
    answer = await redeem(server, "code", client_id="secretive", client_secret="new")
    assert error_of(answer) == "invalid_grant"
    answer = await redeem(server, "code", client_id="nobody")
    assert (answer.status, error_of(answer)) == (401, "invalid_client")


async def test_a_refresh_token_works_once_and_its_reuse_revokes_the_family(
    server: Server,
) -> None:
    code = await get_code(Browser(server), authorize_path("good", GOOD))
    first = json_of((await redeem(server, code)).body)
    second = json_of((await refresh(server, first["refresh_token"])).body)
    assert error_of(await refresh(server, first["refresh_token"])) == "invalid_grant"
    for tokens in (first, second):
        with pytest.raises(errors.CredentialsRejected):
            await server.tokens.verify(tokens["access_token"])
    assert error_of(await refresh(server, second["refresh_token"])) == "invalid_grant"


async def test_a_refresh_never_widens_scopes_nor_prolongs_the_login(server: Server) -> None:
    path = authorize_path("good", GOOD, scope="user:info user:list-projects")
    code = await get_code(Browser(server), path)
    tokens = json_of((await redeem(server, code)).body)
    wide = await refresh(server, tokens["refresh_token"], scope="user:full")
    assert error_of(wide) == "invalid_scope"
    narrow = await refresh(server, tokens["refresh_token"], scope="user:info")
    tokens = json_of(narrow.body)
    assert tokens["scope"] == "user:info"
    server.clock.advance(timedelta(seconds=REFRESH_SECONDS))
    assert error_of(await refresh(server, tokens["refresh_token"])) == "invalid_grant"


async def test_a_refresh_token_of_another_client_is_refused(server: Server) -> None:
    await server.add_client("evil", redirect_uris=["https://evil.example/cb"])
    code = await get_code(Browser(server), authorize_path("good", GOOD))
    tokens = json_of((await redeem(server, code)).body)
    answer = await refresh(server, tokens["refresh_token"], client_id="evil")
    assert error_of(answer) == "invalid_grant"


@pytest.mark.parametrize(
    "then",
    [
        "https://evil.example/",
        "HTTPS://evil.example/",
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "/x\\y",
        "/\t/evil.example",
        " /evil.example",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "evil.example",
        "/..//evil.example",
        "/%2e%2e//evil.example",
        "/x//y",
        "/%5cevil.example",
        "/%2fevil.example",
        "/\x00",
        "/é",
        "/" + "a" * 4000,
    ],
)
async def test_a_login_leads_nowhere_else(server: Server, then: str) -> None:
    with pytest.raises(errors.ParameterInvalid):
        local_path(then)
    browser = Browser(server)
    page = await browser.get("/login")
    form = {**fields_of(page), "username": "mary", "password": "mary-password", "then": then}
    answer = await browser.send("POST", "/login", form=form)
    assert answer.status == 400
    assert "Location" not in answer.headers


async def test_a_login_form_without_its_csrf_token_logs_nobody_in(server: Server) -> None:
    browser = Browser(server)
    page = await browser.get("/login")
    good = fields_of(page)
    for csrf in ({}, {"csrf": ""}, {"csrf": "x" * 43}):
        form = {"then": good["then"], "username": "mary", "password": "mary-password", **csrf}
        answer = await browser.send("POST", "/login", form=form)
        assert answer.status == 403
        assert "The form has expired" in text_of(answer)
    stranger = Browser(server)
    await stranger.get("/login")
    answer = await stranger.log_in(page)
    assert answer.status == 403
    assert server.logins.addresses == []


async def test_a_session_from_before_the_login_is_not_logged_in(server: Server) -> None:
    victim = Browser(server)
    page = await victim.get("/login")
    planted = victim.cookie
    await victim.log_in(page)
    attacker = Browser(server)
    attacker.cookie = planted
    answer = await attacker.get(authorize_path("good", GOOD))
    assert answer.headers["Location"].startswith("/login?")
    assert victim.cookie != planted
    form = {**fields_of(page), "action": "approve", "then": authorize_path("good", GOOD)}
    answer = await victim.send("POST", "/oauth/authorize/approve", form=form)
    assert answer.headers["Location"].startswith("/login?")


async def test_a_session_is_dropped_once_a_token_was_issued_also_for_its_copies(
    server: Server,
) -> None:
    browser = Browser(server)
    page = await browser.follow(await browser.get(authorize_path("good", GOOD)))
    await browser.log_in(page)
    copy = Browser(server)
    copy.cookie = browser.cookie
    assert "code" in query_of(await browser.get(authorize_path("good", GOOD)))
    for one in (browser, copy):
        answer = await one.get(authorize_path("good", GOOD))
        assert answer.headers["Location"].startswith("/login?")


async def test_a_session_ends_after_five_minutes_and_cannot_be_forged(server: Server) -> None:
    browser = Browser(server)
    await browser.log_in(await browser.get("/login"))
    copy = Browser(server)
    copy.cookie = browser.cookie[:-2] + ("AA" if browser.cookie[-2:] != "AA" else "BB")
    assert "Location" in (await copy.get(authorize_path("good", GOOD))).headers
    assert "/login" in (await copy.get(authorize_path("good", GOOD))).headers["Location"]
    server.clock.advance(timedelta(seconds=301))
    answer = await browser.get(authorize_path("good", GOOD))
    assert answer.headers["Location"].startswith("/login?")


@pytest.mark.parametrize("client", ["good", CONSOLE_CLIENT, BROWSER, CLI])
async def test_only_the_challenging_client_gets_tokens_in_urls(server: Server, client: str) -> None:
    uri = {"good": GOOD, CONSOLE_CLIENT: CONSOLE, BROWSER: f"{ISSUER}/oauth/token/display"}.get(
        client, "http://127.0.0.1:4000/callback"
    )
    answer = await Browser(server).get(authorize_path(client, uri, response_type="token"))
    assert query_of(answer)["error"] == "unauthorized_client"
    assert "access_token" not in answer.headers["Location"]


async def test_the_token_of_the_implicit_flow_is_in_the_fragment_only(server: Server) -> None:
    path = authorize_path(CHALLENGING, IMPLICIT, response_type="token")
    header = basic("mary", "mary-password")
    answer = await Browser(server).get(path, X_CSRF_Token="1", Authorization=header)
    assert query_of(answer) == {}
    assert "access_token" in fragment_of(answer)
    answer = await Browser(server).get(
        path + "&response_mode=query", X_CSRF_Token="1", Authorization=header
    )
    assert "access_token" not in answer.headers["Location"]


async def test_no_challenge_and_no_login_without_the_csrf_header(server: Server) -> None:
    path = authorize_path(CHALLENGING, IMPLICIT)
    for headers in ({}, {"X_CSRF_Token": ""}, {"Authorization": basic("mary", "mary-password")}):
        answer = await Browser(server).get(path, **headers)
        assert answer.status == 401
        assert "WWW-Authenticate" not in answer.headers
        assert "X-CSRF-Token" in answer.headers["Warning"]
    assert server.logins.addresses == []


async def test_a_wrong_password_is_challenged_again_and_a_throttled_one_told(
    server: Server,
) -> None:
    path = authorize_path(CHALLENGING, IMPLICIT)
    for header in (basic("mary", "wrong"), "Basic ???", "Bearer x", basic("mary", "")):
        answer = await Browser(server).get(path, X_CSRF_Token="1", Authorization=header)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="openshift"'
    header = basic("throttled", "x")
    answer = await Browser(server).get(path, X_CSRF_Token="1", Authorization=header)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "60")
    assert server.logins.addresses == ["192.0.2.7", "192.0.2.7"]


@pytest.mark.parametrize(
    ("user", "status", "code"),
    [
        ("nobody", 403, "access_denied"),
        ("throttled", 429, "too_many"),
        ("claimed", 403, "mapping_claim_error"),
        ("broken", 503, "authentication_error"),
    ],
)
async def test_a_failed_login_says_what_the_original_said(
    server: Server, user: str, status: int, code: str
) -> None:
    browser = Browser(server)
    form = {**fields_of(await browser.get("/login")), "username": user, "password": "x"}
    answer = await browser.send("POST", "/login", form=form)
    assert answer.status == status
    assert f'id="error-{code}"' in text_of(answer)


async def test_an_error_page_escapes_what_was_sent(server: Server) -> None:
    script = "<script>alert(1)</script>"
    pages = [
        await Browser(server).send(
            "POST", "/oauth/authorize", form={"client_id": script, "response_type": "code"}
        ),
        await Browser(server).send("GET", "/oauth/token/display?error=%3Cscript%3Ealert(1)"),
        await Browser(server).get("/login/%3Cscript%3E"),
    ]
    browser = Browser(server)
    form = {**fields_of(await browser.get("/login")), "username": '"><script>', "password": "x"}
    pages.append(await browser.send("POST", "/login", form=form))
    for page in pages:
        assert page.status >= 400
        assert "<script" not in text_of(page)


async def test_pages_cannot_be_framed_cached_or_scripted(server: Server) -> None:
    for path in ("/login", "/logout", "/oauth/token/implicit", "/oauth/token/display"):
        headers = (await Browser(server).get(path)).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert policy.endswith("form-action 'self'")
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
    style = await Browser(server).get("/oauth/style.css")
    assert style.headers["Content-Type"] == "text/css"


async def test_a_login_page_lets_forms_go_to_no_site_that_is_not_registered(
    server: Server,
) -> None:
    evil = "/login?then=/oauth/authorize%3Fclient_id%3Dgood%26redirect_uri%3Dhttps://evil.example/"
    page = await Browser(server).get(evil)
    assert "evil.example" not in page.headers["Content-Security-Policy"]


async def test_secrets_in_urls_are_refused(server: Server) -> None:
    answer = await Browser(server).get("/oauth/token?grant_type=authorization_code&code=x")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert "use POST" in text_of(answer)
    answer = await Browser(server).send(
        "POST", "/oauth/token?client_id=good&grant_type=refresh_token", form={}
    )
    assert error_of(answer) == "invalid_client"
    assert (await Browser(server).send("POST", "/oauth/token")).status == 415


@pytest.mark.parametrize("kind", ["password", "client_credentials", "", "implicit"])
async def test_other_grant_types_are_refused(server: Server, kind: str) -> None:
    answer = await redeem(server, "code", grant_type=kind)
    assert error_of(answer) == "unsupported_grant_type"


async def test_an_unknown_scope_is_refused_at_the_client(server: Server) -> None:
    for scope in ("admin", "role:admin", "role:a b:x", "user:full role:x:..", "repository:x:*"):
        answer = await Browser(server).get(authorize_path("good", GOOD, scope=scope))
        assert query_of(answer)["error"] == "invalid_scope"
