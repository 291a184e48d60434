import pytest

from atomic_registry.errors import ParameterInvalid
from atomic_registry.identity.ldap_url import LdapUrl


def test_what_a_url_leaves_out_has_the_defaults_of_the_original() -> None:
    expected = LdapUrl(
        host="ldap.example.test",
        port=389,
        is_tls=False,
        base="dc=example,dc=test",
        attribute="uid",
        scope="sub",
        filter="(objectClass=*)",
    )
    assert expected == LdapUrl.parse("ldap://ldap.example.test/dc=example,dc=test")


def test_every_part_of_a_url_is_read() -> None:
    expected = LdapUrl(
        host="::1",
        port=1636,
        is_tls=True,
        base="ou=people, dc=test",
        attribute="mail",
        scope="one",
        filter="(&(a=?)(b=1))",
    )
    text = "ldaps://[::1]:1636/ou=people,%20dc=test?mail,cn?one?(%26(a=%3f)(b=1))"
    assert expected == LdapUrl.parse(text)


def test_ldaps_has_its_own_port() -> None:
    assert 636 == LdapUrl.parse("ldaps://h/dc=x").port


def test_a_filter_without_parentheses_gets_them() -> None:
    assert "(&(a=b)(uid=mary))" == LdapUrl.parse("ldap://h/dc=x???a=b").filter_for("mary")


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("*)(uid=*", "\\2a\\29\\28uid=\\2a"),
        ("a\\b", "a\\5cb"),
        ("nul\0", "nul\\00"),
        ("j\u00f6rg", "j\u00f6rg"),
    ],
)
def test_a_user_name_cannot_leave_its_place_in_the_filter(name: str, escaped: str) -> None:
    filter_text = LdapUrl.parse("ldap://h/dc=x").filter_for(name)
    assert f"(&(objectClass=*)(uid={escaped}))" == filter_text


@pytest.mark.parametrize(
    "text",
    [
        "http://h/dc=x",
        "ldap:///dc=x",
        "ldapi://%2Frun%2Fslapd/dc=x",
        "ldap://user@h/dc=x",
        "ldap://h:99999/dc=x",
        "ldap://h:port/dc=x",
        "ldap://h/dc=x?uid?tree",
        "ldap://h/dc=x?u(id",
        "ldap://h/dc=x?uid?sub?(a=b)?!bindname=cn=x",
        "ldap://h/dc=x#fragment",
        "",
    ],
)
def test_what_is_no_ldap_url_is_refused(text: str) -> None:
    with pytest.raises(ParameterInvalid, match="LDAP URL"):
        LdapUrl.parse(text)
