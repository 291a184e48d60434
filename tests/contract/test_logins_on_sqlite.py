"""Logins on a real database, where several arrive at once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.kit.clock import ManualClock
from tests.kit.databases import new_sqlite

from atomic_registry.clock import SystemClock
from atomic_registry.errors import CredentialsRejected, TooMany
from atomic_registry.identity.accounts import Accounts, Recognised
from atomic_registry.identity.ports import Person
from atomic_registry.identity.records import Group, User
from atomic_registry.identity.throttle import Throttle
from atomic_registry.store.metadata import MetadataDatabase, open_metadata


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[MetadataDatabase]:
    url = new_sqlite(tmp_path)
    store = open_metadata(url, SystemClock())
    yield store
    await store.close()


async def test_first_logins_at_once_make_one_account(store: MetadataDatabase) -> None:
    accounts = [Accounts(store, ManualClock()) for _ in range(8)]
    person = Person(id="1", preferred_username="mary", groups=("dev",))
    mary = Recognised(provider="p", person=person, mapping="claim")
    users = await asyncio.gather(*(each.admit(mary) for each in accounts))
    assert 1 == len({user.metadata.uid for user in users})
    assert 1 == len(await store.read(lambda tx: tx.objects.list(User, limit=9)))
    group = await store.read(lambda tx: tx.objects.find(Group, "dev"))
    assert group is not None
    assert ["mary"] == group.users


async def test_whoever_waits_as_long_as_told_gets_through(store: MetadataDatabase) -> None:
    clock = ManualClock()
    clock.advance(timedelta(microseconds=900_000))
    throttle = Throttle(store, clock)
    for _ in range(5):
        with pytest.raises(CredentialsRejected):
            async with throttle.attempt("mary", address="192.0.2.1"):
                raise CredentialsRejected
    with pytest.raises(TooMany) as caught:
        async with throttle.attempt("mary", address="192.0.2.1"):
            pass
    clock.advance(timedelta(seconds=caught.value.retry_after_seconds))
    async with throttle.attempt("mary", address="192.0.2.1"):
        pass
