import pytest
from tests.contract.identity_provider import HOSTILE

from atomic_registry.identity.providers.allow_all import AllowAll
from atomic_registry.identity.providers.deny_all import DenyAll


async def test_allow_all_takes_any_name_with_any_password() -> None:
    person = await AllowAll(name="anypassword").authenticate("mary", "x")
    assert person is not None
    assert ("mary", "mary") == (person.id, person.preferred_username)


@pytest.mark.parametrize(("username", "password"), [("", "x"), (" ", "x"), ("mary", ""), *HOSTILE])
async def test_allow_all_refuses_blank_names_and_empty_passwords(
    username: str, password: str
) -> None:
    assert await AllowAll(name="anypassword").authenticate(username, password) is None


async def test_deny_all_knows_nobody() -> None:
    assert await DenyAll(name="nobody").authenticate("mary", "x") is None
