"""Names from a proxy's headers."""

from dataclasses import replace
from pathlib import Path

import pytest
from multidict import CIMultiDict
from tests.kit.certificates import ClientAuthorityFiles

from atomic_registry.identity.ports import Person
from atomic_registry.identity.providers.request_header import (
    RequestHeaderOptions,
    RequestHeaderProvider,
)

LOGIN_URL = "https://sso.example.test/login?then=${url}"


@pytest.fixture(scope="module")
def proxies(tmp_path_factory: pytest.TempPathFactory) -> ClientAuthorityFiles:
    return ClientAuthorityFiles(tmp_path_factory.mktemp("proxies"))


@pytest.fixture(scope="module")
def options(proxies: ClientAuthorityFiles) -> RequestHeaderOptions:
    return RequestHeaderOptions(
        name="proxy",
        client_ca=proxies.ca,
        client_common_names=("front",),
        headers=("X-Remote-User", "SSO-User"),
        preferred_username_headers=("X-Remote-Login",),
        name_headers=("X-Remote-Name",),
        email_headers=("X-Remote-Email",),
        login_url=LOGIN_URL,
        challenge_url="https://sso.example.test/basic?${query}",
    )


@pytest.fixture(scope="module")
def front(proxies: ClientAuthorityFiles) -> bytes:
    return proxies.shown("front")


def test_a_proxy_with_its_certificate_names_the_person(
    options: RequestHeaderOptions, front: bytes
) -> None:
    provider = RequestHeaderProvider(options)
    headers = {
        "x-remote-user": "7",
        "X-REMOTE-LOGIN": "mary",
        "X-Remote-Name": "Mary",
        "X-Remote-Email": "m@x.test",
    }
    expected = Person(id="7", preferred_username="mary", full_name="Mary", email="m@x.test")
    assert expected == provider.recognise(headers, front)


def test_the_first_header_with_a_value_counts(options: RequestHeaderOptions, front: bytes) -> None:
    provider = RequestHeaderProvider(options)
    headers = {"SSO-User": "bob", "X-Remote-User": " "}
    assert Person(id="bob") == provider.recognise(headers, front)


@pytest.mark.parametrize("second", ["admin", "mary", ""])
def test_a_header_that_the_proxy_let_through_beside_its_own_is_nobody(
    options: RequestHeaderOptions, front: bytes, second: str
) -> None:
    headers = CIMultiDict([("X-Remote-User", "mary"), ("x-remote-user", second)])
    assert RequestHeaderProvider(options).recognise(headers, front) is None


def test_headers_without_the_certificate_of_the_proxy_are_not_believed(
    options: RequestHeaderOptions, proxies: ClientAuthorityFiles, tmp_path: Path
) -> None:
    provider = RequestHeaderProvider(options)
    # An authority of the very same name, and a certificate of the very same common name.
    impostor = ClientAuthorityFiles(tmp_path)
    shown = [b"", b"no certificate", impostor.shown("front")]
    shown += [proxies.shown(name) for name in ("another", "front.evil", "FRONT")]
    for certificate in shown:
        assert not provider.is_proxy(certificate)
        assert provider.recognise({"X-Remote-User": "admin"}, certificate) is None


def test_without_common_names_a_certificate_is_still_needed(
    options: RequestHeaderOptions, proxies: ClientAuthorityFiles, tmp_path: Path
) -> None:
    provider = RequestHeaderProvider(replace(options, client_common_names=()))
    foreign = ClientAuthorityFiles(tmp_path).shown("any")
    assert provider.recognise({"X-Remote-User": "admin"}, b"") is None
    assert provider.recognise({"X-Remote-User": "admin"}, foreign) is None
    assert provider.recognise({"X-Remote-User": "mary"}, proxies.shown("any")) == Person(id="mary")


def test_an_authority_that_cannot_be_read_is_an_error(
    options: RequestHeaderOptions, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match=r"ca\.crt"):
        RequestHeaderProvider(replace(options, client_ca=tmp_path / "ca.crt"))
    (tmp_path / "ca.crt").write_text("no certificate")
    with pytest.raises(ValueError, match="PEM"):
        RequestHeaderProvider(replace(options, client_ca=tmp_path / "ca.crt"))


@pytest.mark.parametrize("value", ["", " ", "a\nb", "a\x00b", "x" * 256])
def test_a_header_without_a_usable_name_is_nobody(
    options: RequestHeaderOptions, front: bytes, value: str
) -> None:
    provider = RequestHeaderProvider(options)
    assert provider.recognise({"X-Remote-User": value}, front) is None
    assert provider.recognise({"X_Remote_User": "mary"}, front) is None


def test_the_url_asked_for_is_escaped_and_its_query_passed_on(
    options: RequestHeaderOptions,
) -> None:
    provider = RequestHeaderProvider(options)
    url = "https://r.example.test/oauth/authorize?a=b%20c&d=${url}\r\nX: y"
    login, challenge = provider.login_url(url), provider.challenge_url(url)
    assert login == (
        "https://sso.example.test/login?then="
        "https%3A%2F%2Fr.example.test%2Foauth%2Fauthorize%3Fa%3Db%2520c%26d%3D%24%7Burl%7D%0D%0AX%3A+y"
    )
    assert challenge == "https://sso.example.test/basic?a=b%20c&d=$%7Burl%7DX:%20y"
    assert RequestHeaderProvider(replace(options, login_url="")).login_url(url) is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"client_ca": None}, "be anybody"),
        ({"headers": ()}, "'headers'"),
        ({"login_url": "/login?${url}"}, "absolute"),
        ({"challenge_url": "https://sso.example.test/"}, "comes back"),
    ],
)
def test_options_that_let_anybody_in_are_refused(
    options: RequestHeaderOptions, change: dict[str, object], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        RequestHeaderProvider(replace(options, **change))  # type: ignore[arg-type]  # its fields
