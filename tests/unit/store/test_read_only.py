"""A database on a disk that has become read-only: said as such, and over when the disk is well."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kit.clock import ManualClock
from tests.kit.databases import new_sqlite
from tests.kit.optional import need_commands, need_root, run

from atomic_registry.errors import StorageReadOnly
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.store.metadata import open_metadata, prepare_metadata

NAME = RepositoryName("demo/app")


@contextlib.contextmanager
def read_only(directory: Path) -> Iterator[None]:
    run(["mount", "--bind", directory, directory])
    try:
        run(["mount", "-o", "remount,bind,ro", directory])
        yield
    finally:
        run(["umount", "--lazy", directory])


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    need_root()
    need_commands("mount", "umount")
    made = tmp_path / "datastore"
    made.mkdir()
    return made


async def test_a_read_only_sqlite_file_is_said_and_heals(directory: Path) -> None:
    clock = ManualClock()
    url = new_sqlite(directory)
    store = open_metadata(url, clock)
    await store.write(lambda tx: tx.repositories.ensure(NAME, clock.now()))
    await store.close()

    store = open_metadata(url, clock)
    with read_only(directory):
        for _ in range(2):
            with pytest.raises(StorageReadOnly):
                await store.write(lambda tx: tx.repositories.ensure(NAME, clock.now()))
            with pytest.raises(StorageReadOnly):
                await store.ping()

    await store.ping()
    assert await store.read(lambda tx: tx.repositories.find(NAME)) is not None
    await store.close()


def test_a_read_only_disk_is_said_when_the_database_is_made(directory: Path) -> None:
    with read_only(directory), pytest.raises(StorageReadOnly):
        prepare_metadata(f"sqlite:///{directory}/metadata.db")
