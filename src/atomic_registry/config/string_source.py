"""Sensitive values: plain text, or a mapping that says where the text is, perhaps encrypted.

The encrypted form is what `oadm ca encrypt` writes: a PEM block `ENCRYPTED STRING` with the
headers of RFC 1421 section 4.6.1, AES-256-CBC, whose password is the content of a PEM block
`ENCRYPTING KEY`. Source: OpenShift Origin, `pkg/cmd/server/api/stringsource.go`.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from atomic_registry.clock import Clock

ENCRYPTED_BLOCK = "ENCRYPTED STRING"
KEY_BLOCK = "ENCRYPTING KEY"
_MAX_FILE_BYTES = 1024 * 1024
_CIPHER = "AES-256-CBC"
_KEYS = frozenset({"value", "env", "file", "keyFile"})
_BLOCK = re.compile(
    r"-----BEGIN (?P<kind>[^\n-]+)-----\s*\n(?P<headers>(?:[\w-]+:[^\n]*\n)*)\s*"
    r"(?P<body>[A-Za-z0-9+/=\s]*?)-----END (?P=kind)-----"
)


class SourceInvalid(Exception):
    """The text cannot be had; says why without telling any of it."""


def resolve(source: object, directory: Path, environment: Mapping[str, str]) -> str:
    """Return the text that a string source stands for; paths are relative to the directory.

    Raises:
        SourceInvalid: the source is of no known form, or what it names cannot be read.
    """
    if isinstance(source, str):
        return source
    if not isinstance(source, dict):
        raise SourceInvalid("it must be text, or a mapping with one of value, env, file")
    unknown = sorted(str(key) for key in source if key not in _KEYS)
    if unknown:
        raise SourceInvalid(f"{unknown[0]} is none of value, env, file, keyFile")
    given = {str(key): value for key, value in source.items() if value is not None and value != ""}
    if not all(isinstance(value, str) for value in given.values()):
        raise SourceInvalid("value, env, file and keyFile must be text")
    key_file = given.pop("keyFile", None)
    if len(given) != 1:
        raise SourceInvalid("it needs exactly one of value, env, file")
    ((form, value),) = given.items()
    text = _fetch(form, value, directory, environment)
    if key_file is None:
        return text
    return decrypt(text, _read(directory / key_file))


def new_key(clock: Clock) -> str:
    """Return a fresh key as a PEM block `ENCRYPTING KEY`."""
    return _block(KEY_BLOCK, bytes.fromhex(clock.new_id() + clock.new_id()), {})


def encrypt(text: str, key: str, clock: Clock) -> str:
    """Return the text as a PEM block `ENCRYPTED STRING`; `key` is a block of `new_key`.

    Raises:
        SourceInvalid: the key is no such block.
    """
    vector = bytes.fromhex(clock.new_id())
    padder = PKCS7(algorithms.AES.block_size).padder()
    padded = padder.update(text.encode()) + padder.finalize()
    encryptor = _cipher(_password(key), vector).encryptor()
    sealed = encryptor.update(padded) + encryptor.finalize()
    headers = {"Proc-Type": "4,ENCRYPTED", "DEK-Info": f"{_CIPHER},{vector.hex()}"}
    return _block(ENCRYPTED_BLOCK, sealed, headers)


def decrypt(sealed: str, key: str) -> str:
    """Return the text of a PEM block `ENCRYPTED STRING`.

    Raises:
        SourceInvalid: there is no such block in either text, or the key is another's.
    """
    headers, content = _parse(sealed, ENCRYPTED_BLOCK)
    cipher, _, digits = headers.get("DEK-Info", "").partition(",")
    if cipher != _CIPHER:
        raise SourceInvalid(f"it is not encrypted with {_CIPHER}")
    try:
        vector = bytes.fromhex(digits)
        decryptor = _cipher(_password(key), vector).decryptor()
        padded = decryptor.update(content) + decryptor.finalize()
        unpadder = PKCS7(algorithms.AES.block_size).unpadder()
        return (unpadder.update(padded) + unpadder.finalize()).decode()
    except ValueError as error:
        raise SourceInvalid("it cannot be decrypted: is the key file the right one?") from error


def _fetch(form: str, value: str, directory: Path, environment: Mapping[str, str]) -> str:
    if form == "value":
        return value
    if form == "env":
        if not environment.get(value):
            raise SourceInvalid(f"the environment variable {value} is not set")
        return environment[value]
    # An editor ends the file with a newline; no secret does.
    return _read(directory / value).removesuffix("\n").removesuffix("\r")


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
        if len(content) > _MAX_FILE_BYTES:
            raise SourceInvalid(f"{path} is larger than {_MAX_FILE_BYTES} bytes")
        return content.decode()
    except OSError as error:
        raise SourceInvalid(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise SourceInvalid(f"{path} is not text in UTF-8") from error


def _password(key: str) -> bytes:
    _, content = _parse(key, KEY_BLOCK)
    if not content:
        raise SourceInvalid(f"there is nothing in the PEM block {KEY_BLOCK}")
    return content


def _cipher(password: bytes, vector: bytes) -> Cipher[modes.CBC]:
    # The derivation of OpenSSL's old PEM encryption; the password is 256 random bits, so that
    # its weakness against guessing does not matter.
    salt, derived, digest = vector[:8], b"", b""
    while len(derived) < 32:
        digest = hashlib.md5(digest + password + salt, usedforsecurity=False).digest()
        derived += digest
    return Cipher(algorithms.AES256(derived[:32]), modes.CBC(vector))


def _block(kind: str, content: bytes, headers: Mapping[str, str]) -> str:
    encoded = base64.b64encode(content).decode()
    lines = [encoded[start : start + 64] for start in range(0, len(encoded), 64)]
    head = [*(f"{name}: {value}" for name, value in headers.items()), ""] if headers else []
    return "\n".join([f"-----BEGIN {kind}-----", *head, *lines, f"-----END {kind}-----", ""])


def _parse(text: str, kind: str) -> tuple[dict[str, str], bytes]:
    for match in _BLOCK.finditer(text.replace("\r\n", "\n")):
        if match["kind"] != kind:
            continue
        headers = dict(line.split(":", 1) for line in match["headers"].splitlines())
        try:
            content = base64.b64decode("".join(match["body"].split()), validate=True)
        except binascii.Error as error:
            raise SourceInvalid(f"the PEM block {kind} is damaged") from error
        return {name.strip(): value.strip() for name, value in headers.items()}, content
    raise SourceInvalid(f"there is no PEM block {kind}")
