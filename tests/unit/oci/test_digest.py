"""Digests and hashers."""

import hashlib

import pytest

from atomic_registry.errors import DigestInvalid
from atomic_registry.oci.digest import (
    Digest,
    PlainHasher,
    ResumableHasher,
    parse_algorithm,
    restore_hasher,
)

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_digest_of_nothing_is_the_known_one() -> None:
    assert str(Digest.of(b"")) == EMPTY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        ":" + "0" * 64,
        "sha256" + "0" * 64,
        "sha256:" + "0" * 63,
        "sha256:" + "0" * 65,
        "sha256:" + "A" * 64,
        "sha512:" + "0" * 64,
        "md5:" + "0" * 32,
        "SHA256:" + "0" * 64,
        EMPTY + "\n",
        " " + EMPTY,
        "sha256:../../../etc/passwd",
    ],
)
def test_what_is_not_a_digest_is_refused(text: str) -> None:
    with pytest.raises(DigestInvalid):
        Digest.parse(text)


def test_algorithms_that_cannot_be_verified_are_refused() -> None:
    assert parse_algorithm("sha512") == "sha512"
    with pytest.raises(DigestInvalid, match="sha256, sha512"):
        parse_algorithm("md5")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_both_hashers_agree_with_the_standard_library(algorithm: str) -> None:
    expected = hashlib.new(algorithm, b"onetwo").hexdigest()
    for hasher in (PlainHasher(algorithm), ResumableHasher(algorithm)):
        hasher.update(b"one")
        hasher.digest()
        hasher.update(b"two")
        assert Digest(algorithm, expected) == hasher.digest()


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("split", [0, 1, 63, 64, 65, 128, 1000])
def test_a_stored_state_goes_on_where_it_stopped(algorithm: str, split: int) -> None:
    content = bytes(range(256)) * 5
    first = ResumableHasher(algorithm)
    first.update(content[:split])
    state = first.state()
    assert state is not None
    second = restore_hasher(algorithm, state)
    assert second is not None
    second.update(content[split:])
    assert Digest.of(content, algorithm) == second.digest()


def test_a_state_of_another_version_is_not_used() -> None:
    assert restore_hasher("sha256", b"rehashes 0.0.0 whatever") is None


def test_a_plain_hasher_has_no_state() -> None:
    assert PlainHasher("sha256").state() is None
