"""Proof key for code exchange, with S256 only.

Source: RFC 7636, RFC 9700 section 2.1.1.
"""

import base64
import hashlib
import hmac
import re

from atomic_registry.errors import GrantRefused
from atomic_registry.identity.oauth_clients import is_public
from atomic_registry.identity.records import OAuthClient

S256 = "S256"
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a PKCE verifier."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def check_challenge(client: OAuthClient, challenge: str | None, method: str | None) -> str:
    """Return the PKCE challenge of an authorization request, empty if none is needed.

    Raises:
        GrantRefused: the client has no secret and sends none, or it is not an S256 challenge.
    """
    if not challenge:
        if is_public(client):
            raise GrantRefused(
                code="invalid_request",
                reason="code_challenge is missing: this client must use PKCE",
            )
        return ""
    if method != S256:
        raise GrantRefused(code="invalid_request", reason="code_challenge_method must be S256")
    if not _CHALLENGE.match(challenge):
        raise GrantRefused(
            code="invalid_request", reason="code_challenge is not a base64url SHA-256"
        )
    return challenge


def proves(challenge: str, verifier: str) -> bool:
    """Tell whether the verifier is the one whose challenge a code was bound to."""
    if not challenge:
        # A verifier without a challenge is a request that was tampered with (RFC 9700, 4.8.2).
        return not verifier
    if not _VERIFIER.match(verifier):
        return False
    return hmac.compare_digest(challenge.encode(), challenge_of(verifier).encode())
