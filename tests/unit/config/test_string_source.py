"""Sensitive values, and the encrypted form that `oadm ca encrypt` writes."""

import base64
from pathlib import Path

import pytest
from tests.kit.optional import need_commands, run

from atomic_registry.clock import SystemClock
from atomic_registry.config.string_source import SourceInvalid, decrypt, encrypt, new_key, resolve

CLOCK = SystemClock()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ({"value": "given"}, "given"),
        ({"env": "SECRET"}, "from environment"),
        ({"file": "secret"}, "from file"),
        ({"file": "secret", "env": "", "value": None, "keyFile": ""}, "from file"),
    ],
)
def test_a_text_comes_from_where_it_is_said_to_be(
    tmp_path: Path, source: object, expected: str
) -> None:
    (tmp_path / "secret").write_text("from file\n")
    assert expected == resolve(source, tmp_path, {"SECRET": "from environment"})


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (7, "must be text"),
        ([], "must be text"),
        ({}, "exactly one"),
        ({"value": "s3cret", "env": "X"}, "exactly one"),
        ({"value": ["s3cret"]}, "must be text"),
        ({"valu": "s3cret"}, "valu is none of"),
        ({"env": "ABSENT"}, "ABSENT is not set"),
        ({"file": "absent"}, "absent: No such file"),
        ({"value": "s3cret", "keyFile": "absent"}, "absent: No such file"),
    ],
)
def test_a_source_that_gives_no_text_is_explained_without_the_secret(
    tmp_path: Path, source: object, reason: str
) -> None:
    with pytest.raises(SourceInvalid, match=reason) as caught:
        resolve(source, tmp_path, {})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "s3cret", "ümlaut\nand lines", "x" * 1000])
@pytest.mark.parametrize("form", ["file", "value", "env"])
def test_an_encrypted_text_is_read_back(tmp_path: Path, text: str, form: str) -> None:
    key = new_key(CLOCK)
    sealed = encrypt(text, key, CLOCK)
    (tmp_path / "key").write_text(key)
    (tmp_path / "sealed").write_text(sealed)
    given = {"file": "sealed", "value": sealed, "env": "SEALED"}[form]
    source = {form: given, "keyFile": "key"}
    assert text == resolve(source, tmp_path, {"SEALED": sealed})


def test_the_blocks_are_those_of_the_original() -> None:
    key = new_key(CLOCK)
    sealed = encrypt("s3cret", key, CLOCK).splitlines()
    assert "-----BEGIN ENCRYPTING KEY-----" == key.splitlines()[0]
    assert "-----BEGIN ENCRYPTED STRING-----" == sealed[0]
    assert "Proc-Type: 4,ENCRYPTED" == sealed[1]
    assert sealed[2].startswith("DEK-Info: AES-256-CBC,")
    assert ["", "-----END ENCRYPTED STRING-----"] == [sealed[3], sealed[-1]]


def test_openssl_derives_the_same_key_and_decrypts(tmp_path: Path) -> None:
    need_commands("openssl")
    password = "a password of text"
    body = base64.b64encode(password.encode()).decode()
    key = f"-----BEGIN ENCRYPTING KEY-----\n{body}\n-----END ENCRYPTING KEY-----\n"
    lines = encrypt("s3cret", key, CLOCK).splitlines()
    vector = lines[2].partition(",")[2]
    (tmp_path / "sealed").write_bytes(base64.b64decode("".join(lines[4:-1])))
    base = ["openssl", "enc", "-aes-256-cbc"]
    derived = run([*base, "-md", "md5", "-S", vector[:16], "-k", password, "-P"])
    derived_key = next(it for it in derived.splitlines() if it.startswith("key=")).partition("=")[2]
    plain = run([*base, "-d", "-K", derived_key, "-iv", vector, "-in", tmp_path / "sealed"])
    assert "s3cret" == plain


def test_each_encryption_differs() -> None:
    key = new_key(CLOCK)
    assert encrypt("s3cret", key, CLOCK) != encrypt("s3cret", key, CLOCK)
    assert key != new_key(CLOCK)


def test_another_key_or_a_damaged_text_is_refused() -> None:
    key = new_key(CLOCK)
    sealed = encrypt("s3cret" * 20, key, CLOCK)
    for broken in (
        sealed.replace("AES-256-CBC", "DES-CBC"),
        sealed.replace("ENCRYPTED STRING", "OTHER"),
        sealed.replace("CBC,", "CBC,zz"),
        "s3cret",
        "",
    ):
        with pytest.raises(SourceInvalid):
            decrypt(broken, key)
    # A wrong key passes the check of the padding now and then, and gives no text even so.
    for _ in range(20):
        with pytest.raises(SourceInvalid):
            decrypt(sealed, new_key(CLOCK))
    with pytest.raises(SourceInvalid, match="ENCRYPTING KEY"):
        decrypt(sealed, sealed)
