"""What programs ask for tokens: the token endpoint, revocation, and what a token is.

Source: RFC 6749 section 3.2 and 5, RFC 7009, RFC 8628 section 3.4.
"""

import base64
import binascii
from urllib.parse import unquote_plus

from atomic_registry.clock import Clock
from atomic_registry.errors import CredentialsRejected, GrantRefused, MethodUnsupported
from atomic_registry.faces.oauth.pages import read_form, render_json
from atomic_registry.identity.device_grants import DeviceGrantService
from atomic_registry.identity.grants import GrantService, IssuedTokens
from atomic_registry.identity.oauth_scopes import parse_scopes
from atomic_registry.identity.records import OAuthClient
from atomic_registry.identity.tokens import TokenService
from atomic_registry.web.messages import Query, Request, Response

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
GRANT_TYPES = ("authorization_code", "refresh_token", DEVICE_GRANT)


class TokenHandlers:
    """Secrets are read from bodies and headers only, never from a URL."""

    def __init__(
        self,
        grants: GrantService,
        devices: DeviceGrantService,
        tokens: TokenService,
        *,
        issuer: str,
        clock: Clock,
    ) -> None:
        self._grants = grants
        self._devices = devices
        self._tokens = tokens
        self._issuer = issuer
        self._clock = clock

    async def refuse_get(self, request: Request) -> Response:
        """URLs end up in logs and histories; nothing that is secret may stand in one."""
        raise MethodUnsupported(method="GET", allowed=["POST"])

    async def post(self, request: Request) -> Response:
        form = await read_form(request)
        client = await _client_of(self._grants, request, form)
        match form.get("grant_type"):
            case "authorization_code":
                issued = await self._grants.redeem_code(
                    client,
                    code=_required(form, "code"),
                    redirect_uri=form.get("redirect_uri"),
                    verifier=form.get("code_verifier") or "",
                )
            case "refresh_token":
                issued = await self._grants.refresh(
                    client,
                    refresh_token=_required(form, "refresh_token"),
                    scopes=parse_scopes(form.get("scope") or ""),
                )
            case "urn:ietf:params:oauth:grant-type:device_code":
                issued = await self._devices.poll(client, _required(form, "device_code"))
            case _:
                raise GrantRefused(
                    code="unsupported_grant_type", reason=f"use one of {', '.join(GRANT_TYPES)}"
                )
        return render_json(_answer(issued))

    async def start_device(self, request: Request) -> Response:
        """Begin a login of a program without a browser (RFC 8628, 3.1)."""
        form = await read_form(request)
        client = await _client_of(self._grants, request, form)
        scopes = parse_scopes(form.get("scope") or "")
        started = await self._devices.start(client, scopes, address=request.remote)
        page = f"{self._issuer}/oauth/device"
        return render_json(
            {
                "device_code": started.device_code,
                "user_code": started.user_code,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?user_code={started.user_code}",
                "expires_in": started.expires_in_seconds,
                "interval": started.interval_seconds,
            }
        )

    async def revoke(self, request: Request) -> Response:
        """End a login; an unknown token is as good as revoked (RFC 7009, 2.2)."""
        form = await read_form(request)
        client = await _client_of(self._grants, request, form)
        await self._grants.revoke(client, _required(form, "token"))
        return render_json({})

    async def info(self, request: Request) -> Response:
        """Tell the holder of a token what it is."""
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise CredentialsRejected(what="the token is")
        token = await self._tokens.verify(secret.strip())
        left = None
        if token.expires_at is not None:
            left = int((token.expires_at - self._clock.now()).total_seconds())
        return render_json(
            {
                "user": token.user,
                "kind": token.kind.value,
                "client_id": token.client,
                "scope": " ".join(token.scopes or ("user:full",)),
                "expires_in": left,
            }
        )


async def _client_of(grants: GrantService, request: Request, form: Query) -> OAuthClient:
    """Return the client that a request comes from (RFC 6749, 2.3.1)."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    name, secret = form.get("client_id"), form.get("client_secret")
    if scheme.lower() == "basic":
        named, given = _basic(encoded)
        if secret is not None or name not in {None, named}:
            raise GrantRefused(
                code="invalid_request", reason="say who the client is in one way, not in two"
            )
        return await grants.authenticate_client(named, given)
    if not name:
        raise GrantRefused(code="invalid_client", reason="client authentication failed")
    return await grants.authenticate_client(name, secret or "")


def _basic(encoded: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise GrantRefused(code="invalid_client", reason="client authentication failed") from error
    name, _, secret = text.partition(":")
    return unquote_plus(name), unquote_plus(secret)


def _required(form: Query, name: str) -> str:
    value = form.get(name)
    if not value:
        raise GrantRefused(code="invalid_request", reason=f"{name} is missing")
    return value


def _answer(issued: IssuedTokens) -> dict[str, str | int]:
    answer: dict[str, str | int] = {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "scope": " ".join(issued.scopes),
    }
    if issued.expires_in_seconds is not None:
        answer["expires_in"] = issued.expires_in_seconds
    if issued.refresh_token:
        answer["refresh_token"] = issued.refresh_token
    return answer
