"""What every store does with the log that watches follow."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest
from tests.contract.identity_objects import add, remove, update, user
from tests.contract.metadata_store import NAME, change, create
from tests.kit.databases import new_sqlite
from tests.kit.identity_store import MemoryIdentityStore

from atomic_registry.clock import SystemClock
from atomic_registry.events.ports import Change, ChangeLog, LogPage
from atomic_registry.identity.directory import Directory
from atomic_registry.identity.records import Group, Project
from atomic_registry.kube.objects import ObjectMeta
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.store.metadata import MetadataDatabase, open_metadata
from atomic_registry.store.metadata.transaction import SqlTransaction

USERS = frozenset({"users"})
_LATER = timedelta(days=400)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MetadataDatabase]:
    if request.param == "memory":
        yield MemoryIdentityStore()  # type: ignore[misc]  # it has what these tests need
        return
    if request.param == "postgresql":
        url = request.getfixturevalue("server").new_registry()
    else:
        url = new_sqlite(tmp_path)
    opened = open_metadata(url, SystemClock())
    yield opened
    await opened.close()


async def page(log: ChangeLog, after: int = 0, limit: int = 100) -> LogPage:
    return await log.list_changes(after, kinds=USERS, limit=limit)


def brief(changes: LogPage) -> list[tuple[int, str, str]]:
    return [(it.revision, it.verb, it.name) for it in changes.changes]


async def test_changes_are_of_the_kinds_asked_for_in_their_order(store: MetadataDatabase) -> None:
    await add(store, user("mary"), Group(metadata=ObjectMeta(name="g")), user("bob"))
    await remove(store, user("mary"))

    first = await page(store, limit=2)

    assert [(1, "added", "mary"), (3, "added", "bob")] == brief(first)
    assert [(4, "deleted", "mary")] == brief(await page(store, 3))
    assert (0, 4) == (first.floor, first.newest)
    assert LogPage(changes=[], floor=0, newest=4) == await store.list_changes(0, kinds=(), limit=1)
    every = await store.list_changes(0, kinds={"users", "groups"}, limit=10)
    assert [1, 2, 3, 4] == [it.revision for it in every.changes]


async def test_a_change_tells_who_and_what_and_which_labels_were_before(
    store: MetadataDatabase,
) -> None:
    mary = user("mary")
    await add(store, mary)
    mary.metadata.labels = {"a": "b"}
    await update(store, mary)
    mary.metadata.labels = {}
    await update(store, mary)
    await remove(store, mary)

    changes = (await page(store)).changes

    assert ["", "{}", '{"a":"b"}', ""] == [it.labels_before for it in changes]
    bodies = [msgspec.json.decode(it.body)["metadata"].get("labels", {}) for it in changes]
    assert [{}, {"a": "b"}, {}, {}] == bodies
    assert {("root", "users", "")} == {(it.actor, it.kind, it.namespace) for it in changes}
    assert all(isinstance(it, Change) and it.at.tzinfo is UTC for it in changes)


async def test_only_what_is_old_and_far_behind_is_dropped_and_the_floor_rises(
    store: MetadataDatabase,
) -> None:
    await add(store, *(user(f"u{number}") for number in range(8)))
    now = datetime.now(UTC)

    assert 0 == await store.drop_changes(before=now - _LATER, keep=1, limit=100)
    assert 0 == (await page(store)).floor
    assert 3 == await store.drop_changes(before=now + _LATER, keep=2, limit=3)
    assert 3 == (await page(store)).floor
    assert 3 == await store.drop_changes(before=now + _LATER, keep=2, limit=100)
    assert 1 == await store.drop_changes(before=now + _LATER, keep=0, limit=100)
    left = await page(store)
    assert ([(8, "added", "u7")], 7, 8) == (brief(left), left.floor, left.newest)
    await add(store, user("next"))
    assert [(9, "added", "next")] == brief(await page(store, 8))


async def test_what_two_processes_drop_at_once_is_dropped_once(store: MetadataDatabase) -> None:
    await add(store, *(user(f"u{number}") for number in range(8)))
    before = datetime.now(UTC) + _LATER

    dropped = await asyncio.gather(
        *(store.drop_changes(before=before, keep=1, limit=100) for _ in range(2))
    )

    assert 7 == sum(dropped)
    left = await page(store)
    assert ([(8, "added", "u7")], 7, 8) == (brief(left), left.floor, left.newest)


async def test_a_directory_that_the_log_was_cut_off_from_reads_everything_anew(
    store: MetadataDatabase,
) -> None:
    directory = Directory(store)
    await add(store, user("gone"), user("stays"), Group(metadata=ObjectMeta(name="g"), users=["a"]))
    await directory.refresh()
    await remove(store, user("gone"))
    await remove(store, Group(metadata=ObjectMeta(name="g")))
    await add(store, user("new"))
    await store.drop_changes(before=datetime.now(UTC) + _LATER, keep=1, limit=100)
    await add(store, user("newer"))

    assert await directory.refresh()

    assert {"stays", "new", "newer"} == set(directory.users)
    assert frozenset() == directory.stored_groups_of("a")
    assert not await directory.refresh()


# The store in memory holds no content.
@pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)
async def test_pushes_are_in_the_log_of_those_who_want_them(store: MetadataDatabase) -> None:
    await create(store)
    await store.write(lambda tx: tx.append(change()))
    await add(store, user())

    pushes = await store.list_changes(0, kinds={"repository"}, limit=10)

    assert {"repository"} == {it.kind for it in pushes.changes}
    assert [(pushes.newest, "added", "mary")] == brief(await page(store))


@pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)
async def test_the_newest_changes_of_a_project_are_those_since_it_was_last_made(
    store: MetadataDatabase,
) -> None:
    project = Project(metadata=ObjectMeta(name=NAME.project))
    other = replace(change(), repository=RepositoryName("another/app"))
    for number in range(2):
        await add(store, project)
        for each in (change(number), other):
            await store.write(partial(SqlTransaction.append, change=each))
        if not number:
            await remove(store, project)
    long_ago = datetime.now(UTC) - _LATER

    async def listed(
        name: str | None, *, up_to: int = 100, since: datetime = long_ago, limit: int = 10
    ) -> list[int]:
        found = await store.list_of_repositories(name, up_to=up_to, since=since, limit=limit)
        return [it.revision for it in found]

    assert [6] == await listed(NAME.project)
    assert [7, 3] == await listed("another")
    assert [7, 6, 3, 2] == await listed(None)
    assert [6, 3] == await listed(None, up_to=6, limit=2)
    assert [] == await listed(None, since=datetime.now(UTC) + _LATER)
