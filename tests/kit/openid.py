"""An OpenID provider in memory whose every answer a test can spoil."""

import json
import re
import warnings
from collections.abc import Mapping
from urllib.parse import parse_qs

from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey
from joserfc.registry import HeaderParameter

from atomic_registry.errors import RemoteFailed
from atomic_registry.identity.ports import HttpAnswer
from tests.kit.clock import ManualClock

ISSUER = "https://id.example.test"
CLIENT = "registry"
NONCE = "a-nonce"

_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA", "HS256", "RS512"]


class OpenIdPeer:
    """Implements `HttpClient`; `answers` overrides what a URL answers."""

    def __init__(self, clock: ManualClock) -> None:
        now = int(clock.now().timestamp())
        self.key: Key = RSAKey.generate_key(2048, {"kid": "one"})
        self.published: list[Key] = [self.key]
        self.header: dict[str, object] = {"alg": "RS256", "kid": "one"}
        self.claims: dict[str, object] = {
            "iss": ISSUER,
            "aud": CLIENT,
            "sub": "248289761001",
            "exp": now + 300,
            "iat": now,
            "nonce": NONCE,
            "preferred_username": "mary",
            "name": "Mary Major",
            "email": "mary@example.test",
            "email_verified": True,
        }
        self.user_info: dict[str, object] = {"sub": "248289761001"}
        self.discovery: dict[str, object] = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "userinfo_endpoint": f"{ISSUER}/userinfo",
            "jwks_uri": f"{ISSUER}/keys",
        }
        self.answers: dict[str, HttpAnswer] = {}
        self.id_token: str | None = None
        self.requests: list[tuple[str, str, Mapping[str, str], Mapping[str, list[str]]]] = []

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str] = {}, body: bytes = b""
    ) -> HttpAnswer:
        self.requests.append((method, url, headers, parse_qs(body.decode())))
        if url in self.answers:
            return self.answers[url]
        match url.removeprefix(ISSUER):
            case "/.well-known/openid-configuration":
                return answer(self.discovery)
            case "/keys":
                return answer(KeySet(self.published).as_dict(private=False))
            case "/token":
                return answer(
                    {"access_token": "at", "token_type": "Bearer", "id_token": self.sign()}
                )
            case "/userinfo":
                return answer(self.user_info)
            case _:
                host = re.sub(r"^https?://([^/]*).*", r"\1", url)
                raise RemoteFailed(host=host, reason="no connection")

    def asked(self, path: str) -> int:
        """Return how often a path was asked for."""
        return sum(url == ISSUER + path for _, url, _, _ in self.requests)

    def sign(self) -> str:
        """Return the ID token."""
        if self.id_token is not None:
            return self.id_token
        registry = jws.JWSRegistry(
            # So that a token can ask for an extension.
            header_registry={"exp-policy": HeaderParameter("a test's own", "str")},
            algorithms=_ALGORITHMS,
            strict_check_header=False,
        )
        payload = json.dumps(self.claims)
        with warnings.catch_warnings(category=SecurityWarning, action="ignore"):
            return jws.serialize_compact(self.header, payload, self.key, registry=registry)


def answer(document: object, status: int = 200) -> HttpAnswer:
    return HttpAnswer(status=status, headers={}, body=json.dumps(document).encode())


def new_key(algorithm: str, kid: str) -> Key:
    """Return a private key for an algorithm."""
    match algorithm:
        case "ES256":
            return ECKey.generate_key("P-256", {"kid": kid})
        case "EdDSA":
            return OKPKey.generate_key("Ed25519", {"kid": kid})
        case _:
            return RSAKey.generate_key(2048, {"kid": kid})
