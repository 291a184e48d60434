import pytest
from tests.contract.blob_store import BlobStoreContract

from atomic_registry.content.ports import BlobStore
from atomic_registry.store.blobs.memory import MemoryBlobStore


class TestMemoryBlobStore(BlobStoreContract):
    @pytest.fixture
    def store(self) -> BlobStore:
        return MemoryBlobStore()
