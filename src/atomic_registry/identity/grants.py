"""Grants of the OAuth server: codes, refresh tokens, implicit tokens, and their end.

Everything that is used once is replaced by a mark that stays: whoever comes with it again shows
that it was stolen, and all that came of the same login is revoked.
Source: RFC 6749, RFC 7636, RFC 7009, RFC 9700 section 4.14.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from atomic_registry.clock import Clock
from atomic_registry.errors import GrantRefused
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.oauth_clients import (
    BROWSER,
    CHALLENGING,
    access_lifetime,
    check_client_scopes,
    check_secret,
    inactivity_limit,
)
from atomic_registry.identity.oauth_scopes import is_within
from atomic_registry.identity.pkce import proves
from atomic_registry.identity.ports import IdentityStore, StoredToken, TokenKind, Transaction
from atomic_registry.identity.records import OAuthClient, User
from atomic_registry.identity.tokens import TokenService, hash_secret, remove_with_family

_USED = "used"
# Login sessions are far shorter; the mark of a used one must outlive it.
MAX_SESSION = timedelta(days=1)
# Nobody keeps these tokens for longer than a login of a command line or a page.
_NOT_REFRESHED = (BROWSER, CHALLENGING)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantOptions:
    """Life times; those of an access token can be overridden by its client."""

    access_lifetime: timedelta = timedelta(days=1)
    code_lifetime: timedelta = timedelta(minutes=5)
    refresh_lifetime: timedelta = timedelta(days=30)
    inactivity_seconds: int | None = None
    device_lifetime: timedelta = timedelta(minutes=10)
    device_interval_seconds: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRequest:
    """What a client asked for; the code that it gets is bound to all of it."""

    client: OAuthClient
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str = ""
    session: str = ""
    """The login session that is used up by this, empty if there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedTokens:
    """What a client gets: secrets, shown this once."""

    access_token: str
    scopes: tuple[str, ...]
    user: str
    expires_in_seconds: int | None
    refresh_token: str = ""


class GrantService:
    """Decides over grants; who the user is has been decided before."""

    def __init__(
        self,
        store: IdentityStore,
        tokens: TokenService,
        clock: Clock,
        options: GrantOptions | None = None,
    ) -> None:
        self.options = options or GrantOptions()
        self._store = store
        self._tokens = tokens
        self._clock = clock

    async def get_client(self, name: str) -> OAuthClient:
        """Return the client.

        Raises:
            GrantRefused: there is none of this name.
        """
        client = await self._store.read(lambda tx: tx.objects.find(OAuthClient, name))
        if client is None:
            raise GrantRefused(code="invalid_client", reason="client authentication failed")
        return client

    async def authenticate_client(self, name: str, secret: str) -> OAuthClient:
        """Return the client that proves to be the one named.

        Raises:
            GrantRefused: it does not.
        """
        client = await self.get_client(name)
        check_secret(client, secret)
        return client

    async def issue_code(self, actor: Actor, request: CodeRequest) -> str:
        """Return a code for the user, to be redeemed once by the client.

        Raises:
            GrantRefused: the session of the login was used up before.
        """
        secret, token = self._tokens.prepare(
            TokenKind.CODE,
            user=actor.name,
            user_uid=actor.uid,
            lifetime=self.options.code_lifetime,
        )
        token = replace(
            token,
            client=request.client.metadata.name,
            scopes=request.scopes,
            family=self._clock.new_id(),
            state={"redirect_uri": request.redirect_uri, "challenge": request.challenge},
        )

        def change(tx: Transaction) -> None:
            use_session(tx, request.session, actor, self._clock.now())
            tx.tokens.add(token)

        await self._store.write(change)
        return secret

    async def is_used_session(self, session: str) -> bool:
        """Tell whether a token was issued for this login session already."""
        return await self._store.find_token(_session_mark(session)) is not None

    async def redeem_code(
        self, client: OAuthClient, *, code: str, redirect_uri: str | None, verifier: str
    ) -> IssuedTokens:
        """Return the tokens that a code stands for.

        Whatever comes of it, the code is used up.

        Raises:
            GrantRefused: the code is unknown, expired, used, another client's, or what comes
                with it is not what it was bound to.
        """

        def change(tx: Transaction) -> IssuedTokens | None:
            stored = self._use(tx, hash_secret(code), TokenKind.CODE, client)
            if stored is None:
                return None
            state = stored.state
            # RFC 6749 4.1.3 asks for the URI again; who left it out of both requests has one only.
            if redirect_uri is not None and redirect_uri != state["redirect_uri"]:
                return None
            if redirect_uri is None and len(client.redirect_uris) != 1:
                return None
            if not proves(state["challenge"], verifier):
                return None
            return self.issue(tx, client, stored)

        return self._granted(await self._store.write(change), "code")

    async def issue_token(
        self, actor: Actor, client: OAuthClient, scopes: Sequence[str], *, session: str = ""
    ) -> IssuedTokens:
        """Return an access token at once, as the implicit flow wants it.

        Raises:
            GrantRefused: the session of the login was used up before.
        """
        _, base = self._tokens.prepare(
            TokenKind.CODE,
            user=actor.name,
            user_uid=actor.uid,
            lifetime=self.options.code_lifetime,
        )
        base = replace(base, scopes=tuple(scopes), family=self._clock.new_id())

        def change(tx: Transaction) -> IssuedTokens:
            use_session(tx, session, actor, self._clock.now())
            return self.issue(tx, client, base, with_refresh=False)

        return await self._store.write(change)

    async def refresh(
        self, client: OAuthClient, *, refresh_token: str, scopes: Sequence[str] = ()
    ) -> IssuedTokens:
        """Return new tokens; the old refresh token dies, and with narrower scopes none widens.

        Raises:
            GrantRefused: the refresh token is not good, or does not reach as far as asked.
        """
        wanted = check_client_scopes(client, scopes) if scopes else ()

        def change(tx: Transaction) -> IssuedTokens | None:
            token_id = hash_secret(refresh_token)
            found = tx.tokens.find(token_id)
            if found is not None and wanted and not is_within(wanted, found.scopes):
                # Too wide a wish is a mistake, no theft: the token stays good.
                raise GrantRefused(code="invalid_scope", reason="a scope was not granted before")
            stored = self._use(tx, token_id, TokenKind.REFRESH, client)
            if stored is None:
                return None
            return self.issue(tx, client, stored, narrowed=wanted)

        return self._granted(await self._store.write(change), "refresh token")

    async def revoke(self, client: OAuthClient, secret: str) -> None:
        """End a login by one of its tokens (RFC 7009); no-op for what is not the client's."""

        def change(tx: Transaction) -> None:
            found = tx.tokens.find(hash_secret(secret))
            is_theirs = found is not None and found.client == client.metadata.name
            if found is not None and is_theirs and found.kind in _REVOCABLE:
                remove_with_family(tx, found.id)

        await self._store.write(change)

    async def end_login(self, secret: str) -> None:
        """Revoke the access token that its holder brings, with all of its login."""

        def change(tx: Transaction) -> None:
            found = tx.tokens.find(hash_secret(secret))
            if found is not None and found.kind is TokenKind.ACCESS:
                remove_with_family(tx, found.id)

        await self._store.write(change)

    def issue(
        self,
        tx: Transaction,
        client: OAuthClient,
        source: StoredToken,
        *,
        narrowed: tuple[str, ...] = (),
        with_refresh: bool = True,
    ) -> IssuedTokens:
        """Store the tokens that follow from a grant, in its family, and return their secrets."""
        lifetime = access_lifetime(client, self.options.access_lifetime)
        name = client.metadata.name
        secret, access = self._tokens.prepare(
            TokenKind.ACCESS, user=source.user, user_uid=source.user_uid, lifetime=lifetime
        )
        scopes = narrowed or source.scopes
        access = replace(
            access,
            client=name,
            scopes=scopes,
            family=source.family,
            inactivity_seconds=inactivity_limit(client, self.options.inactivity_seconds),
        )
        tx.tokens.add(access)
        refresh = ""
        if with_refresh and name not in _NOT_REFRESHED:
            refresh = self._add_refresh(tx, source, name)
        return IssuedTokens(
            access_token=secret,
            scopes=scopes,
            user=source.user,
            expires_in_seconds=None if lifetime is None else int(lifetime.total_seconds()),
            refresh_token=refresh,
        )

    def _add_refresh(self, tx: Transaction, source: StoredToken, client: str) -> str:
        secret, token = self._tokens.prepare(
            TokenKind.REFRESH,
            user=source.user,
            user_uid=source.user_uid,
            lifetime=self.options.refresh_lifetime,
        )
        # A login lasts as long as its first refresh token, however often that is replaced.
        ends = source.expires_at if source.kind is TokenKind.REFRESH else token.expires_at
        tx.tokens.add(
            replace(
                token, client=client, scopes=source.scopes, family=source.family, expires_at=ends
            )
        )
        return secret

    def _use(
        self, tx: Transaction, token_id: str, kind: TokenKind, client: OAuthClient
    ) -> StoredToken | None:
        """Use up a token of one use and return it, or None if it is not good.

        It returns rather than raises: what it revokes must be committed.
        """
        found = tx.tokens.find(token_id)
        if found is None or found.kind is not kind:
            return None
        taken = tx.tokens.take(token_id)
        if taken is None or _USED in taken.state:
            # Used before, or by somebody else at this very moment.
            tx.tokens.remove_family(found.family)
            return None
        tx.tokens.add(replace(taken, state={_USED: "yes"}))
        if taken.expires_at is None or taken.expires_at <= self._clock.now():
            return None
        if taken.client != client.metadata.name:
            return None
        if not has_account(tx, taken):
            tx.tokens.remove_family(taken.family)
            return None
        return taken

    def _granted(self, issued: IssuedTokens | None, what: str) -> IssuedTokens:
        if issued is None:
            raise GrantRefused(
                code="invalid_grant",
                reason=f"the {what} is not valid, expired, used before, or not for this request",
            )
        return issued


_REVOCABLE = (TokenKind.ACCESS, TokenKind.REFRESH)


def has_account(tx: Transaction, token: StoredToken) -> bool:
    """Tell whether the account of a token is still the one it was made for, and not disabled."""
    if not token.user_uid:
        return True
    user = tx.objects.find(User, token.user)
    return user is not None and user.metadata.uid == token.user_uid and not user.disabled


def use_session(tx: Transaction, session: str, actor: Actor, now: datetime) -> None:
    """Use up a login session, so that a copy of its cookie is worth nothing afterwards.

    Raises:
        GrantRefused: it was used up before.
    """
    if not session:
        return
    mark = _session_mark(session)
    if tx.tokens.find(mark) is not None:
        raise GrantRefused(code="access_denied", reason="this login was used before: log in again")
    tx.tokens.add(
        StoredToken(
            id=mark,
            kind=TokenKind.CODE,
            user=actor.name,
            user_uid=actor.uid,
            created_at=now,
            expires_at=now + MAX_SESSION,
            state={_USED: "session"},
        )
    )


def _session_mark(session: str) -> str:
    # No secret hashes to this form, so that the mark can never be taken for a token.
    return f"session.{session}"
