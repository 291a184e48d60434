"""Hashes of an htpasswd file: apr1, bcrypt, {SHA} and argon2.

`parse_hash` refuses every other kind, crypt and plain text among them.
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum

import argon2
import bcrypt
from passlib.hash import apr_md5_crypt  # type: ignore[import-untyped]  # libpass has no types

_BCRYPT = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_APR1 = re.compile(r"\$apr1\$([./A-Za-z0-9]{1,8})\$[./A-Za-z0-9]{22}")
_BCRYPT_BYTES = 72
# A file must not be able to stop all logins: each of these takes seconds at most.
_MAX_BCRYPT_COST = 15
_MAX_ARGON2_KIBIBYTES = 1024 * 1024
_MAX_ARGON2_PASSES = 32


class Scheme(StrEnum):
    """How a password is hashed."""

    APR1 = "apr1"
    BCRYPT = "bcrypt"
    SHA = "sha"
    ARGON2 = "argon2"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordHash:
    """A hash that can be checked. Hashes of one `cost` take the same time to check."""

    scheme: Scheme
    cost: str
    text: str

    def matches(self, password: bytes) -> bool:
        """Check a password; the time does not depend on whether it is right."""
        match self.scheme:
            case Scheme.APR1:
                return _matches_apr1(self.text, password)
            case Scheme.BCRYPT:
                return _matches_bcrypt(self.text, password)
            case Scheme.SHA:
                digest = hashlib.sha1(password, usedforsecurity=False).digest()
                return hmac.compare_digest(digest, base64.b64decode(self.text[5:]))
            case Scheme.ARGON2:
                return _matches_argon2(self.text, password)


def parse_hash(text: str) -> PasswordHash | None:
    """Return the hash, or None if it is of no kind that is accepted, damaged or too costly."""
    if text.startswith("{SHA}"):
        return _parse_sha(text)
    if _APR1.fullmatch(text):
        return PasswordHash(scheme=Scheme.APR1, cost="apr1", text=text)
    if text.startswith("$argon2"):
        return _parse_argon2(text)
    found = _BCRYPT.fullmatch(text)
    if found is None or not 4 <= int(found[1]) <= _MAX_BCRYPT_COST:
        return None
    return PasswordHash(scheme=Scheme.BCRYPT, cost=f"bcrypt {found[1]}", text=text)


def _parse_sha(text: str) -> PasswordHash | None:
    try:
        digest = base64.b64decode(text[5:], validate=True)
    except binascii.Error:
        return None
    if len(digest) != hashlib.sha1(usedforsecurity=False).digest_size:
        return None
    return PasswordHash(scheme=Scheme.SHA, cost="sha", text=text)


def _parse_argon2(text: str) -> PasswordHash | None:
    try:
        given = argon2.extract_parameters(text)
    except argon2.exceptions.InvalidHashError:
        return None
    if given.memory_cost > _MAX_ARGON2_KIBIBYTES or given.time_cost > _MAX_ARGON2_PASSES:
        return None
    cost = f"{given.type} {given.memory_cost} {given.time_cost} {given.parallelism}"
    return PasswordHash(scheme=Scheme.ARGON2, cost=cost, text=text)


def _matches_apr1(text: str, password: bytes) -> bool:
    found = _APR1.fullmatch(text)
    if found is None or b"\0" in password:
        return False
    actual: str = apr_md5_crypt.using(salt=found[1]).hash(password)
    return hmac.compare_digest(actual.encode(), text.encode())


def _matches_bcrypt(text: str, password: bytes) -> bool:
    # bcrypt sees 72 bytes and no NUL; what it cannot see is never right, but costs as much.
    usable = len(password) <= _BCRYPT_BYTES and b"\0" not in password
    seen = password[:_BCRYPT_BYTES].replace(b"\0", b"?")
    return bcrypt.checkpw(seen, text.encode()) and usable


def _matches_argon2(text: str, password: bytes) -> bool:
    try:
        return argon2.PasswordHasher().verify(text, password)
    except argon2.exceptions.VerificationError:
        return False
