"""What every password provider must do; a test module of an adapter gives the fixtures."""

import pytest

from atomic_registry.identity.ports import PasswordProvider

HOSTILE = [
    ("", "password"),
    ("  ", "password"),
    ("mary", "\0"),
    ("mary", "\0password"),
    ("mary\0", "password"),
    ("mary", "\ud800"),
    ("\ud800", "password"),
    ("mary", "x" * 100_000),
    ("x" * 100_000, "password"),
]


class PasswordProviderContract:
    """The suite; `known` is a user name and its password."""

    async def test_the_right_pair_stands_for_the_person(
        self, provider: PasswordProvider, known: tuple[str, str]
    ) -> None:
        person = await provider.authenticate(*known)
        assert person is not None
        assert person.id

    async def test_the_same_person_has_the_same_id_each_time(
        self, provider: PasswordProvider, known: tuple[str, str]
    ) -> None:
        assert await provider.authenticate(*known) == await provider.authenticate(*known)

    async def test_a_wrong_password_is_nobodys(
        self, provider: PasswordProvider, known: tuple[str, str]
    ) -> None:
        assert await provider.authenticate(known[0], f"{known[1]}x") is None
        assert await provider.authenticate(known[0], known[1][:-1]) is None

    async def test_an_unknown_user_is_nobody(
        self, provider: PasswordProvider, known: tuple[str, str]
    ) -> None:
        assert await provider.authenticate("who-is-this", known[1]) is None

    async def test_an_empty_password_is_refused(
        self, provider: PasswordProvider, known: tuple[str, str]
    ) -> None:
        assert await provider.authenticate(known[0], "") is None

    @pytest.mark.parametrize(("username", "password"), HOSTILE)
    async def test_a_pair_that_cannot_be_one_is_refused(
        self, provider: PasswordProvider, username: str, password: str
    ) -> None:
        assert await provider.authenticate(username, password) is None

    async def test_a_password_that_ends_in_a_nul_is_not_the_one_before_it(
        self, provider: PasswordProvider, known: tuple[str, str]
    ) -> None:
        assert await provider.authenticate(known[0], known[1] + "\0") is None
