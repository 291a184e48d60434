"""What an OAuth client may ask for: where to, with which secret, which scopes, for how long.

Source: RFC 6749 section 2 and 3.1.2, RFC 8252 section 7.3, RFC 9700 section 2.1.
"""

import hmac
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from urllib.parse import SplitResult, urlsplit

from atomic_registry.errors import GrantRefused
from atomic_registry.identity.oauth_scopes import (
    FULL,
    RoleScope,
    check_scopes,
    find_role_scope,
    is_within,
)
from atomic_registry.identity.ports import Transaction
from atomic_registry.identity.records import (
    ClusterRoleRestriction,
    OAuthClient,
    ScopeRestriction,
)
from atomic_registry.identity.tokens import hash_secret
from atomic_registry.kube.objects import ObjectMeta

BROWSER = "openshift-browser-client"
CHALLENGING = "openshift-challenging-client"
CONSOLE = "cockpit-oauth-client"
CLI = "openshift-cli-client"
DISPLAY_PATH = "/oauth/token/display"
IMPLICIT_PATH = "/oauth/token/implicit"
MIN_INACTIVITY_SECONDS = 300

_SYSTEM = "system:openshift-master"
_MAX_URI_LENGTH = 2000
# Everything that parsers of URLs read in different ways is left out: backslash, white space,
# control characters, anything beyond ASCII.
_PLAIN_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-\[\]^_`a-z{|}~]*\Z")
_LOOPBACKS = ("127.0.0.1", "::1")
_DANGEROUS_SCHEMES = ("javascript", "data", "vbscript", "file", "blob", "about")


def find_redirect_fault(uri: str) -> str | None:
    """Return why the URI can never be redirected to, None if it can."""
    if len(uri) > _MAX_URI_LENGTH or not _PLAIN_URI.match(uri):
        return "it is too long or has characters that a redirect URI may not have"
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return "it cannot be parsed"
    faults = {
        "its scheme is not allowed": parts.scheme in _DANGEROUS_SCHEMES,
        "it has a fragment": "#" in uri,
        "it names no host": parts.scheme in {"http", "https"} and not parts.hostname,
        "it names a user": "@" in parts.netloc,
        "its path has a . or .. segment": _has_dots(parts.path),
    }
    return next((fault for fault, is_present in faults.items() if is_present), None)


def matches_redirect(registered: Iterable[str], wanted: str) -> bool:
    """Tell whether the wanted URI is one of the registered ones or lies below one.

    Scheme, host and port must be equal. The port of a loopback address is free where none is
    registered (RFC 8252, 7.3), because a program listens on whichever it gets.
    """
    if find_redirect_fault(wanted) is not None:
        return False
    target = urlsplit(wanted)
    return any(
        find_redirect_fault(uri) is None and _is_below(urlsplit(uri), target) for uri in registered
    )


def get_redirect(client: OAuthClient, wanted: str | None) -> str:
    """Return the URI to send the answer to; without a wish the only one that is registered.

    Raises:
        GrantRefused: it is not one of the client's. Nothing may be sent there.
    """
    if wanted is None:
        if len(client.redirect_uris) == 1 and find_redirect_fault(client.redirect_uris[0]) is None:
            return client.redirect_uris[0]
        raise GrantRefused(code="invalid_request", reason="redirect_uri is missing")
    if not matches_redirect(client.redirect_uris, wanted):
        fault = (
            find_redirect_fault(wanted) or f"client {client.metadata.name} has not registered it"
        )
        raise GrantRefused(code="invalid_request", reason=f"redirect_uri cannot be used: {fault}")
    return wanted


def is_public(client: OAuthClient) -> bool:
    """Tell whether the client has no secret to prove who it is."""
    return not client.secret_hashes


def check_secret(client: OAuthClient, secret: str) -> None:
    """Return if the secret is one of the client's, or it has none and gives none.

    Raises:
        GrantRefused: it is not.
    """
    if is_public(client):
        if not secret:
            return
    else:
        hashed = hash_secret(secret).encode()
        # Every hash is compared, so that the time tells nothing about which one it was.
        known = [hmac.compare_digest(hashed, it.encode()) for it in client.secret_hashes]
        if any(known):
            return
    raise GrantRefused(code="invalid_client", reason="client authentication failed")


def check_client_scopes(client: OAuthClient, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the scopes to grant: the wanted ones, everything where none is named.

    Raises:
        GrantRefused: one of them is unknown or not for this client.
    """
    scopes = check_scopes(wanted) or (FULL,)
    for scope in scopes:
        if client.scope_restrictions and not _may_ask(client.scope_restrictions, scope):
            raise GrantRefused(
                code="invalid_scope",
                reason=f"client {client.metadata.name} may not ask for scope {scope}",
            )
    return scopes


def access_lifetime(client: OAuthClient, default: timedelta) -> timedelta | None:
    """Return how long the client's access tokens live; the client's 0 is for ever."""
    seconds = client.access_token_max_age_seconds
    if seconds is None:
        return default
    return timedelta(seconds=seconds) if seconds > 0 else None


def inactivity_limit(client: OAuthClient, default: int | None) -> int | None:
    """Return after how many idle seconds the client's tokens die; the client's 0 is never."""
    seconds = client.access_token_inactivity_timeout_seconds
    if seconds is None:
        seconds = default
    return max(seconds, MIN_INACTIVITY_SECONDS) if seconds else None


def ensure_default_clients(
    tx: Transaction, master_urls: Sequence[str], console_urls: Sequence[str], *, now: datetime
) -> None:
    """Store the clients that belong to the product, or mend their redirect URIs.

    The URLs are all those by which browsers come, the usual one first. All clients are public:
    they prove with PKCE that the code is theirs.
    """
    bases = [url.rstrip("/") for url in master_urls]
    for name, uris in (
        (BROWSER, [base + DISPLAY_PATH for base in bases]),
        # Command lines find the usual URL by themselves, and older ones name none.
        (CHALLENGING, [bases[0] + IMPLICIT_PATH]),
        (CONSOLE, [url.rstrip("/") or url for url in console_urls]),
        (CLI, ["http://127.0.0.1/callback", "http://[::1]/callback"]),
    ):
        wanted = OAuthClient(
            metadata=ObjectMeta(name=name),
            redirect_uris=uris,
            respond_with_challenges=name == CHALLENGING,
            grant_method="auto",
        )
        found = tx.objects.find(OAuthClient, name, lock=True)
        if found is None:
            tx.objects.add(wanted, actor=_SYSTEM, now=now)
        elif found.redirect_uris != uris:
            found.redirect_uris = uris
            tx.objects.update(found, actor=_SYSTEM, now=now)


def redirect_source(uri: str) -> str:
    """Return the redirect URI's origin as a source of a content security policy."""
    parts = urlsplit(uri)
    if parts.scheme in {"http", "https"}:
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:"


def _may_ask(restrictions: Sequence[ScopeRestriction], scope: str) -> bool:
    literals = tuple(it for restriction in restrictions for it in restriction.literals)
    if scope in literals or (literals and is_within((scope,), literals)):
        return True
    wanted = find_role_scope(scope)
    return wanted is not None and any(
        _covers_role(it.cluster_role, wanted) for it in restrictions if it.cluster_role is not None
    )


def _covers_role(restriction: ClusterRoleRestriction, wanted: RoleScope) -> bool:
    if wanted.is_escalating and not restriction.allow_escalation:
        return False
    # A wish for all projects is within a list that has `*` only, as it is for all roles.
    is_role = not {"*", wanted.role}.isdisjoint(restriction.role_names)
    return is_role and not {"*", wanted.namespace}.isdisjoint(restriction.namespaces)


def _is_below(registered: SplitResult, target: SplitResult) -> bool:
    if _origin(registered, target) != _origin(target, target) or registered.query != target.query:
        return False
    base = registered.path or "/"
    path = target.path or "/"
    return path == base or path.startswith(base if base.endswith("/") else f"{base}/")


def _origin(parts: SplitResult, target: SplitResult) -> tuple[str, str, int | None]:
    host = parts.hostname or ""
    port = parts.port
    if port is None:
        is_free = parts.scheme == "http" and host in _LOOPBACKS
        port = target.port if is_free else {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, host, port


def _has_dots(path: str) -> bool:
    # Servers decode once more what browsers leave alone.
    plain = path.lower().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/")
    return any(segment in {".", ".."} for segment in plain.split("/"))
