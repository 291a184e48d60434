"""The store that tests of the domain use in place of a database."""

import pytest
from tests.contract.identity_objects import ObjectsContract
from tests.contract.identity_tokens import LoginsContract, TokensContract
from tests.contract.metadata_store import OpenAnother
from tests.kit.identity_store import MemoryIdentityStore


class TestMemory(ObjectsContract, TokensContract, LoginsContract):
    @pytest.fixture
    def store(self) -> MemoryIdentityStore:
        return MemoryIdentityStore()

    @pytest.fixture
    def open_another(self, store: MemoryIdentityStore) -> OpenAnother:
        return lambda: store  # type: ignore[return-value]  # the suite is typed for databases
