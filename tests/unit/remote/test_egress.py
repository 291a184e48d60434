"""Which addresses may be reached."""

import pytest
from yarl import URL

from atomic_registry.errors import RemoteFailed
from atomic_registry.remote.egress import EgressRules

RULES = EgressRules(
    allowed_hosts=frozenset({"id.example.test", "10.0.0.7"}),
    plain_hosts=frozenset({"id.example.test"}),
)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "10.1.2.3", "172.16.0.1", "192.168.1.1",
        "100.64.0.1", "100.100.100.200", "169.254.169.254", "169.254.1.1", "fe80::1", "fd00:ec2::254",
        "fc00::1", "fec0::1", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1", "168.63.129.16",
        "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:1::1", "not an address", "",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not RULES.permits("public.example.test", address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_a_public_address_is_good(address: str) -> None:
    assert RULES.permits("public.example.test", address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "fd12::1", "8.8.8.8"])
def test_an_allowed_host_may_be_private(address: str) -> None:
    assert RULES.permits("ID.example.test.", address)


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fd00:ec2::254", "fe80::1", "224.0.0.1", "0.0.0.0", "::ffff:10.0.0.7"],
)
def test_even_an_allowed_host_is_no_metadata_service(address: str) -> None:
    assert not RULES.permits("id.example.test", address)


@pytest.mark.parametrize(
    "url",
    [
        "http://public.example.test/", "ftp://id.example.test/", "file:///etc/passwd", "gopher://x/",
        "//id.example.test/", "/etc/passwd", "", "https:///path", "https://user:pw@id.example.test/",
        "https://user@id.example.test/", "https://127.0.0.1/", "https://[::1]/",
        "https://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest/meta-data/", "https://10.0.0.8/",
    ],
)  # fmt: skip
def test_a_url_that_may_not_be_asked_is_refused(url: str) -> None:
    with pytest.raises(RemoteFailed):
        RULES.check(URL(url))


@pytest.mark.parametrize(
    "url",
    [
        "https://public.example.test/x", "https://id.example.test:8443/", "http://id.example.test/",
        "https://10.0.0.7/", "https://8.8.8.8/",
    ],
)  # fmt: skip
def test_a_url_that_may_be_asked_passes(url: str) -> None:
    RULES.check(URL(url))


def test_an_error_names_the_host_and_nothing_else_of_the_url() -> None:
    with pytest.raises(RemoteFailed) as caught:
        RULES.check(URL("https://mary:geheim@id.example.test/path?code=geheim"))
    assert "id.example.test" in caught.value.message
    assert "geheim" not in caught.value.message
