"""Devices, answers of other providers, logout and cookies, in the hands of an attacker."""

from atomic_registry.faces.oauth.errors import TABLE
from atomic_registry.faces.oauth.options import OAuthOptions
from atomic_registry.faces.oauth.sessions import Sessions
from atomic_registry.identity.oauth_clients import CLI
from tests.faces.oauth.browser import (
    ISSUER,
    KEY,
    Browser,
    Elsewhere,
    Passwords,
    Server,
    fields_of,
    json_of,
    make_server,
    text_of,
)
from tests.faces.oauth.conftest import error_of
from tests.kit.clock import ManualClock
from tests.kit.errors import LEAVES


async def test_device_codes_cannot_be_guessed(server: Server) -> None:
    program = Browser(server)
    started = json_of((await program.post("/oauth/device_authorization", client_id=CLI)).body)
    browser = Browser(server)
    await browser.log_in(await browser.get("/login?then=/oauth/device"))
    csrf = fields_of(await browser.get("/oauth/device"))["csrf"]
    for _ in range(10):
        answer = await browser.post("/oauth/device", csrf=csrf, user_code="BBBB-BBBB")
        assert answer.status == 400
    answer = await browser.post("/oauth/device", csrf=csrf, user_code=started["user_code"])
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 0


async def test_a_device_is_not_approved_without_csrf_token_or_login(server: Server) -> None:
    program = Browser(server)
    started = json_of((await program.post("/oauth/device_authorization", client_id=CLI)).body)
    browser = Browser(server)
    form = {"user_code": started["user_code"], "action": "approve"}
    assert (await browser.post("/oauth/device", **form)).status == 302
    await browser.log_in(await browser.get("/login?then=/oauth/device"))
    assert (await browser.post("/oauth/device", csrf="x", **form)).status == 302
    poll = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": CLI,
        "device_code": started["device_code"],
    }
    assert error_of(await program.post("/oauth/token", **poll)) == "authorization_pending"


async def test_an_answer_of_a_provider_for_another_login_is_refused() -> None:
    elsewhere, other = Elsewhere(), Elsewhere(name="other")
    server = await make_server(providers=[elsewhere, other, Passwords()])
    browser = Browser(server)
    await browser.get("/login/elsewhere")
    state = elsewhere.asked["state"]
    for target in (
        "/oauth2callback/elsewhere?code=c&state=wrong",
        "/oauth2callback/elsewhere?code=c",
        f"/oauth2callback/other?code=c&state={state}",
    ):
        answer = await browser.get(target)
        assert answer.headers["Location"].startswith("/login?")
        assert "token_expired" in answer.headers["Location"]
    stranger = await Browser(server).get(f"/oauth2callback/elsewhere?code=c&state={state}")
    assert "token_expired" in stranger.headers["Location"]
    refused = await browser.get(f"/oauth2callback/elsewhere?error=access_denied&state={state}")
    assert "access_denied" in refused.headers["Location"]
    again = await browser.get(f"/oauth2callback/elsewhere?code=c&state={state}")
    assert "token_expired" in again.headers["Location"]


async def test_logout_needs_the_form_of_the_session(server: Server) -> None:
    browser = Browser(server)
    page = await browser.get("/logout")
    assert "You are logged out" not in text_of(await browser.post("/logout", csrf="x"))
    done = await browser.send("POST", "/logout", form=fields_of(page))
    assert "You are logged out" in text_of(done)
    assert "Max-Age=0" in done.headers["Set-Cookie"]


def test_cookies_of_an_old_key_are_read_and_of_a_foreign_one_not() -> None:
    clock = ManualClock()

    def sessions(*keys: bytes) -> Sessions:
        return Sessions(OAuthOptions(issuer=ISSUER, session_keys=keys), clock)

    made = sessions(KEY).fresh()
    text = sessions(KEY).cookie(made).partition(";")[0].partition("=")[2]
    assert sessions(b"n" * 32, KEY)._open(text) is not None
    assert sessions(b"n" * 32)._open(text) is None
    assert made.csrf not in text


def test_every_error_has_a_row() -> None:
    missing = [leaf.__name__ for leaf in LEAVES if not any(it in TABLE for it in leaf.__mro__)]
    assert missing == []
