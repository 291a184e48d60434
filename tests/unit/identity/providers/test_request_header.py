"""Names from a proxy's headers."""

from dataclasses import replace
from pathlib import Path

import pytest

from atomic_registry.identity.ports import Person
from atomic_registry.identity.providers.request_header import (
    RequestHeaderOptions,
    RequestHeaderProvider,
)

OPTIONS = RequestHeaderOptions(
    name="proxy",
    client_ca=Path("/etc/ca.pem"),
    client_common_names=("front",),
    headers=("X-Remote-User", "SSO-User"),
    preferred_username_headers=("X-Remote-Login",),
    name_headers=("X-Remote-Name",),
    email_headers=("X-Remote-Email",),
    login_url="https://sso.example.test/login?then=${url}",
    challenge_url="https://sso.example.test/basic?${query}",
)


def test_a_proxy_with_its_certificate_names_the_person() -> None:
    provider = RequestHeaderProvider(OPTIONS)
    headers = {
        "x-remote-user": "7",
        "X-REMOTE-LOGIN": "mary",
        "X-Remote-Name": "Mary",
        "X-Remote-Email": "m@x.test",
    }
    expected = Person(id="7", preferred_username="mary", full_name="Mary", email="m@x.test")
    assert expected == provider.authenticate(headers, "front")


def test_the_first_header_with_a_value_counts() -> None:
    provider = RequestHeaderProvider(OPTIONS)
    headers = {"SSO-User": "bob", "X-Remote-User": " "}
    assert Person(id="bob") == provider.authenticate(headers, "front")


@pytest.mark.parametrize("common_name", [None, "", "another", "front.evil"])
def test_headers_of_anybody_else_are_not_believed(common_name: str | None) -> None:
    provider = RequestHeaderProvider(OPTIONS)
    assert provider.authenticate({"X-Remote-User": "admin"}, common_name) is None


def test_without_common_names_a_certificate_is_still_needed() -> None:
    provider = RequestHeaderProvider(replace(OPTIONS, client_common_names=()))
    assert provider.authenticate({"X-Remote-User": "admin"}, None) is None
    assert provider.authenticate({"X-Remote-User": "mary"}, "any") == Person(id="mary")


@pytest.mark.parametrize("value", ["", " ", "a\nb", "a\x00b", "x" * 256])
def test_a_header_without_a_usable_name_is_nobody(value: str) -> None:
    provider = RequestHeaderProvider(OPTIONS)
    assert provider.authenticate({"X-Remote-User": value}, "front") is None
    assert provider.authenticate({"X_Remote_User": "mary"}, "front") is None


def test_the_url_asked_for_is_escaped_and_its_query_passed_on() -> None:
    provider = RequestHeaderProvider(OPTIONS)
    url = "https://r.example.test/oauth/authorize?a=b%20c&d=${url}\r\nX: y"
    login, challenge = provider.login_url(url), provider.challenge_url(url)
    assert login == (
        "https://sso.example.test/login?then="
        "https%3A%2F%2Fr.example.test%2Foauth%2Fauthorize%3Fa%3Db%2520c%26d%3D%24%7Burl%7D%0D%0AX%3A+y"
    )
    assert challenge == "https://sso.example.test/basic?a=b%20c&d=$%7Burl%7DX:%20y"
    assert RequestHeaderProvider(replace(OPTIONS, login_url="")).login_url(url) is None


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (replace(OPTIONS, client_ca=None), "be anybody"),
        (replace(OPTIONS, headers=()), "'headers'"),
        (replace(OPTIONS, login_url="/login?${url}"), "absolute"),
        (replace(OPTIONS, challenge_url="https://sso.example.test/"), "comes back"),
    ],
)
def test_options_that_let_anybody_in_are_refused(options: RequestHeaderOptions, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        RequestHeaderProvider(options)
