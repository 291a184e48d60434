"""The token endpoint: credentials in, a short registry token for the wanted scopes out.

Source: Distribution, "Docker Registry v2 authentication" (GET) and "OAuth2 Token Authentication"
(POST).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl

import msgspec

from atomic_registry.clock import Clock
from atomic_registry.errors import (
    CredentialsRejected,
    ParameterInvalid,
    RouteUnknown,
    TooLarge,
    Unsupported,
)
from atomic_registry.identity.actors import ANONYMOUS, Actor
from atomic_registry.identity.directory import Directory
from atomic_registry.identity.policy import Policy
from atomic_registry.identity.ports import TokenKind
from atomic_registry.identity.registry_tokens import LIFETIME, RegistryTokens
from atomic_registry.identity.scopes import RepositoryScope, asks_for_catalog, parse_scopes
from atomic_registry.identity.tokens import TokenService
from atomic_registry.kube.objects import timestamp
from atomic_registry.web.credentials import Credentials, actor_of_token
from atomic_registry.web.endpoint import Access
from atomic_registry.web.messages import Request, Response

REFRESH_CLIENT = "registry"
_REFRESH_LIFETIME = timedelta(days=30)
_MAX_FORM_BYTES = 64 * 1024
_FORM = "application/x-www-form-urlencoded"
_ANYBODY = Access()


class TokenHandlers:
    """Mints registry tokens; what the caller may not do is left out, never an error."""

    def __init__(
        self,
        credentials: Credentials,
        policy: Policy,
        directory: Directory,
        registry_tokens: RegistryTokens,
        tokens: TokenService,
        clock: Clock,
    ) -> None:
        self._credentials = credentials
        self._policy = policy
        self._directory = directory
        self._registry_tokens = registry_tokens
        self._tokens = tokens
        self._clock = clock

    async def get(self, request: Request) -> Response:
        """GET: Basic credentials, or none for an anonymous token."""
        actor = await self._credentials.authenticate(request, _ANYBODY)
        if actor.repositories is not None:
            # Otherwise a token could be exchanged for another one for ever.
            raise CredentialsRejected(what="registry token at the place where they are made")
        scopes = request.query.get_all("scope")
        wants_refresh = request.query.get("offline_token") in {"true", "1"}
        refresh = await self._new_refresh_token(actor) if wants_refresh else None
        return await self._answer(request, actor, scopes, refresh)

    async def post(self, request: Request) -> Response:
        """POST: the OAuth 2 form, with a password or a refresh token."""
        form = await _read_form(request)
        scopes = [value for key, value in form if key == "scope"]
        fields = dict(form)
        refresh: str | None = None
        match fields.get("grant_type"):
            case "password":
                username, password = fields.get("username", ""), fields.get("password", "")
                actor = await self._credentials.login(request, username, password)
                if fields.get("access_type") == "offline":
                    refresh = await self._new_refresh_token(actor)
            case "refresh_token":
                refresh = fields.get("refresh_token", "")
                actor = await self._from_refresh_token(refresh)
            case other:
                raise Unsupported(
                    what=f"grant type {other or ''!r}", hint="use password or refresh_token"
                )
        return await self._answer(request, actor, scopes, refresh)

    async def _answer(
        self, request: Request, actor: Actor, scopes: Sequence[str], refresh_token: str | None
    ) -> Response:
        # For the access log.
        request.actor = actor
        wanted = parse_scopes(scopes)
        granted = self._narrow(actor, wanted)
        # What was granted a moment ago may not have been taken in yet.
        if self._is_less(granted, wanted) and await self._credentials.refresh():
            granted = self._narrow(actor, wanted)
        token = await self._registry_tokens.mint(
            actor,
            granted,
            project_uid=lambda name: self._directory.projects.get(name, ""),
            # `podman search` asks for no scope at all, and then for the list.
            for_catalog=not scopes or asks_for_catalog(scopes),
        )
        body: dict[str, object] = {
            "token": token,
            "access_token": token,
            "expires_in": int(LIFETIME.total_seconds()),
            "issued_at": timestamp(self._clock.now()),
        }
        if refresh_token is not None:
            body["refresh_token"] = refresh_token
        return Response(
            status=200,
            headers={"Content-Type": "application/json", "Cache-Control": "no-store"},
            body=msgspec.json.encode(body),
        )

    def _narrow(self, actor: Actor, wanted: Sequence[RepositoryScope]) -> list[RepositoryScope]:
        allowed = self._policy.allowed
        return [
            replace(
                scope,
                actions=frozenset(
                    verb for verb in scope.actions if allowed(actor, verb, scope.repository)
                ),
            )
            for scope in wanted
        ]

    def _is_less(
        self, granted: Sequence[RepositoryScope], wanted: Sequence[RepositoryScope]
    ) -> bool:
        projects = self._directory.projects
        return granted != wanted or any(
            scope.repository.project not in projects for scope in wanted
        )

    async def _new_refresh_token(self, actor: Actor) -> str | None:
        if actor == ANONYMOUS:
            return None
        secret, _ = await self._tokens.mint(
            TokenKind.REFRESH,
            user=actor.name,
            user_uid=actor.uid,
            scopes=actor.scopes or (),
            client=REFRESH_CLIENT,
            description="docker login",
            lifetime=_REFRESH_LIFETIME,
            state={"parent": actor.token_id},
        )
        return secret

    async def _from_refresh_token(self, secret: str) -> Actor:
        token = await self._tokens.verify(secret, kinds=(TokenKind.REFRESH,))
        if token.client != REFRESH_CLIENT:
            raise CredentialsRejected(what="refresh token")
        actor = actor_of_token(token)
        if not self._directory.is_current(actor):
            raise CredentialsRejected(what="refresh token")
        parent = token.state.get("parent")
        if not parent:
            return actor
        login = await self._tokens.find(parent)
        now = self._clock.now()
        if login is None or (login.expires_at is not None and login.expires_at <= now):
            raise CredentialsRejected(what="refresh token")
        # What is made now ends with the token that was logged in with.
        return replace(actor, token_id=parent)


class NoTokens:
    """Stands in where there is no access control: nobody needs a token."""

    async def get(self, request: Request) -> Response:
        raise RouteUnknown(path=request.path)

    async def post(self, request: Request) -> Response:
        raise RouteUnknown(path=request.path)


async def _read_form(request: Request) -> list[tuple[str, str]]:
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != _FORM:
        raise Unsupported(what="this form of the body", hint=f"send {_FORM}")
    content = b""
    async for chunk in request.body:
        content += chunk
        if len(content) > _MAX_FORM_BYTES:
            raise TooLarge(what="the form", limit=_MAX_FORM_BYTES)
    try:
        return parse_qsl(content.decode(), keep_blank_values=True, max_num_fields=200)
    except ValueError as error:
        raise ParameterInvalid(
            parameter="form", value="", reason="use UTF-8 and at most 200 fields"
        ) from error
