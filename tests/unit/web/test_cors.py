"""Which origins may read answers."""

import pytest
from tests.unit.web.test_guard import EmptyBody

from atomic_registry.config.master_config import origin_pattern
from atomic_registry.web.cors import Cors
from atomic_registry.web.messages import Query, Request, Response


def headers(entries: list[str], origin: str, path: str = "/apis/x") -> dict[str, str]:
    request = Request(
        method="GET",
        path=path,
        query=Query([]),
        headers={"Origin": origin},
        body=EmptyBody(),
        id="1",
    )
    response = Response(status=200)
    Cors(map(origin_pattern, entries), prefixes=("/apis",)).add_headers(request, response)
    return response.headers


@pytest.mark.parametrize(
    ("entry", "origin"),
    [
        ("console.test", "https://console.test"),
        ("console.test", "http://CONSOLE.test:8080"),
        ("console.test:9000", "https://console.test:9000"),
        ("127.0.0.1", "https://127.0.0.1:8443"),
        ("[::1]", "http://[::1]:80"),
        (r"(?i)//my\.subdomain\.domain\.test(:|\z)", "https://my.subdomain.domain.test"),
        (r"//a\.test:\d+$", "https://a.test:1"),
    ],
)
def test_a_host_or_an_expression_lets_its_origins_in(entry: str, origin: str) -> None:
    found = headers(["other.test", entry], origin)
    assert found["Access-Control-Allow-Origin"] == origin
    assert found["Access-Control-Allow-Credentials"] == "true"
    assert "Access-Control-Allow-Origin" not in headers([entry], origin, "/login")


@pytest.mark.parametrize(
    ("entry", "origin"),
    [
        ("console.test", "https://console.test.evil.test"),
        ("console.test", "https://evil.test/console.test"),
        ("console.test", "https://consoleXtest"),
        ("console.test", "https://a-console.test"),
        ("console.test:9000", "https://console.test:90001"),
        ("console.test", "null"),
        (".*", "null"),
        (".*", "x" * 301),
        (r"(?i)//a\.test(:|\z)", "https://a.test.evil.test"),
    ],
)
def test_other_origins_are_kept_out(entry: str, origin: str) -> None:
    assert headers([entry], origin) == {"Vary": "Origin"}


def test_who_lets_everybody_in_lets_nobody_use_what_the_browser_keeps() -> None:
    for entry in (".*", "https://", "//"):
        found = headers([entry], "https://evil.test")
        assert found["Access-Control-Allow-Origin"] == "https://evil.test"
        assert "Access-Control-Allow-Credentials" not in found


def test_without_origins_nothing_is_said() -> None:
    assert headers([], "https://a.test") == {}


def test_a_page_that_is_let_in_may_act_as_somebody_else_and_no_other_may() -> None:
    def asked(origin: str) -> tuple[int | None, set[str]]:
        request = Request(
            method="OPTIONS",
            path="/apis/x",
            query=Query([]),
            headers={"Origin": origin, "Access-Control-Request-Method": "GET"},
            body=EmptyBody(),
            id="1",
        )
        cors = Cors([origin_pattern("console.test")], prefixes=("/apis",))
        answer = cors.answer(request)
        response = answer or Response(status=403)
        cors.add_headers(request, response)
        allowed = response.headers.get("Access-Control-Allow-Headers", "")
        found = {name for name in allowed.split(", ") if name.startswith("Impersonate-")}
        return (answer.status if answer else None), found

    names = {"Impersonate-User", "Impersonate-Group", "Impersonate-Uid"}
    assert (204, names) == asked("https://console.test")
    assert (None, set()) == asked("https://evil.test")
