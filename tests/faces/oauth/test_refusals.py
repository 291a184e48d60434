"""Requests that the OAuth server cannot take: each is told so, and none is half done."""

from datetime import timedelta

import pytest

from atomic_registry.errors import ParameterInvalid
from atomic_registry.faces.oauth.options import OAuthOptions
from atomic_registry.faces.oauth.pages import Pages
from atomic_registry.faces.oauth.sessions import Sessions
from atomic_registry.identity.grants import MAX_SESSION
from atomic_registry.web.messages import Query, Request
from tests.faces.oauth.browser import (
    FORM,
    ISSUER,
    KEY,
    Browser,
    Server,
    authorize_path,
    basic,
    fields_of,
    json_of,
    make_server,
    query_of,
    text_of,
)
from tests.kit.bodies import BytesBody
from tests.kit.clock import ManualClock

THIRD = "https://third.test/cb"


@pytest.fixture
async def server() -> Server:
    made = await make_server()
    await made.add_client("third", redirect_uris=[THIRD], grant_method="prompt")
    await made.add_client("refused", redirect_uris=[THIRD], grant_method="deny")
    return made


async def post(server: Server, path: str, body: bytes) -> int:
    request = Request(
        method="POST",
        path=path,
        query=Query(()),
        headers={"Content-Type": FORM},
        body=BytesBody(body),
        id="request-1",
    )
    return (await server.guard.serve(request)).status


@pytest.mark.parametrize(("body", "status"), [(b"a" * 200_000, 413), (b"user=\xff", 400)])
@pytest.mark.parametrize("path", ["/oauth/token", "/login", "/oauth/authorize"])
async def test_a_form_that_is_too_long_or_no_text_is_refused(
    server: Server, path: str, body: bytes, status: int
) -> None:
    assert status == await post(server, path, body)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"response_mode": "form_post"}, "invalid_request"),
    ],
)
async def test_an_answer_that_we_do_not_give_is_refused_at_the_client(
    server: Server, more: dict[str, str], code: str
) -> None:
    answer = await Browser(server).get(authorize_path("third", THIRD, **more))

    assert 302 == answer.status
    assert answer.headers["Location"].startswith(THIRD)
    assert code == query_of(answer)["error"]


async def test_a_state_of_any_length_is_not_carried_around(server: Server) -> None:
    answer = await Browser(server).get(authorize_path("third", THIRD, state="s" * 5000))

    assert 400 == answer.status
    assert "Location" not in answer.headers


async def test_a_client_that_may_get_no_tokens_is_told_so(server: Server) -> None:
    browser = Browser(server)
    page = await browser.follow(await browser.get(authorize_path("refused", THIRD)))

    done = await browser.follow(await browser.log_in(page))

    assert "access_denied" == query_of(done)["error"]


async def test_an_approval_of_nothing_is_none(server: Server) -> None:
    browser = Browser(server)
    path = authorize_path("third", THIRD, scope="user:info")
    page = await browser.follow(await browser.get(path))
    page = await browser.follow(await browser.log_in(page))
    fields = fields_of(page)
    fields.pop("scope", None)

    nothing = await browser.post("/oauth/authorize/approve", **fields, action="approve")
    elsewhere = await browser.post(
        "/oauth/authorize/approve", **{**fields, "then": "/logout"}, scope="user:info",
        action="approve",
    )  # fmt: skip

    assert [400, 400] == [nothing.status, elsewhere.status]
    assert not [it for it in server.store.state.tokens.values() if it.user == "mary"]


async def test_a_login_without_a_name_is_asked_again(server: Server) -> None:
    browser = Browser(server)
    page = await browser.get("/login")

    answer = await browser.post("/login", **fields_of(page), username="", password="x")

    assert "Log in" in text_of(answer)
    assert [] == server.logins.addresses


async def test_a_client_says_who_it_is_in_one_way(server: Server) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "x"}

    async def ask(header: str, **more: str) -> tuple[int, str]:
        answer = await Browser(server).send(
            "POST", "/oauth/token", form={**form, **more}, headers={"Authorization": header}
        )
        return answer.status, str(json_of(answer.body)["error"])

    assert (400, "invalid_request") == await ask(basic("third", ""), client_secret="x")
    assert (400, "invalid_request") == await ask(basic("third", ""), client_id="refused")
    assert (401, "invalid_client") == await ask("Basic \xff")
    assert (401, "invalid_client") == await ask("Basic not base64")


async def test_a_grant_without_its_code_is_refused(server: Server) -> None:
    for kind in ("authorization_code", "refresh_token"):
        answer = await Browser(server).post("/oauth/token", grant_type=kind, client_id="third")
        assert (400, "invalid_request") == (answer.status, json_of(answer.body)["error"])


@pytest.mark.parametrize("cookie", ["a" * 20_000, "not base64!", "\xff", ""])
async def test_a_cookie_that_is_not_ours_is_no_session(server: Server, cookie: str) -> None:
    browser = Browser(server)
    browser.cookie = f"__Host-ssn={cookie}"

    answer = await browser.get("/oauth/device")

    assert answer.headers["Location"].startswith("/login?")


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://registry.test"},
        {"issuer": "https://registry.test/path"},
        {"session_keys": ()},
        {"session_keys": (b"short",)},
        {"session_max_age_seconds": 0},
        {"session_max_age_seconds": int(MAX_SESSION / timedelta(seconds=1)) + 1},
    ],
)
def test_options_that_would_not_be_safe_are_refused(wrong: dict[str, object]) -> None:
    values: dict[str, object] = {"issuer": ISSUER, "session_keys": (KEY,), **wrong}
    with pytest.raises(ValueError, match=r"https|key|session"):
        OAuthOptions(**values)  # type: ignore[arg-type]  # the fields of the class


def test_a_page_of_ones_own_has_the_name_of_one_of_ours() -> None:
    options = OAuthOptions(issuer=ISSUER, session_keys=(KEY,), templates={"logon": "x"})  # type: ignore[dict-item]  # never opened
    with pytest.raises(ValueError, match="logon"):
        Pages(options)


def test_a_way_back_that_does_not_fit_a_cookie_is_refused() -> None:
    sessions = Sessions(OAuthOptions(issuer=ISSUER, session_keys=(KEY,)), ManualClock())
    session = sessions.fresh()
    session.flow["login_then"] = "/" + "a" * 10_000
    with pytest.raises(ParameterInvalid):
        sessions.cookie(session)


async def test_a_fault_of_ours_is_a_page_that_names_the_request(server: Server) -> None:
    answer = server.handlers.errors.render_internal("request-7")

    assert 500 == answer.status
    assert "request-7" in text_of(answer)
