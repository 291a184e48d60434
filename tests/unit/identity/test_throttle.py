from datetime import timedelta

import pytest
from tests.kit.clock import ManualClock
from tests.kit.identity_store import MemoryIdentityStore

from atomic_registry.errors import CredentialsRejected, ProviderFailed, TooMany
from atomic_registry.identity.throttle import Throttle


class Door:
    """A throttle, its clock and a login that succeeds or fails on demand."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryIdentityStore()
        self.throttle = Throttle(self.store, self.clock)

    async def knock(self, account: str, address: str, *, good: bool = False) -> None:
        async with self.throttle.attempt(account, address=address):
            if not good:
                raise CredentialsRejected

    async def fail(self, account: str, address: str, times: int = 1) -> None:
        """Fails this often, waiting as long as it is told to."""
        for _ in range(times):
            try:
                with pytest.raises(CredentialsRejected):
                    await self.knock(account, address)
            except TooMany as error:
                self.clock.advance(timedelta(seconds=error.retry_after_seconds))
                with pytest.raises(CredentialsRejected):
                    await self.knock(account, address)

    async def wait(self, account: str, address: str) -> int:
        with pytest.raises(TooMany) as caught:
            await self.knock(account, address, good=True)
        return caught.value.retry_after_seconds


@pytest.fixture
def door() -> Door:
    return Door()


async def test_the_wait_doubles_with_each_failure_up_to_a_quarter_of_an_hour(door: Door) -> None:
    await door.fail("mary", "192.0.2.1", 5)
    waits = []
    for _ in range(12):
        waits.append(await door.wait("mary", "192.0.2.1"))
        door.clock.advance(timedelta(seconds=waits[-1]))
        with pytest.raises(CredentialsRejected):
            await door.knock("mary", "192.0.2.1")
    assert [2, 3, 5, 9, 17, 33, 65, 129, 257, 513, 901, 901] == waits


async def test_a_refused_try_does_not_prolong_the_wait(door: Door) -> None:
    await door.fail("mary", "192.0.2.1", 8)
    for _ in range(20):
        await door.wait("mary", "192.0.2.1")
    door.clock.advance(timedelta(seconds=9))
    await door.knock("mary", "192.0.2.1", good=True)


async def test_success_forgets_the_failures_of_the_account_from_that_address(door: Door) -> None:
    await door.fail("mary", "192.0.2.1", 4)
    await door.knock("mary", "192.0.2.1", good=True)
    await door.fail("mary", "192.0.2.1", 4)
    await door.knock("mary", "192.0.2.1", good=True)


async def test_success_without_failures_writes_nothing(door: Door) -> None:
    await door.knock("mary", "192.0.2.1", good=True)
    assert 0 == door.store.writes


async def test_throttling_cannot_lock_out_another_address(door: Door) -> None:
    await door.fail("mary", "192.0.2.66", 15)
    await door.wait("mary", "192.0.2.66")
    await door.knock("mary", "192.0.2.1", good=True)


async def test_an_address_that_guesses_at_many_accounts_is_slowed_down(door: Door) -> None:
    for number in range(30):
        await door.fail(f"user{number}", "192.0.2.66")
    await door.wait("yet-another", "192.0.2.66")
    await door.knock("yet-another", "192.0.2.1", good=True)


async def test_an_account_that_logged_in_stays_usable_from_a_shared_address(door: Door) -> None:
    await door.knock("mary", "192.0.2.1", good=True)
    for number in range(40):
        await door.fail(f"user{number}", "192.0.2.1")
    await door.wait("somebody", "192.0.2.1")
    await door.knock("mary", "192.0.2.1", good=True)


async def test_a_crowd_that_guesses_at_one_account_does_not_stop_its_usual_address(
    door: Door,
) -> None:
    await door.knock("mary", "198.51.100.1", good=True)
    for number in range(60):
        await door.fail("mary", f"192.0.2.{number}")
    assert 2 == await door.wait("mary", "192.0.2.200")
    await door.knock("mary", "198.51.100.1", good=True)


async def test_a_known_address_is_still_slowed_down_for_its_own_failures(door: Door) -> None:
    await door.knock("mary", "192.0.2.1", good=True)
    await door.fail("mary", "192.0.2.1", 5)
    await door.wait("mary", "192.0.2.1")


async def test_the_addresses_of_one_ipv6_network_count_as_one(door: Door) -> None:
    for number in range(5):
        await door.fail("mary", f"2001:db8:0:1::{number:x}")
    await door.wait("mary", "2001:db8:0:1:ffff::9")
    await door.knock("mary", "2001:db8:0:2::1", good=True)


async def test_an_ipv4_address_written_as_ipv6_is_the_same(door: Door) -> None:
    await door.fail("mary", "::ffff:192.0.2.1", 5)
    await door.wait("mary", "192.0.2.1")


async def test_another_spelling_of_the_name_is_the_same_account(door: Door) -> None:
    for name in ("mary", "MARY", " mary ", "Mary", "\uff4dary"):
        await door.fail(name, "192.0.2.1")
    await door.wait("mArY", "192.0.2.1")


async def test_a_burst_of_tries_at_once_does_not_pass_as_one(door: Door) -> None:
    import asyncio

    tried = 0

    async def guess() -> None:
        nonlocal tried
        async with door.throttle.attempt("mary", address="192.0.2.1"):
            tried += 1
            await asyncio.sleep(0.01)
            raise CredentialsRejected

    results = await asyncio.gather(*(guess() for _ in range(50)), return_exceptions=True)
    assert tried <= 6
    assert 50 - tried == sum(isinstance(result, TooMany) for result in results)


async def test_a_provider_that_is_down_is_no_failure_of_the_caller(door: Door) -> None:
    for _ in range(9):
        with pytest.raises(ProviderFailed):
            async with door.throttle.attempt("mary", address="192.0.2.1"):
                raise ProviderFailed(provider="ldap", reason="down")
    await door.knock("mary", "192.0.2.1", good=True)


async def test_keys_tell_no_names_and_have_one_length(door: Door) -> None:
    await door.fail("mary" * 10_000, "a unix socket")
    keys = [key for key, _ in door.store.state.failures]
    assert not any("mary" in key for key in keys)
    assert max(map(len, keys)) < 80


async def test_old_failures_are_dropped(door: Door) -> None:
    await door.fail("mary", "192.0.2.1")
    door.clock.advance(timedelta(days=2))
    await door.fail("bob", "192.0.2.2")
    assert 3 == len(door.store.state.failures)
