"""Credentials of a request: Basic, Bearer or a client certificate, turned into an actor.

A password may be the user's own or any token; a bearer may be a signed registry token or a
stored one. Verified registry tokens are remembered by hash, never what a token gives access to.
"""

from base64 import b64decode
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Protocol

from atomic_registry.clock import Clock
from atomic_registry.errors import CredentialsRejected
from atomic_registry.identity.actors import (
    ANONYMOUS,
    AUTHENTICATED,
    AUTHENTICATED_OAUTH,
    Actor,
    split_service_account,
)
from atomic_registry.identity.directory import Directory
from atomic_registry.identity.ports import StoredToken
from atomic_registry.identity.registry_tokens import Claims, RegistryTokens
from atomic_registry.web.endpoint import Access
from atomic_registry.web.messages import Request

# A stored token that is revoked takes the registry tokens made with it along, this much later.
_RECHECK_SECONDS = 5.0
_MAX_REMEMBERED = 20_000
_MAX_HEADER_BYTES = 16_384
# How long after its end a registry token still carries an upload that it began.
_LATE = timedelta(hours=24)


class PasswordLogins(Protocol):
    """See `identity.logins.LoginService`."""

    async def login(self, username: str, password: str, *, address: str) -> Actor: ...


class TokenVerifier(Protocol):
    """See `identity.tokens.TokenService`."""

    async def verify(self, secret: str) -> StoredToken: ...

    async def find(self, token_id: str) -> StoredToken | None: ...


@dataclass(slots=True)
class _Remembered:
    """An actor as of a version of the directory; `until` is a monotonic time."""

    actor: Actor
    version: int
    until: float


class Credentials:
    """Implements `Authenticator`."""

    def __init__(
        self,
        directory: Directory,
        logins: PasswordLogins,
        tokens: TokenVerifier,
        registry_tokens: RegistryTokens,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._logins = logins
        self._tokens = tokens
        self._registry_tokens = registry_tokens
        self._clock = clock
        self._remembered: dict[bytes, _Remembered] = {}

    def recall(self, request: Request, access: Access) -> Actor | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None if request.certificate is not None else ANONYMOUS
        found = self._remembered.get(_key(header))
        if found is None or found.version != self._directory.version:
            return None
        return found.actor if self._clock.monotonic() < found.until else None

    async def authenticate(self, request: Request, access: Access) -> Actor:
        header = request.headers.get("Authorization")
        if header is None:
            return self._from_certificate(request)
        if len(header) > _MAX_HEADER_BYTES:
            raise CredentialsRejected(what="Authorization header")
        scheme, _, value = header.partition(" ")
        match scheme.lower():
            case "bearer":
                if value.count(".") == 2:
                    late = _LATE if access.continues else timedelta(0)
                    return await self._from_registry_token(header, value.strip(), late)
                return await self._from_stored(value.strip())
            case "basic":
                username, password = _read_basic(value)
                return await self.login(request, username, password)
            case _:
                raise CredentialsRejected(what="Authorization header: use Basic or Bearer; it was")

    async def login(self, request: Request, username: str, password: str) -> Actor:
        """Return whom a user name and a password, or any token in its place, stand for."""
        if looks_like_token(password):
            return await self._from_stored(password)
        return await self._logins.login(username, password, address=request.remote)

    async def identify(self, secret: str) -> Actor:
        """Return whom a stored token stands for.

        Raises:
            CredentialsRejected: nobody, or an account that is gone or disabled.
        """
        return await self._from_stored(secret)

    async def refresh(self) -> bool:
        return await self._directory.refresh()

    async def _from_stored(self, secret: str) -> Actor:
        token = await self._tokens.verify(secret)
        actor = actor_of_token(token)
        return await self._current(actor)

    async def _from_registry_token(self, header: str, value: str, late: timedelta) -> Actor:
        claims = await self._registry_tokens.verify(value, late=late)
        if claims.token_id:
            parent = await self._tokens.find(claims.token_id)
            if parent is None or _is_over(parent, self._clock.now() - late):
                raise CredentialsRejected(what="registry token")
        projects = self._directory.projects
        if any(
            projects.get(_project(name)) != uid for name, (_, uid) in claims.repositories.items()
        ):
            # A project may be newer than the view.
            await self._directory.refresh()
        await self._current(self._actor_of(claims))
        # Once more, on the view that knows the account.
        actor = self._actor_of(claims)
        if not late:
            self._remember(header, claims, actor)
        return actor

    async def _current(self, actor: Actor) -> Actor:
        if not self._directory.is_current(actor):
            # The account may be newer than the view.
            await self._directory.refresh()
            if not self._directory.is_current(actor):
                raise CredentialsRejected(what="credentials of an account that is gone or disabled")
        return actor

    def _actor_of(self, claims: Claims) -> Actor:
        projects = self._directory.projects
        return Actor(
            name=claims.user,
            uid=claims.user_uid,
            groups=frozenset(claims.groups),
            scopes=claims.scopes,
            token_id=claims.token_id,
            # A project that was deleted and made anew is another one.
            repositories={
                name: actions
                for name, (actions, uid) in claims.repositories.items()
                if projects.get(_project(name), "") == uid
            },
            for_catalog=claims.for_catalog,
        )

    def _remember(self, header: str, claims: Claims, actor: Actor) -> None:
        if len(self._remembered) >= _MAX_REMEMBERED:
            self._remembered.clear()
        left = (claims.expires_at - self._clock.now()).total_seconds()
        if claims.token_id:
            left = min(left, _RECHECK_SECONDS)
        self._remembered[_key(header)] = _Remembered(
            actor, self._directory.version, self._clock.monotonic() + left
        )

    def _from_certificate(self, request: Request) -> Actor:
        certificate = request.certificate
        if certificate is None:
            return ANONYMOUS
        groups = frozenset({AUTHENTICATED, *certificate.organizations})
        return Actor(name=certificate.common_name, groups=groups)


def actor_of_token(token: StoredToken) -> Actor:
    """Return whom a stored token stands for."""
    # By the name, not the kind: what a robot's token was exchanged for is a robot's still.
    is_robot = split_service_account(token.user) is not None
    return Actor(
        name=token.user,
        uid=token.user_uid,
        groups=frozenset({AUTHENTICATED} if is_robot else {AUTHENTICATED, AUTHENTICATED_OAUTH}),
        scopes=token.scopes or None,
        token_id=token.id,
    )


def _project(repository: str) -> str:
    return repository.partition("/")[0]


def _is_over(token: StoredToken, now: datetime) -> bool:
    return token.expires_at is not None and token.expires_at <= now


def _key(header: str) -> bytes:
    # Bytes of a header that are not UTF-8 arrive as surrogates.
    return sha256(header.encode("utf-8", "surrogatepass")).digest()


def looks_like_token(secret: str) -> bool:
    """Tell a stored token from a password by its form."""
    return secret.startswith(("atr_", "sha256~"))


def _read_basic(value: str) -> tuple[str, str]:
    try:
        text = b64decode(value.strip(), validate=True).decode()
    except ValueError as error:
        raise CredentialsRejected(what="Basic credentials") from error
    username, colon, password = text.partition(":")
    if not colon:
        raise CredentialsRejected(what="Basic credentials")
    return username, password
