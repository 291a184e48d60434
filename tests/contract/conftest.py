"""What the suites over a metadata store need; a module that tests an adapter gives the `url`."""

from collections.abc import AsyncIterator

import pytest
from tests.contract.metadata_store import OpenAnother

from atomic_registry.clock import SystemClock
from atomic_registry.store.metadata import MetadataDatabase, open_metadata


@pytest.fixture
async def store(url: str) -> AsyncIterator[MetadataDatabase]:
    store = open_metadata(url, SystemClock())
    yield store
    await store.close()


@pytest.fixture
def open_another(url: str) -> OpenAnother:
    return lambda: open_metadata(url, SystemClock())
