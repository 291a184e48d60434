import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import bcrypt
import pytest
from structlog.testing import capture_logs
from tests.kit.clock import ManualClock
from tests.kit.identity_store import MemoryIdentityStore

from atomic_registry.errors import (
    CredentialsRejected,
    LoginRefused,
    MetadataFailed,
    ObjectUnknown,
    ProviderFailed,
    TooMany,
)
from atomic_registry.identity.accounts import MappingMethod
from atomic_registry.identity.logins import ConfiguredProvider, LoginService
from atomic_registry.identity.ports import PasswordProvider, Person, RedirectProvider, Transaction
from atomic_registry.identity.providers.allow_all import AllowAll
from atomic_registry.identity.providers.deny_all import DenyAll
from atomic_registry.identity.providers.htpasswd import HTPasswd
from atomic_registry.identity.records import User
from atomic_registry.kube.objects import ObjectMeta

HOME = "192.0.2.1"


class Book:
    """A provider that knows some passwords, counts questions, and may be down."""

    def __init__(self, name: str = "book", **passwords: str) -> None:
        self.name = name
        self.passwords = passwords
        self.is_down = False
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def authenticate(self, username: str, password: str) -> Person | None:
        self.asked += 1
        await self.gate.wait()
        if self.is_down:
            raise ProviderFailed(provider=self.name, reason="down")
        if self.passwords.get(username) != password:
            return None
        return Person(id=username, preferred_username=username)


class Elsewhere:
    """A provider that has no passwords, only a page of its own."""

    name = "elsewhere"

    async def begin(self, *, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        return "https://elsewhere.test/"

    async def complete(self, parameters: object, **_: str) -> Person | None:
        return None


class World:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryIdentityStore()

    def service(
        self,
        *providers: PasswordProvider | RedirectProvider,
        mapping: MappingMethod = "claim",
        challenge: bool = True,
        login: bool = True,
    ) -> LoginService:
        configured = [
            ConfiguredProvider(provider=provider, mapping=mapping, challenge=challenge, login=login)
            for provider in providers
        ]
        return LoginService(self.store, configured, self.clock)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_login_gives_the_actor_of_the_stored_user(world: World) -> None:
    actor = await world.service(Book(mary="pw")).login("mary", "pw", address=HOME)
    user = await world.store.read(lambda tx: tx.objects.find(User, "mary"))
    assert user is not None
    assert ("mary", user.metadata.uid) == (actor.name, actor.uid)
    assert {"system:authenticated", "system:authenticated:oauth"} == actor.groups


async def test_unknown_user_and_wrong_password_give_the_same_error(world: World) -> None:
    service = world.service(Book(mary="pw", eve="pw"))
    await service.login("eve", "pw", address=HOME)

    def disable(tx: Transaction) -> None:
        eve = tx.objects.find(User, "eve")
        assert eve is not None
        eve.disabled = True
        tx.objects.update(eve, actor="test", now=world.clock.now())

    await world.store.write(disable)
    world.clock.advance(timedelta(seconds=11))
    errors = []
    for pair in (("mary", "wrong"), ("nobody", "pw"), ("eve", "pw"), ("mary", ""), ("\0", "x")):
        with pytest.raises(CredentialsRejected) as caught:
            await service.login(*pair, address=HOME)
        errors.append((type(caught.value), caught.value.message, caught.value.detail))
    assert 1 == len({repr(error) for error in errors})


async def test_providers_are_asked_in_order_until_one_recognises(world: World) -> None:
    first, second, third = Book("one", a="x"), Book("two", mary="pw"), Book("three", mary="pw")
    await world.service(first, second, third).login("mary", "pw", address=HOME)
    assert [1, 1, 0] == [first.asked, second.asked, third.asked]


async def test_a_provider_that_fails_is_logged_and_skipped(world: World) -> None:
    first, second = Book("one"), Book("two", mary="pw")
    first.is_down = True
    with capture_logs() as logs:
        actor = await world.service(first, second).login("mary", "pw", address=HOME)
    assert "mary" == actor.name
    assert ["one"] == [log["provider"] for log in logs]
    assert "pw" not in str(logs)


async def test_if_nobody_recognises_and_one_failed_it_is_no_rejection(world: World) -> None:
    first, second = Book("one"), Book("two")
    first.is_down = True
    with pytest.raises(ProviderFailed):
        await world.service(first, second).login("mary", "pw", address=HOME)


async def test_a_provider_that_is_down_does_not_let_people_guess_at_the_others(
    world: World,
) -> None:
    first, second = Book("one"), Book("two", mary="pw")
    first.is_down = True
    service = world.service(first, second)
    for number in range(5):
        with pytest.raises(ProviderFailed):
            await service.login("mary", f"guess{number}", address=HOME)
    with pytest.raises(TooMany):
        await service.login("mary", "pw", address=HOME)


async def test_guessing_is_slowed_down_and_the_provider_is_not_even_asked(world: World) -> None:
    book = Book(mary="pw")
    service = world.service(book)
    for number in range(5):
        with pytest.raises(CredentialsRejected):
            await service.login("mary", f"guess{number}", address=HOME)
    with pytest.raises(TooMany) as caught:
        await service.login("mary", "pw", address=HOME)
    assert 5 == book.asked
    assert caught.value.retry_after_seconds >= 1


async def test_throttling_cannot_lock_out_another_address(world: World) -> None:
    service = world.service(Book(mary="pw"))
    for number in range(20):
        with pytest.raises((CredentialsRejected, TooMany)):
            await service.login("mary", f"guess{number}", address="192.0.2.66")
    assert "mary" == (await service.login("mary", "pw", address=HOME)).name


async def test_success_is_remembered_for_ten_seconds(world: World) -> None:
    book = Book(mary="pw")
    service = world.service(book)
    for _ in range(3):
        await service.login("mary", "pw", address=HOME)
        await service.login("mary", "pw", address="192.0.2.9")
    assert 1 == book.asked
    world.clock.advance(timedelta(seconds=10))
    await service.login("mary", "pw", address=HOME)
    assert 2 == book.asked


async def test_what_is_remembered_holds_for_exactly_that_pair(world: World) -> None:
    service = world.service(Book(mary="pw"))
    await service.login("mary", "pw", address=HOME)
    for pair in (("mar", "ypw"), ("maryp", "w"), ("mary", "pw "), ("Mary", "pw")):
        with pytest.raises(CredentialsRejected):
            await service.login(*pair, address=HOME)


async def test_the_memory_holds_no_password_and_dies_with_the_process(world: World) -> None:
    book = Book(mary="secret-password")
    service = world.service(book)
    await service.login("mary", "secret-password", address=HOME)
    assert "secret" not in repr(service._remembered)
    other = world.service(book)
    await other.login("mary", "secret-password", address=HOME)
    assert list(service._remembered) != list(other._remembered)


async def test_failure_is_never_remembered(world: World) -> None:
    book = Book(mary="old")
    service = world.service(book)
    with pytest.raises(CredentialsRejected):
        await service.login("mary", "new", address=HOME)
    book.passwords["mary"] = "new"
    await service.login("mary", "new", address=HOME)


@pytest.fixture
def htpasswd(tmp_path: Path) -> Iterator[HTPasswd]:
    provider = HTPasswd(name="htpasswd", path=tmp_path / "users")
    yield provider
    provider.close()


async def test_what_is_remembered_dies_when_the_password_file_changes(
    world: World, htpasswd: HTPasswd, tmp_path: Path
) -> None:
    def write(password: str) -> None:
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
        (tmp_path / "users").write_text(f"mary:{hashed}\n# {password}\n")

    write("old")
    service = world.service(htpasswd)
    await service.login("mary", "old", address=HOME)
    write("changed")
    with pytest.raises(CredentialsRejected):
        await service.login("mary", "old", address=HOME)


async def test_the_same_pair_on_many_connections_is_checked_once(world: World) -> None:
    book = Book(mary="pw")
    book.gate.clear()
    service = world.service(book)
    logins = [asyncio.create_task(service.login("mary", "pw", address=HOME)) for _ in range(20)]
    await asyncio.sleep(0.01)
    book.gate.set()
    assert {"mary"} == {actor.name for actor in await asyncio.gather(*logins)}
    assert 1 == book.asked


async def test_a_guess_counts_although_its_client_leaves(world: World) -> None:
    book = Book(mary="pw")
    service = world.service(book)
    for number in range(5):
        book.gate.clear()
        login = asyncio.create_task(service.login("mary", f"guess{number}", address=HOME))
        await asyncio.sleep(0.01)
        login.cancel()
        book.gate.set()
        await asyncio.sleep(0.01)
    with pytest.raises(TooMany):
        await service.login("mary", "pw", address=HOME)


async def test_a_disabled_user_is_refused_once_the_memory_is_gone(world: World) -> None:
    service = world.service(Book(mary="pw"))
    disabled = User(metadata=ObjectMeta(name="mary"), identities=["book:mary"], disabled=True)
    await world.store.write(
        lambda tx: tx.objects.add(disabled, actor="test", now=world.clock.now())
    )
    with pytest.raises(CredentialsRejected):
        await service.login("mary", "pw", address=HOME)


async def test_a_person_without_an_account_is_told_so_and_not_slowed_down(world: World) -> None:
    service = world.service(Book(mary="pw"), mapping="lookup")
    for _ in range(9):
        with pytest.raises(LoginRefused):
            await service.login("mary", "pw", address=HOME)


async def test_a_database_that_fails_is_no_wrong_password(world: World) -> None:
    service = world.service(Book(mary="pw"))
    world.store.fail_with = MetadataFailed(reason="locked")
    with pytest.raises(MetadataFailed):
        await service.login("mary", "pw", address=HOME)


async def test_a_provider_without_challenge_is_asked_by_its_own_page_only(world: World) -> None:
    service = world.service(Book(mary="pw"), challenge=False)
    with pytest.raises(CredentialsRejected):
        await service.login("mary", "pw", address=HOME)
    assert "mary" == (await service.login("mary", "pw", address=HOME, provider="book")).name


async def test_a_page_asks_its_own_provider_only(world: World) -> None:
    service = world.service(Book("one", mary="pw"), Book("two", bob="pw"))
    with pytest.raises(CredentialsRejected):
        await service.login("mary", "pw", address=HOME, provider="two")
    with pytest.raises(CredentialsRejected):
        await service.login("mary", "pw", address=HOME, provider="three")


async def test_a_provider_that_only_redirects_is_not_asked_for_passwords(world: World) -> None:
    service = world.service(Elsewhere(), Book(mary="pw"))
    assert "mary" == (await service.login("mary", "pw", address=HOME)).name


async def test_a_person_from_a_redirect_is_mapped_to_an_account(world: World) -> None:
    service = world.service(Elsewhere(), mapping="generate")
    person = Person(id="17", preferred_username="mary")
    actor = await service.admit("elsewhere", person)
    assert "mary" == actor.name
    assert actor == await service.admit("elsewhere", person)


async def test_a_provider_that_is_not_configured_admits_nobody(world: World) -> None:
    with pytest.raises(ObjectUnknown):
        await world.service(Elsewhere()).admit("github", Person(id="17"))


def test_a_service_with_allow_all_says_that_it_is_open(world: World) -> None:
    assert world.service(DenyAll(name="a"), AllowAll(name="b")).is_open
    assert not world.service(DenyAll(name="a"), Book()).is_open
