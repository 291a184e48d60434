from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest
from tests.contract.identity_provider import PasswordProviderContract

from atomic_registry.identity.providers.htpasswd import HTPasswd


class TestHTPasswd(PasswordProviderContract):
    @pytest.fixture
    def known(self) -> tuple[str, str]:
        return "mary", "correct horse"

    @pytest.fixture
    def provider(self, tmp_path: Path, known: tuple[str, str]) -> Iterator[HTPasswd]:
        hashed = bcrypt.hashpw(known[1].encode(), bcrypt.gensalt(4)).decode()
        path = tmp_path / "users.htpasswd"
        path.write_text(f"{known[0]}:{hashed}\n")
        provider = HTPasswd(name="htpasswd", path=path)
        yield provider
        provider.close()
