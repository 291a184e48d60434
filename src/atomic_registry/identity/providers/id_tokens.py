"""Verifies ID tokens (OpenID Connect Core, section 3.1.3.7).

The key comes from the provider's key set and nowhere else: key material in a token's header is
ignored. Algorithms with a shared secret are not known here at all.
"""

import asyncio
import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from dataclasses import dataclass
from math import inf

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from atomic_registry.clock import Clock

SKEW_SECONDS = 60
REFRESH_SECONDS = 60
KEYS_SECONDS = 3600
_KEYS = 100
# Of the modulus in base64url: 2048 to 8192 bits; a larger one would cost too much to use.
_MODULUS_LENGTHS = range(342, 1400)
_EXPONENT_LENGTH = 8
_HEADER_BYTES = 4096
_TOKEN_BYTES = 128 * 1024
# Algorithm -> kind of key and its curve.
_ALGORITHMS: Mapping[str, tuple[str, str]] = {
    "RS256": ("RSA", ""),
    "PS256": ("RSA", ""),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
}
_KINDS: Mapping[str, type[RSAKey] | type[ECKey] | type[OKPKey]] = {
    "RSA": RSAKey,
    "EC": ECKey,
    "OKP": OKPKey,
}

Key = RSAKey | ECKey | OKPKey


class IdTokenInvalid(Exception):
    """An ID token may not be believed; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    algorithm: str
    key_id: str


class KeyRing:
    """The provider's keys, fetched when a token names one that is not known, and every hour.

    A key that the provider takes back is believed no longer than that.
    `fetch` returns the key set's document.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Mapping[str, object]]], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: tuple[Key, ...] = ()
        self._fetched_at: float | None = None
        self._lock = asyncio.Lock()

    async def get(self, algorithm: str, key_id: str) -> Key:
        """Return the key for a token.

        Raises:
            IdTokenInvalid: there is none, or several without telling which.
        """
        known = self._matching(algorithm, key_id)
        if not known or self._age() >= KEYS_SECONDS:
            await self._refresh(self._keys)
            known = self._matching(algorithm, key_id)
        if len(known) != 1:
            raise IdTokenInvalid("its signing key is not one of the provider's")
        return known[0]

    async def _refresh(self, seen: tuple[Key, ...]) -> None:
        async with self._lock:
            if self._keys is not seen:
                return
            # Tokens with invented key ids must not turn into requests to the provider.
            if self._age() < REFRESH_SECONDS:
                return
            self._keys = _read_keys(await self._fetch())
            self._fetched_at = self._clock.monotonic()

    def _age(self) -> float:
        return inf if self._fetched_at is None else self._clock.monotonic() - self._fetched_at

    def _matching(self, algorithm: str, key_id: str) -> list[Key]:
        kind, curve = _ALGORITHMS[algorithm]
        return [
            key
            for key in self._keys
            if key.key_type == kind
            and key.get("crv", "") == curve
            and key.get("alg", algorithm) == algorithm
            and (not key_id or key.get("kid") == key_id)
        ]


class IdTokenVerifier:
    """Checks ID tokens of one issuer for one client."""

    def __init__(self, *, issuer: str, client_id: str, keys: KeyRing, clock: Clock) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._keys = keys
        self._clock = clock

    async def verify(self, token: str, *, nonce: str) -> Mapping[str, object]:
        """Return the claims of a token that is meant for this login.

        Raises:
            IdTokenInvalid: it may not be believed.
        """
        header = _read_header(token)
        key = await self._keys.get(header.algorithm, header.key_id)
        claims = _open(token, header.algorithm, key)
        self._check_parties(claims)
        self._check_times(claims)
        given = claims.get("nonce")
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
            raise IdTokenInvalid("it belongs to another login (nonce)")
        return claims

    def _check_parties(self, claims: Mapping[str, object]) -> None:
        if claims.get("iss") != self._issuer:
            raise IdTokenInvalid("it comes from another issuer")
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if self._client_id not in audiences:
            raise IdTokenInvalid("it is meant for another client (aud)")
        party = claims.get("azp")
        if (len(audiences) > 1 or party is not None) and party != self._client_id:
            raise IdTokenInvalid("it was given to another client (azp)")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject:
            raise IdTokenInvalid("it names nobody (sub)")

    def _check_times(self, claims: Mapping[str, object]) -> None:
        now = self._clock.now().timestamp()
        expires, issued = _time(claims, "exp"), _time(claims, "iat")
        if expires is None or issued is None:
            raise IdTokenInvalid("it lacks a time (exp or iat)")
        if now >= expires + SKEW_SECONDS:
            raise IdTokenInvalid("it has expired")
        starts = _time(claims, "nbf")
        if now < max(issued, issued if starts is None else starts) - SKEW_SECONDS:
            raise IdTokenInvalid("it is not valid yet; compare the clocks")


def _read_keys(document: Mapping[str, object]) -> tuple[Key, ...]:
    listed = document.get("keys")
    if not isinstance(listed, list):
        return ()
    found = (_read_key(one) for one in listed[:_KEYS])
    return tuple(key for key in found if key is not None)


def _read_key(document: object) -> Key | None:
    """Return a public key for signatures; keys of other kinds and uses are passed over."""
    if not isinstance(document, dict) or document.get("use", "sig") != "sig":
        return None
    kind = _KINDS.get(str(document.get("kty")))
    if kind is None:
        return None
    if kind is RSAKey and not _is_reasonable(document):
        return None
    try:
        return kind.import_key(document)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _is_reasonable(rsa: Mapping[str, object]) -> bool:
    modulus, exponent = rsa.get("n"), rsa.get("e")
    return (
        isinstance(modulus, str)
        and len(modulus) in _MODULUS_LENGTHS
        and isinstance(exponent, str)
        and len(exponent) <= _EXPONENT_LENGTH
    )


def _read_header(token: str) -> _Header:
    encoded = token.partition(".")[0]
    if len(token) > _TOKEN_BYTES or token.count(".") != 2:
        raise IdTokenInvalid("it is not a signed token")
    try:
        text = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        header = msgspec.json.decode(text, type=dict[str, object])
    except (binascii.Error, ValueError, RecursionError):
        raise IdTokenInvalid("its header cannot be read") from None
    algorithm, key_id = header.get("alg"), header.get("kid", "")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise IdTokenInvalid("its algorithm is not allowed")
    # RFC 7515 section 4.1.11: no extension is understood here.
    if not isinstance(key_id, str) or "crit" in header:
        raise IdTokenInvalid("its header cannot be read")
    return _Header(algorithm=algorithm, key_id=key_id)


def _registry(algorithm: str) -> jws.JWSRegistry:
    """Return the library's registry, with one algorithm."""
    # Providers put names of their own into headers.
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = _HEADER_BYTES
    # The library warns of the name EdDSA since RFC 9864 names the curve instead; providers still
    # write it, and the key's curve is fixed here.
    model = copy(registry.algorithms[algorithm])
    model.security_warning = None
    registry.algorithms = {algorithm: model}
    return registry


def _open(token: str, algorithm: str, key: Key) -> Mapping[str, object]:
    registry = _registry(algorithm)
    try:
        opened = jws.deserialize_compact(token, key, registry=registry)
        return msgspec.json.decode(opened.payload, type=dict[str, object])
    except (JoseError, ValueError, RecursionError):
        raise IdTokenInvalid("its signature is wrong") from None


def _time(claims: Mapping[str, object], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e12:
        raise IdTokenInvalid(f"its time {name} is none")
    return float(value)
