import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from tests.kit.clock import ManualClock
from tests.kit.identity_store import MemoryIdentityStore

from atomic_registry.errors import Expired
from atomic_registry.events.compaction import Compaction, KeptChanges
from atomic_registry.events.feed import Feed, Subscription
from atomic_registry.identity.records import Group, User
from atomic_registry.kube.objects import KubeObject, ObjectMeta

CLOCK = ManualClock()
USERS = frozenset({"users"})


async def add(store: MemoryIdentityStore, *items: KubeObject) -> None:
    def change(tx: object) -> None:
        for item in items:
            tx.objects.add(item, actor="test", now=CLOCK.now())  # type: ignore[attr-defined]

    await store.write(change)


def user(name: str) -> User:
    return User(metadata=ObjectMeta(name=name))


async def names(subscription: Subscription, count: int) -> list[str]:
    async with asyncio.timeout(2):
        return [(await anext(subscription)).name for _ in range(count)]


@pytest.fixture
async def store() -> MemoryIdentityStore:
    return MemoryIdentityStore()


@pytest.fixture
async def feed(store: MemoryIdentityStore) -> AsyncIterator[Feed]:
    feed = Feed(store, poll_seconds=0.001)
    task = asyncio.create_task(feed.run())
    yield feed
    task.cancel()


async def test_what_was_before_is_replayed_and_then_comes_what_is_new(
    store: MemoryIdentityStore, feed: Feed
) -> None:
    await add(store, *(user(f"u{number:03}") for number in range(250)))
    subscription = await feed.subscribe(5, kinds=USERS)

    assert [f"u{number:03}" for number in range(5, 250)] == await names(subscription, 245)
    await add(store, user("x"))
    await add(store, user("y"), user("z"))
    assert ["x", "y", "z"] == await names(subscription, 3)
    assert 253 == subscription.revision


async def test_changes_during_a_replay_come_after_it_and_once(
    store: MemoryIdentityStore, feed: Feed
) -> None:
    await add(store, *(user(f"u{number:03}") for number in range(150)))
    subscription = await feed.subscribe(0, kinds=USERS)
    first = await names(subscription, 10)
    await add(store, user("x"))
    await feed.catch_up()
    await add(store, user("y"))
    await feed.catch_up()

    rest = await names(subscription, 142)

    assert [*(f"u{number:03}" for number in range(150)), "x", "y"] == first + rest


async def test_only_what_is_wanted_comes_and_the_revision_goes_on(
    store: MemoryIdentityStore, feed: Feed
) -> None:
    subscription = await feed.subscribe(None, kinds=USERS, wants=lambda it: it.name != "no")
    await add(store, Group(metadata=ObjectMeta(name="g")), user("no"), user("yes"), user("no2"))
    assert ["yes", "no2"] == await names(subscription, 2)
    await add(store, Group(metadata=ObjectMeta(name="h")))
    await feed.catch_up()
    assert 5 == subscription.revision


async def test_a_subscriber_who_does_not_read_is_ended_and_the_others_are_not(
    store: MemoryIdentityStore, feed: Feed
) -> None:
    slow = await feed.subscribe(None, kinds=USERS)
    quick = await feed.subscribe(None, kinds=USERS)
    for batch in range(11):
        await add(store, *(user(f"u{batch}-{number}") for number in range(100)))
        await names(quick, 100)

    with pytest.raises(StopAsyncIteration):
        await anext(slow)
    assert slow.is_over and not quick.is_over


async def test_who_left_gets_nothing_more(store: MemoryIdentityStore, feed: Feed) -> None:
    subscription = await feed.subscribe(None, kinds=USERS)
    waiting = asyncio.ensure_future(anext(subscription))
    await asyncio.sleep(0)
    feed.leave(subscription)
    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_waking_returns_without_a_change_also_when_it_came_first(
    store: MemoryIdentityStore, feed: Feed
) -> None:
    subscription = await feed.subscribe(None, kinds=USERS)
    subscription.wake()
    assert await subscription.next() is None
    waiting = asyncio.ensure_future(subscription.next())
    await asyncio.sleep(0)
    subscription.wake()
    assert await waiting is None


@pytest.mark.parametrize("since", [3, 6])
async def test_revisions_that_are_compacted_or_yet_to_come_are_refused(
    store: MemoryIdentityStore, feed: Feed, since: int
) -> None:
    await add(store, *(user(f"u{number}") for number in range(5)))
    store.state.floor = 4
    with pytest.raises(Expired):
        await feed.subscribe(since, kinds=USERS)
    await feed.subscribe(4, kinds=USERS)


async def test_a_replay_that_compaction_overtakes_says_so(
    store: MemoryIdentityStore, feed: Feed
) -> None:
    await add(store, *(user(f"u{number}") for number in range(150)))
    subscription = await feed.subscribe(0, kinds=USERS)
    await names(subscription, 100)
    store.state.floor = 120
    with pytest.raises(Expired):
        await anext(subscription)


async def test_a_feed_whose_database_went_back_ends_everybody(
    store: MemoryIdentityStore, feed: Feed
) -> None:
    await add(store, user("a"), user("b"))
    subscription = await feed.subscribe(None, kinds=USERS)
    store.state.revision = 1
    with pytest.raises(StopAsyncIteration):
        async with asyncio.timeout(2):
            await anext(subscription)


async def test_compaction_keeps_what_is_young_and_what_is_last() -> None:
    clock, store = ManualClock(), MemoryIdentityStore()

    async def put(*users: str) -> None:
        def change(tx: object) -> None:
            for name in users:
                tx.objects.add(user(name), actor="test", now=clock.now())  # type: ignore[attr-defined]

        await store.write(change)

    compaction = Compaction(store, clock, KeptChanges(age=timedelta(days=1), count=3))
    await put("a", "b", "c", "d", "e")
    assert 0 == await compaction.compact()
    clock.advance(timedelta(hours=25))
    assert 2 == await compaction.compact()
    await put("f", "g", "h", "i")
    assert 3 == await compaction.compact()
    assert 5 == store.state.floor
