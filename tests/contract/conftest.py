"""What the suites over a metadata store need; a module that tests an adapter gives the `url`."""

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.contract.metadata_store import OpenAnother
from tests.kit.postgres import Postgres, run_postgres

from atomic_registry.clock import SystemClock
from atomic_registry.store.metadata import MetadataDatabase, open_metadata


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    with run_postgres() as server:
        yield server


@pytest.fixture
async def store(url: str) -> AsyncIterator[MetadataDatabase]:
    store = open_metadata(url, SystemClock())
    yield store
    await store.close()


@pytest.fixture
def open_another(url: str) -> OpenAnother:
    return lambda: open_metadata(url, SystemClock())
