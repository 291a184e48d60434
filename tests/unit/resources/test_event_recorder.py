"""Pulls and denials as they are counted, written down and removed again."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from tests.kit.clock import ManualClock
from tests.kit.images import image
from tests.kit.pushes import push

from atomic_registry.content.ports import Transaction
from atomic_registry.errors import MetadataFailed, Unavailable
from atomic_registry.identity.records import Project
from atomic_registry.kube.objects import ObjectMeta
from atomic_registry.resources.event_records import Event
from atomic_registry.resources.happenings.expiry import EventExpiry
from atomic_registry.resources.happenings.recorder import EventRecorder
from atomic_registry.resources.happenings.service import KeptEvents
from atomic_registry.store.blobs.memory import MemoryBlobStore
from atomic_registry.store.metadata import MetadataDatabase, open_metadata, prepare_metadata

T = TypeVar("T")
CLOCK = ManualClock()
DAY, SECOND = timedelta(hours=24), timedelta(seconds=1)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("database") / "metadata.db"
    prepare_metadata(f"sqlite:///{path}")
    return path


@pytest.fixture
async def metadata(empty: Path, tmp_path: Path) -> AsyncIterator[MetadataDatabase]:
    """Hold the project "own" with the image "app:v1"."""
    path = tmp_path / empty.name
    path.write_bytes(empty.read_bytes())
    opened = open_metadata(f"sqlite:///{path}", CLOCK)
    own = Project(metadata=ObjectMeta(name="own", uid="uid-own"))
    await opened.write(lambda tx: tx.objects.add(own, actor="test", now=CLOCK.now()))
    await push(opened, MemoryBlobStore(), "own/app", image("one"), "v1", clock=CLOCK)
    yield opened
    await opened.close()


@pytest.fixture
def recorder(metadata: MetadataDatabase) -> EventRecorder:
    return recorder_of(metadata)


def recorder_of(store: "MetadataDatabase | _Away", uid: str = "uid-own") -> EventRecorder:
    return EventRecorder(store, CLOCK, {"own": uid}.get, flush_seconds=60)


def deny(recorder: EventRecorder, *streams: str, who: str = "eve") -> None:
    for stream in streams:
        recorder.denied("own", stream, who=who, what="push repository", message=f"{who} may not")


async def stored(metadata: MetadataDatabase) -> list[Event]:
    return await metadata.read(lambda tx: tx.objects.list(Event, limit=10_000))


async def test_pulls_are_counted_in_one_event_for_each_tag(
    metadata: MetadataDatabase, recorder: EventRecorder
) -> None:
    for _ in range(7):
        recorder.pulled("own", "app", "v1")
    await recorder.flush()
    recorder.pulled("own", "app", "v1")
    recorder.pulled("own", "app", "v2")
    await recorder.flush()

    found = await stored(metadata)

    assert {"Tag v1 pulled": 8, "Tag v2 pulled": 1} == {it.message: it.count for it in found}


async def test_pulls_of_what_is_not_there_make_no_events(
    metadata: MetadataDatabase, recorder: EventRecorder
) -> None:
    recorder.pulled("own", "never-was", "v1")
    recorder.pulled("never-was", "app", "v1")

    assert 1 == await recorder.flush()

    assert [] == await stored(metadata)


async def test_names_that_an_attacker_thinks_of_make_one_event(
    metadata: MetadataDatabase, recorder: EventRecorder
) -> None:
    deny(recorder, *(f"never-{number}" for number in range(5000)))
    written = [await recorder.flush() for _ in range(25)]

    [event] = await stored(metadata)

    # 1,000 are kept in memory, 50 are written at a time, and all come down to one.
    assert [50] * 20 == [count for count in written if count]
    assert (1000, "Project") == (event.count, event.involved_object.kind)


async def test_of_too_many_events_the_newest_of_each_reason_stay(
    metadata: MetadataDatabase, recorder: EventRecorder
) -> None:
    for number in range(15):
        CLOCK.advance(SECOND)
        deny(recorder, "app", who=f"eve-{number:02}")
        await recorder.flush()
    recorder.pulled("own", "app", "v1")
    await recorder.flush()

    await EventExpiry(metadata, CLOCK, KeptEvents(age=DAY, count=10)).expire()

    messages = {event.message for event in await stored(metadata)}
    assert {"Tag v1 pulled", *(f"eve-{number:02} may not" for number in range(5, 15))} == messages


class _Away:
    """A database that is away for a while."""

    def __init__(self, metadata: MetadataDatabase) -> None:
        self.is_away = True
        self._metadata = metadata

    async def read(self, query: Callable[[Transaction], T]) -> T:
        return await self._metadata.read(query)

    async def write(self, change: Callable[[Transaction], T]) -> T:
        if self.is_away:
            raise MetadataFailed(reason="it is away")
        return await self._metadata.write(change)


async def test_what_cannot_be_written_now_is_written_later(metadata: MetadataDatabase) -> None:
    store = _Away(metadata)
    recorder = recorder_of(store)
    recorder.pulled("own", "app", "v1")
    with pytest.raises(Unavailable):
        await recorder.flush()
    recorder.pulled("own", "app", "v1")
    store.is_away = False

    await recorder.flush()

    [event] = await stored(metadata)
    assert 2 == event.count


async def test_old_events_are_removed(metadata: MetadataDatabase, recorder: EventRecorder) -> None:
    deny(recorder, "app")
    await recorder.flush()
    expiry = EventExpiry(metadata, CLOCK, KeptEvents(age=DAY, count=10))
    assert 0 == await expiry.expire()

    CLOCK.advance(DAY + SECOND)

    assert 1 == await expiry.expire()
    assert [] == await stored(metadata)


async def test_what_was_counted_of_a_project_is_not_told_of_its_namesake(
    metadata: MetadataDatabase,
) -> None:
    recorder = recorder_of(metadata, uid="of-the-one-before")
    deny(recorder, "app")
    recorder.pulled("own", "app", "v1")

    assert 2 == await recorder.flush()

    assert [] == await stored(metadata)
