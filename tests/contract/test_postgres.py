"""The metadata contract on PostgreSQL, and what holds for a server."""

import psycopg
import pytest
from tests.contract.image_streams import ImageStreamContract
from tests.contract.metadata_store import MetadataStoreContract, create
from tests.contract.processes import prepare_in_processes
from tests.contract.push_and_delete import PushAndDeleteContract
from tests.contract.quotas import QuotaContract
from tests.kit.postgres import Postgres

from atomic_registry.clock import SystemClock
from atomic_registry.errors import MetadataFailed, StorageReadOnly
from atomic_registry.store.metadata import (
    MetadataDatabase,
    SchemaTooNew,
    open_metadata,
    prepare_metadata,
)


@pytest.fixture
def url(server: Postgres) -> str:
    return server.new_registry()


class TestPostgres(
    MetadataStoreContract, PushAndDeleteContract, ImageStreamContract, QuotaContract
):
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


async def test_preparing_at_once_in_several_processes_makes_one_schema(server: Postgres) -> None:
    urls = [server.new_database() for _ in range(3)]
    assert prepare_in_processes(*urls) == [(0, "")] * 4
    for url in urls:
        store = open_metadata(url, SystemClock())
        await create(store)
        await store.close()
        with psycopg.connect(url) as connection:
            rows = connection.execute("SELECT count(*) FROM schema_info").fetchone()
        assert rows == (1,)


async def test_a_newer_schema_is_refused_with_the_release_it_needs(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "UPDATE schema_info SET schema_version=9, compat_version=8, compat_release='7.5'"
        )
    with pytest.raises(SchemaTooNew, match=r"7\.5"):
        prepare_metadata(url)


async def test_a_read_only_server_is_said(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    store = open_metadata(url, SystemClock())
    try:
        with pytest.raises(StorageReadOnly):
            await create(store)
    finally:
        await store.close()
