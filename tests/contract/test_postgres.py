"""The metadata contract on PostgreSQL, and what holds for a server."""

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.contract.metadata_store import MetadataStoreContract, OpenAnother, create
from tests.kit.postgres import Postgres, run_postgres

from atomic_registry.clock import SystemClock
from atomic_registry.errors import MetadataFailed
from atomic_registry.store.metadata import MetadataDatabase, open_metadata, prepare_metadata


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with run_postgres() as server:
        yield server


@pytest.fixture
def url(server: Postgres) -> str:
    url = server.new_database()
    prepare_metadata(url)
    prepare_metadata(url)
    return url


@pytest.fixture
async def store(url: str) -> AsyncIterator[MetadataDatabase]:
    store = open_metadata(url, SystemClock())
    yield store
    await store.close()


@pytest.fixture
def open_another(url: str) -> OpenAnother:
    return lambda: open_metadata(url, SystemClock())


class TestPostgres(MetadataStoreContract):
    """The contract."""


async def test_a_server_that_went_away_fails_and_its_return_heals(
    store: MetadataDatabase, server: Postgres
) -> None:
    await create(store)
    server.stop()
    try:
        for _ in range(2):
            with pytest.raises(MetadataFailed):
                await store.ping()
    finally:
        server.start()
    await store.ping()
    await create(store)
