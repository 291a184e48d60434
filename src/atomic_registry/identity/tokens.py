"""Secrets that stand for a user: made here, shown once, stored as a hash only."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from atomic_registry.clock import Clock
from atomic_registry.errors import (
    CredentialsRejected,
    Denied,
    ObjectUnknown,
    ParameterInvalid,
)
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.oauth_scopes import check_scopes, is_within
from atomic_registry.identity.ports import IdentityStore, StoredToken, TokenKind, Transaction

BEARERS = (TokenKind.ACCESS, TokenKind.PERSONAL, TokenKind.ROBOT)
MAX_PERSONAL_LIFETIME = timedelta(days=366)

# Programs that look for leaked secrets recognise tokens by these beginnings.
_PREFIXES = {
    TokenKind.ACCESS: "atr_a_",
    TokenKind.PERSONAL: "atr_p_",
    TokenKind.ROBOT: "atr_r_",
    TokenKind.REFRESH: "atr_f_",
    TokenKind.CODE: "atr_c_",
    TokenKind.DEVICE: "atr_d_",
}
_MAX_SECRET_LENGTH = 512
_MAX_DESCRIPTION_LENGTH = 200
_MAX_USED = 100_000
_LISTED = BEARERS
_REJECTED = "the token is"


def hash_secret(secret: str) -> str:
    """Return the name under which a secret is stored.

    A plain hash is enough: the secrets are 256 random bits, so that nobody can try them out.
    """
    digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
    return f"sha256~{_base64url(digest)}"


def new_secret(clock: Clock) -> str:
    """Return 256 random bits in 43 characters that need no escape in a URL."""
    return _base64url(bytes.fromhex(clock.new_id() + clock.new_id()))


def held_scopes(token: StoredToken) -> tuple[str, ...] | None:
    """Return the scopes as an actor carries them: None where nothing narrows the token."""
    return token.scopes or None


class TokenService:
    """Makes, checks and revokes stored tokens."""

    def __init__(self, store: IdentityStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._used: dict[str, datetime] = {}

    async def mint(  # noqa: PLR0913 - they are the columns of a token, all by keyword
        self,
        kind: TokenKind,
        *,
        user: str,
        user_uid: str,
        scopes: Sequence[str] = (),
        client: str = "",
        description: str = "",
        lifetime: timedelta | None,
        inactivity_seconds: int | None = None,
        family: str = "",
        state: Mapping[str, str] | None = None,
    ) -> tuple[str, StoredToken]:
        """Store a new token; the secret that is returned with it cannot be had again."""
        secret, token = self.prepare(kind, user=user, user_uid=user_uid, lifetime=lifetime)
        token = replace(
            token,
            client=client,
            scopes=tuple(scopes),
            description=description,
            inactivity_seconds=inactivity_seconds,
            family=family,
            state=dict(state or {}),
        )
        await self._store.write(lambda tx: tx.tokens.add(token))
        return secret, token

    def prepare(
        self, kind: TokenKind, *, user: str, user_uid: str, lifetime: timedelta | None
    ) -> tuple[str, StoredToken]:
        """Return a secret and its token, to be stored within a transaction of the caller's."""
        secret = _PREFIXES[kind] + new_secret(self._clock)
        now = self._clock.now()
        token = StoredToken(
            id=hash_secret(secret),
            kind=kind,
            user=user,
            user_uid=user_uid,
            created_at=now,
            expires_at=None if lifetime is None else now + lifetime,
        )
        return secret, token

    async def verify(self, secret: str, kinds: Sequence[TokenKind] = BEARERS) -> StoredToken:
        """Return the token of a secret, and remember that it was used.

        Whether its user still exists and is not disabled is for the caller to ask.

        Raises:
            CredentialsRejected: it is unknown, of another kind, expired, or was idle too long.
        """
        if not secret or len(secret) > _MAX_SECRET_LENGTH:
            raise CredentialsRejected(what=_REJECTED)
        token = await self._store.find_token(hash_secret(secret))
        if token is None or token.kind not in kinds:
            raise CredentialsRejected(what=_REJECTED)
        now = self._clock.now()
        if token.expires_at is not None and token.expires_at <= now:
            raise CredentialsRejected(what=_REJECTED)
        if token.inactivity_seconds is not None:
            idle = now - self._last_use(token)
            if idle > timedelta(seconds=token.inactivity_seconds):
                raise CredentialsRejected(what=_REJECTED)
        if token.id in self._used or len(self._used) < _MAX_USED:
            self._used[token.id] = now
        return token

    async def find(self, token_id: str) -> StoredToken | None:
        """Return what is stored under the id, also a token that has expired."""
        return await self._store.find_token(token_id)

    def _last_use(self, token: StoredToken) -> datetime:
        stored = token.last_used_at or token.created_at
        return max(stored, self._used.get(token.id, stored))

    async def flush_used(self) -> None:
        """Store when tokens were used since the last time.

        It must be called well within the shortest inactivity timeout, 300 seconds, because other
        processes learn of a use only from the store.
        """
        used, self._used = self._used, {}
        if not used:
            return
        try:
            await self._store.write(lambda tx: tx.tokens.mark_used(used), durable=False)
        except BaseException:
            self._used = used | self._used
            raise

    async def revoke(self, token_id: str, *, user: str | None = None) -> None:
        """Delete the token, with all that descend from the same login.

        Raises:
            ObjectUnknown: there is none, or it is not the user's, where one is named.
        """

        def change(tx: Transaction) -> None:
            _get_own(tx, token_id, user)
            remove_with_family(tx, token_id)

        await self._store.write(change)

    async def list(self, user: str, *, after: str = "", limit: int = 100) -> list[StoredToken]:
        """Return the user's tokens that can log in, expired ones too, in order of id."""
        return await self._store.read(
            lambda tx: tx.tokens.list_of_user(user, kinds=_LISTED, after=after, limit=limit)
        )

    async def create_personal(
        self, actor: Actor, *, description: str, scopes: Sequence[str], lifetime: timedelta
    ) -> tuple[str, StoredToken]:
        """Make a token for a program of the actor's.

        Raises:
            Denied: the actor's own credential reaches less far than the token would.
            ParameterInvalid: the description or the life time is out of bounds.
            GrantRefused: a scope is unknown.
        """
        check_description(description)
        if not timedelta(0) < lifetime <= MAX_PERSONAL_LIFETIME:
            raise ParameterInvalid(
                parameter="lifetime",
                value=str(lifetime),
                reason=f"choose up to {MAX_PERSONAL_LIFETIME.days} days",
            )
        wanted = self._within(actor, check_scopes(scopes))
        return await self.mint(
            TokenKind.PERSONAL,
            user=actor.name,
            user_uid=actor.uid,
            scopes=wanted,
            description=description,
            lifetime=lifetime,
        )

    async def rotate(self, actor: Actor, token_id: str) -> tuple[str, StoredToken]:
        """Replace one of the actor's personal tokens; the old secret dies at once.

        The new one is as wide and lives as long as the old one was meant to.

        Raises:
            ObjectUnknown: the actor has no such token.
            Denied: the actor's own credential reaches less far than the token.
        """

        def change(tx: Transaction) -> tuple[str, StoredToken]:
            old = _get_own(tx, token_id, actor.name)
            if old.kind is not TokenKind.PERSONAL or old.user_uid != actor.uid:
                raise ObjectUnknown(kind="token", name=token_id)
            if tx.tokens.take(token_id) is None:
                raise ObjectUnknown(kind="token", name=token_id)
            self._within(actor, old.scopes)
            lifetime = None if old.expires_at is None else old.expires_at - old.created_at
            secret, fresh = self.prepare(
                old.kind, user=old.user, user_uid=old.user_uid, lifetime=lifetime
            )
            token = replace(
                fresh,
                scopes=old.scopes,
                client=old.client,
                description=old.description,
                inactivity_seconds=old.inactivity_seconds,
                state=old.state,
            )
            tx.tokens.add(token)
            return secret, token

        return await self._store.write(change)

    def _within(self, actor: Actor, scopes: Sequence[str]) -> tuple[str, ...]:
        # No scopes at all make a token without limits, which only such a credential may make.
        if actor.is_anonymous or actor.repositories is not None:
            raise Denied(actor=actor.name, verb="create", resource="a token with this credential")
        if actor.scopes is not None and (not scopes or not is_within(scopes, actor.scopes)):
            if not scopes and is_within(("user:full",), actor.scopes):
                return ()
            raise Denied(
                actor=actor.name, verb="create", resource="a token wider than the one in use"
            )
        return tuple(scopes)


def check_description(description: str) -> None:
    """Return if the text can name a token.

    Raises:
        ParameterInvalid: it is empty, too long or not printable.
    """
    if not 0 < len(description) <= _MAX_DESCRIPTION_LENGTH or not description.isprintable():
        raise ParameterInvalid(
            parameter="description",
            value=description,
            reason=f"say in 1 to {_MAX_DESCRIPTION_LENGTH} characters what uses the token",
        )


def remove_with_family(tx: Transaction, token_id: str) -> StoredToken | None:
    """Delete a token and its family; return it, or None if it was gone."""
    token = tx.tokens.take(token_id)
    if token is not None and token.family:
        tx.tokens.remove_family(token.family)
    return token


def _get_own(tx: Transaction, token_id: str, user: str | None) -> StoredToken:
    token = tx.tokens.find(token_id)
    if token is None or (user is not None and token.user != user):
        raise ObjectUnknown(kind="token", name=token_id)
    return token


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
