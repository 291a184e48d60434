"""The metadata contract on SQLite, and what holds for a file."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.contract.image_streams import ImageStreamContract
from tests.contract.metadata_store import (
    NAME,
    TAG,
    MetadataStoreContract,
    create,
    manifest,
)
from tests.contract.processes import prepare_in_processes
from tests.contract.push_and_delete import PushAndDeleteContract
from tests.contract.quotas import QuotaContract
from tests.kit.databases import new_sqlite

from atomic_registry.clock import SystemClock
from atomic_registry.errors import MetadataFailed
from atomic_registry.store.metadata import (
    MetadataDatabase,
    SchemaTooNew,
    open_metadata,
    prepare_metadata,
)

_WRITING_PROGRAM = """
import asyncio, sys
from atomic_registry.clock import SystemClock
from atomic_registry.store.metadata import open_metadata
from tests.contract.metadata_store import change

async def main():
    store = open_metadata(sys.argv[1], SystemClock())
    number = 0
    async def work():
        nonlocal number
        while True:
            number += 1
            mine = number
            await store.write(lambda tx: tx.append(change(mine)), durable=mine % 2 == 0)
            print(mine, flush=True)
    await asyncio.gather(*(work() for _ in range(8)))

asyncio.run(main())
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return new_sqlite(tmp_path)


class TestSqlite(MetadataStoreContract, PushAndDeleteContract, ImageStreamContract, QuotaContract):
    """The contract."""


async def test_what_was_acknowledged_survives_the_kill_of_the_process(
    store: MetadataDatabase, url: str
) -> None:
    writer = subprocess.Popen(  # noqa: ASYNC220 - the test has nothing else to run
        [sys.executable, "-c", _WRITING_PROGRAM, url],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(500)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in writer.communicate()[0].split(b"\n")[:-1]]
    log = await store.changes_since(0, 1_000_000)
    assert [revision for revision, _ in log] == list(range(1, len(log) + 1))
    assert set(acknowledged) <= {int(entry.object["number"]) for _, entry in log}
    await store.ping()


async def test_a_closed_store_refuses(url: str) -> None:
    store = open_metadata(url, SystemClock())
    await store.close()
    with pytest.raises(MetadataFailed):
        await store.ping()


async def test_a_newer_schema_is_refused_with_the_release_it_needs(
    tmp_path: Path, url: str
) -> None:
    with sqlite3.connect(tmp_path / "metadata.db") as connection:
        connection.execute(
            "UPDATE schema_info SET schema_version=9, compat_version=8, compat_release='7.5'"
        )
    connection.close()
    with pytest.raises(SchemaTooNew, match=r"7\.5"):
        prepare_metadata(url)


async def test_preparing_at_once_in_several_processes_makes_one_schema(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/metadata.db"
    assert prepare_in_processes(url) == [(0, "")] * 4
    store = open_metadata(url, SystemClock())
    await create(store)
    await store.close()


async def test_a_hot_read_holds_no_snapshot(store: MetadataDatabase, tmp_path: Path) -> None:
    repository, new = await create(store), manifest()
    await store.write(lambda tx: tx.manifests.put(repository.id, new, SystemClock().now()))
    assert await store.find_manifest(NAME, new.digest) is not None
    assert await store.find_manifest(NAME, TAG) is None
    await asyncio.sleep(0)
    await store.ping()
    with sqlite3.connect(tmp_path / "metadata.db") as connection:
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    connection.close()
    assert busy == 0
