"""A database with too much to do, closed, or of a kind that there is none of."""

import threading
from pathlib import Path

import pytest
from tests.kit.clock import ManualClock
from tests.kit.databases import new_sqlite

from atomic_registry.errors import MetadataFailed
from atomic_registry.store.metadata import (
    MetadataDatabase,
    open_metadata,
    prepare_metadata,
)
from atomic_registry.store.metadata import sqlite as sqlite_reads


def opened(directory: Path) -> MetadataDatabase:
    url = new_sqlite(directory)
    return open_metadata(url, ManualClock())


@pytest.mark.parametrize("url", ["mysql://host/name", "metadata.db", "file:///metadata.db"])
def test_a_database_of_another_kind_is_refused_with_those_that_there_are(url: str) -> None:
    for use in (prepare_metadata, lambda url: open_metadata(url, ManualClock())):
        with pytest.raises(ValueError, match=r"sqlite:.*postgresql:"):
            use(url)


async def test_a_closed_database_takes_nothing_more(tmp_path: Path) -> None:
    store = opened(tmp_path)
    await store.close()

    with pytest.raises(MetadataFailed):
        await store.read(lambda tx: None)
    with pytest.raises(MetadataFailed):
        await store.write(lambda tx: None)


async def test_what_waits_in_vain_is_refused_at_once_and_not_queued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path)
    monkeypatch.setattr(sqlite_reads, "_MAX_WAITING_READS", 0)
    with pytest.raises(MetadataFailed, match="too many reads"):
        await store.read(lambda tx: None)
    await store.close()


async def test_a_write_of_a_caller_who_is_gone_is_done_all_the_same(tmp_path: Path) -> None:
    store = opened(tmp_path)
    done = threading.Event()
    future = store._writer.submit(lambda tx: done.set(), durable=True)  # type: ignore[attr-defined]  # of SQLite's
    future.cancel()
    await store.close()

    assert done.is_set()
