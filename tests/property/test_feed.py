"""The replay of the change log is the list, at every revision, whoever wrote in the meantime."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kit.databases import new_sqlite

from atomic_registry.clock import SystemClock
from atomic_registry.events.feed import Feed, Subscription
from atomic_registry.events.ports import ADDED, DELETED, Change
from atomic_registry.identity.ports import Transaction
from atomic_registry.identity.records import Group, User
from atomic_registry.store.metadata import MetadataDatabase, open_metadata

# Reads "verb name" lines; each is one transaction, but those joined by commas are one together.
_WRITER = """
import asyncio, sys
from atomic_registry.clock import SystemClock
from atomic_registry.errors import AlreadyExists
from atomic_registry.identity.records import Group, User
from atomic_registry.kube.objects import ObjectMeta
from atomic_registry.store.metadata import open_metadata

def change(tx, steps, number):
    now = SystemClock().now()
    for position, step in enumerate(steps):
        verb, plural, name = step.split()
        kind = User if plural == "users" else Group
        found = tx.objects.find(kind, name)
        if verb == "put" and found is None:
            tx.objects.add(kind(metadata=ObjectMeta(name=name)), actor="w", now=now)
        elif verb == "put":
            found.metadata.labels = {"number": f"{number}.{position}"}
            tx.objects.update(found, actor="w", now=now)
        elif found is not None:
            tx.objects.remove(found, actor="w", now=now)

async def run(url, program):
    store = open_metadata(url, SystemClock())
    print("ready", flush=True)
    sys.stdin.readline()
    for number, line in enumerate(program.split(";")):
        await store.write(lambda tx: change(tx, line.split(","), number), durable=False)
    await store.close()
    print("done", flush=True)

for line in sys.stdin:
    asyncio.run(run(*line.strip().split("|")))
"""
_STEP = st.tuples(
    st.sampled_from(["put", "put", "remove"]),
    st.sampled_from(["users", "groups"]),
    st.sampled_from("abcd"),
).map(" ".join)
_PROGRAM = st.lists(st.lists(_STEP, min_size=1, max_size=3).map(",".join), min_size=1, max_size=12)
KINDS = frozenset({"users", "groups"})
Key = tuple[str, str]


class Writer:
    """A process that runs one program after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WRITER],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def expect(self, word: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == f"{word}\n"

    def end(self) -> None:
        self._process.communicate(timeout=30)
        assert self._process.returncode == 0


@pytest.fixture(scope="module")
def writers() -> Iterator[list[Writer]]:
    made = [Writer(), Writer()]
    yield made
    for writer in made:
        writer.end()


async def listed(store: MetadataDatabase) -> tuple[dict[Key, int], int]:
    """The revision of each object, and the newest of all, of one snapshot."""

    def query(tx: Transaction) -> tuple[dict[Key, int], int]:
        items = [item for kind in (User, Group) for item in tx.objects.list(kind, limit=1000)]
        found = {(it.plural, it.metadata.name): int(it.metadata.resource_version) for it in items}
        return found, tx.object_changes(0, limit=0)[1]

    return await store.read(query)


async def collect(subscription: Subscription, until: int) -> list[Change]:
    """Everything up to a revision."""
    found = []
    async with asyncio.timeout(10):
        while subscription.revision < until:
            change = await subscription.next()
            if change is not None:
                found.append(change)
    return found


def replayed(start: dict[Key, int], changes: list[Change], until: int) -> dict[Key, int]:
    state = dict(start)
    for change in changes:
        key = (change.kind, change.name)
        if change.revision > until:
            break
        assert (key in state) == (change.verb != ADDED), change
        if change.verb == DELETED:
            del state[key]
        else:
            state[key] = change.revision
            body = msgspec.json.decode(change.body)
            assert change.name == body["metadata"]["name"]
    return state


async def check(url: str, writers: list[Writer], programs: list[list[str]]) -> None:
    store = open_metadata(url, SystemClock())
    feed = Feed(store, poll_seconds=0.002)
    following = asyncio.create_task(feed.run())
    for writer, program in zip(writers, programs, strict=True):
        writer.say(f"{url}|{';'.join(program)}")
        writer.expect("ready")
    early = await feed.subscribe(0, kinds=KINDS)
    snapshots = [await listed(store)]
    late = []
    for writer in writers:
        writer.say("go")
    ends = [asyncio.create_task(asyncio.to_thread(it.expect, "done")) for it in writers]
    while not all(end.done() for end in ends):
        snapshots.append(await listed(store))
        late.append((snapshots[-1], await feed.subscribe(snapshots[-1][1], kinds=KINDS)))
        await asyncio.sleep(0.003)
    await asyncio.gather(*ends)
    snapshots.append(await listed(store))
    end = snapshots[-1][1]
    for subscription in (early, *(it for _, it in late)):
        asyncio.get_running_loop().call_later(0.05, subscription.wake)

    log = await collect(early, end)
    assert list(range(1, end + 1)) == [change.revision for change in log]
    for state, revision in snapshots:
        assert state == replayed({}, log, revision)
    for (state, revision), subscription in late:
        assert log[revision:] == await collect(subscription, end)
        assert snapshots[-1][0] == replayed(state, log[revision:], end)
    following.cancel()
    await store.close()


@settings(max_examples=8, deadline=None)
@given(_PROGRAM, _PROGRAM)
def test_the_replay_is_the_list_at_every_revision_with_writers_in_two_processes(
    writers: list[Writer], first: list[str], second: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        url = new_sqlite(directory)
        asyncio.run(check(url, writers, [first, second]))
