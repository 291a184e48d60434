"""The keys of session cookies."""

from atomic_registry.app.master import session_keys
from atomic_registry.config.master_config import SessionSecret


def key(authentication: str, encryption: str) -> bytes:
    return session_keys([SessionSecret(authentication=authentication, encryption=encryption)])[0]


def test_either_text_of_a_pair_rotates_its_key() -> None:
    first = key("a" * 32, "e" * 16)
    assert len(first) == 32
    assert first == key("a" * 32, "e" * 16)
    assert len({first, key("b" * 32, "e" * 16), key("a" * 32, "f" * 16), key("a" * 31, "ae")}) == 4
