"""The LDAP provider against a real slapd."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.identity_provider import PasswordProviderContract
from tests.kit.slapd import ADMIN, ADMIN_PASSWORD, BASE, Directory, running

from atomic_registry.errors import ProviderFailed
from atomic_registry.identity.ldap_url import LdapUrl
from atomic_registry.identity.ports import Person
from atomic_registry.identity.providers.ldap import Ldap, LdapAttributes, LdapSettings

# The client library uses names that a library of its own has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:(tag|type)Map is deprecated:DeprecationWarning")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    with running(tmp_path_factory.mktemp("slapd")) as directory:
        yield directory


def provider_for(
    url: str,
    *,
    ca: Path | None,
    is_insecure: bool = False,
    bind_password: str = ADMIN_PASSWORD,
    attributes: LdapAttributes | None = None,
) -> Ldap:
    settings = LdapSettings(
        url=LdapUrl.parse(url),
        bind_dn=ADMIN,
        bind_password=bind_password,
        is_insecure=is_insecure,
        ca=ca,
        attributes=attributes or LdapAttributes(),
    )
    return Ldap(name="ldap", settings=settings)


def start_tls(directory: Directory, rest: str = f"/{BASE}?uid") -> str:
    return f"ldap://127.0.0.1:{directory.port}{rest}"


@pytest.fixture(params=["StartTLS", "ldaps"])
def provider(request: pytest.FixtureRequest, directory: Directory) -> Iterator[Ldap]:
    url = start_tls(directory)
    if request.param == "ldaps":
        url = f"ldaps://127.0.0.1:{directory.tls_port}/{BASE}?uid"
    provider = provider_for(url, ca=directory.ca)
    yield provider
    provider.close()


class TestLdap(PasswordProviderContract):
    @pytest.fixture
    def known(self) -> tuple[str, str]:
        return "alice", "alicepw"

    async def test_the_attributes_of_the_entry_describe_the_person(self, provider: Ldap) -> None:
        expected = Person(
            id=f"uid=alice,ou=people,{BASE}",
            preferred_username="alice",
            full_name="Alice A",
            email="alice@example.test",
        )
        assert expected == await provider.authenticate("alice", "alicepw")

    @pytest.mark.parametrize(
        "name", ["*)(uid=*", "alice)(uid=alice", "*", "a*", "alice)(|(uid=*", "\\61lice", "ali\\ce"]
    )
    async def test_a_name_cannot_change_the_filter(self, provider: Ldap, name: str) -> None:
        assert await provider.authenticate(name, "alicepw") is None

    async def test_an_empty_password_is_no_anonymous_bind(self, provider: Ldap) -> None:
        assert await provider.authenticate("alice", "") is None


async def test_a_spelling_that_the_directory_takes_for_the_same_is_the_same_person(
    directory: Directory,
) -> None:
    provider = provider_for(start_tls(directory), ca=directory.ca)
    person = await provider.authenticate("ALICE", "alicepw")
    assert person is not None
    assert "alice" == person.preferred_username


async def test_two_entries_for_one_name_are_nobody(directory: Directory) -> None:
    provider = provider_for(start_tls(directory, f"/{BASE}?mail"), ca=directory.ca)
    assert await provider.authenticate("shared@example.test", "bobpw") is None
    assert await provider.authenticate("alice@example.test", "alicepw") is not None


async def test_the_filter_and_the_scope_of_the_url_narrow_the_search(directory: Directory) -> None:
    for rest in (f"/{BASE}?uid?one", f"/{BASE}?uid?sub?(cn=Bob%20B)"):
        provider = provider_for(start_tls(directory, rest), ca=directory.ca)
        assert await provider.authenticate("alice", "alicepw") is None


async def test_the_first_attribute_that_is_not_empty_counts(directory: Directory) -> None:
    attributes = LdapAttributes(id=("employeeNumber", "uid"), name=("displayName", "dn"))
    provider = provider_for(start_tls(directory), ca=directory.ca, attributes=attributes)
    person = await provider.authenticate("alice", "alicepw")
    assert person is not None
    assert ("alice", f"uid=alice,ou=people,{BASE}") == (person.id, person.full_name)


async def test_an_entry_without_an_id_is_a_failure(directory: Directory) -> None:
    attributes = LdapAttributes(id=("employeeNumber",))
    provider = provider_for(start_tls(directory), ca=directory.ca, attributes=attributes)
    with pytest.raises(ProviderFailed, match="employeeNumber"):
        await provider.authenticate("alice", "alicepw")


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
async def test_a_certificate_of_an_unknown_authority_is_refused(
    directory: Directory, scheme: str
) -> None:
    port = directory.port if scheme == "ldap" else directory.tls_port
    provider = provider_for(f"{scheme}://127.0.0.1:{port}/{BASE}?uid", ca=None)
    with pytest.raises(ProviderFailed):
        await provider.authenticate("alice", "alicepw")


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
async def test_a_certificate_for_another_host_is_refused(directory: Directory, scheme: str) -> None:
    port = directory.port if scheme == "ldap" else directory.tls_port
    provider = provider_for(f"{scheme}://localhost:{port}/{BASE}?uid", ca=directory.ca)
    with pytest.raises(ProviderFailed):
        await provider.authenticate("alice", "alicepw")


async def test_insecure_ldap_stays_in_clear(directory: Directory) -> None:
    provider = provider_for(start_tls(directory), ca=None, is_insecure=True)
    assert await provider.authenticate("alice", "alicepw") is not None


async def test_a_wrong_bind_password_is_a_failure_and_no_answer(directory: Directory) -> None:
    provider = provider_for(start_tls(directory), ca=directory.ca, bind_password="old")
    with pytest.raises(ProviderFailed, match="bind DN"):
        await provider.authenticate("alice", "alicepw")


async def test_a_base_that_does_not_exist_is_a_failure(directory: Directory) -> None:
    provider = provider_for(start_tls(directory, "/dc=other?uid"), ca=directory.ca)
    with pytest.raises(ProviderFailed):
        await provider.authenticate("alice", "alicepw")


async def test_a_server_that_is_down_is_a_failure() -> None:
    provider = provider_for(f"ldap://127.0.0.1:1/{BASE}?uid", ca=None)
    with pytest.raises(ProviderFailed):
        await provider.authenticate("alice", "alicepw")
