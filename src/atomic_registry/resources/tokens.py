"""Tokens as resources: those of a robot under it, and everybody's own; secrets show once."""

from collections.abc import Sequence
from datetime import timedelta

from atomic_registry.errors import Denied, ObjectUnknown
from atomic_registry.identity.actors import Actor, service_account_name, split_service_account
from atomic_registry.identity.oauth_scopes import check_scopes
from atomic_registry.identity.ports import IdentityStore, StoredToken, TokenKind, Transaction
from atomic_registry.identity.records import ServiceAccount
from atomic_registry.identity.tokens import BEARERS, TokenService, check_description

_KIND = "token"


class RobotTokenService:
    """Tokens of service accounts; each is reached through its account only."""

    def __init__(self, store: IdentityStore, tokens: TokenService) -> None:
        self._store = store
        self._tokens = tokens

    async def mint(
        self,
        namespace: str,
        name: str,
        *,
        lifetime: timedelta,
        scopes: Sequence[str],
        description: str,
    ) -> tuple[str, StoredToken]:
        """Make a token; its secret cannot be had again.

        Raises:
            ObjectUnknown: there is no such account.
            ParameterInvalid: the description cannot name a token.
            GrantRefused: a scope is unknown.
        """
        check_description(description)
        wanted = check_scopes(scopes)
        account = await self._get_account(namespace, name)
        return await self._tokens.mint(
            TokenKind.ROBOT,
            user=service_account_name(namespace, name),
            user_uid=account.metadata.uid,
            scopes=wanted,
            description=description,
            lifetime=lifetime,
        )

    async def list(self, namespace: str, name: str, *, after: str, limit: int) -> list[StoredToken]:
        """Return the account's tokens in order of id.

        Raises:
            ObjectUnknown: there is no such account.
        """
        await self._get_account(namespace, name)
        user = service_account_name(namespace, name)
        return await self._tokens.list(user, after=after, limit=limit)

    async def revoke(self, namespace: str, name: str, token_id: str) -> None:
        """Make one of the account's tokens worthless.

        Raises:
            ObjectUnknown: the account has no such token.
        """
        await self._tokens.revoke(token_id, user=service_account_name(namespace, name))

    async def _get_account(self, namespace: str, name: str) -> ServiceAccount:
        account = await self._store.read(
            lambda tx: tx.objects.find(ServiceAccount, name, namespace=namespace)
        )
        if account is None:
            raise ObjectUnknown(kind=ServiceAccount.kind, name=name)
        return account


class OwnTokenService:
    """The caller's tokens: personal ones, and those that logins left."""

    def __init__(self, store: IdentityStore, tokens: TokenService) -> None:
        self._store = store
        self._tokens = tokens

    async def create(
        self, actor: Actor, *, description: str, scopes: Sequence[str], lifetime: timedelta
    ) -> tuple[str, StoredToken]:
        """Make a personal token; its secret cannot be had again.

        Raises:
            Denied: the actor is no stored user, or its own credential reaches less far.
            ParameterInvalid: the description or the life time is out of bounds.
            GrantRefused: a scope is unknown.
        """
        _require_person(actor)
        return await self._tokens.create_personal(
            actor, description=description, scopes=scopes, lifetime=lifetime
        )

    async def rotate(self, actor: Actor, token_id: str) -> tuple[str, StoredToken]:
        """Replace a personal token by one with a new secret.

        Raises:
            ObjectUnknown: the actor has no such token.
            Denied: the actor's own credential reaches less far than the token.
        """
        _require_person(actor)
        return await self._tokens.rotate(actor, token_id)

    async def list(self, actor: Actor, *, after: str, limit: int) -> list[StoredToken]:
        """Return the actor's tokens in order of id."""
        return await self._tokens.list(actor.name, after=after, limit=limit)

    async def get(self, actor: Actor, token_id: str) -> StoredToken:
        """Return one of the actor's tokens.

        Raises:
            ObjectUnknown: the actor has no such token.
        """

        def query(tx: Transaction) -> StoredToken | None:
            return tx.tokens.find(token_id)

        token = await self._store.read(query)
        if token is None or token.user != actor.name or token.kind not in BEARERS:
            raise ObjectUnknown(kind=_KIND, name=token_id)
        return token

    async def revoke(self, actor: Actor, token_id: str) -> None:
        """Make one of the actor's tokens worthless.

        Raises:
            ObjectUnknown: the actor has no such token.
        """
        await self.get(actor, token_id)
        await self._tokens.revoke(token_id, user=actor.name)


class AccessTokenService:
    """Everybody's tokens, for administrators; by the names that they are stored under."""

    def __init__(self, store: IdentityStore, tokens: TokenService) -> None:
        self._store = store
        self._tokens = tokens

    async def list(self, *, after: str, limit: int) -> list[StoredToken]:
        """Return tokens in order of id."""
        return await self._store.read(
            lambda tx: tx.tokens.list_all(kinds=BEARERS, after=after, limit=limit)
        )

    async def get(self, token_id: str) -> StoredToken:
        """Return a token.

        Raises:
            ObjectUnknown: there is none of this name.
        """
        token = await self._store.read(lambda tx: tx.tokens.find(token_id))
        if token is None or token.kind not in BEARERS:
            raise ObjectUnknown(kind=_KIND, name=token_id)
        return token

    async def revoke(self, token_id: str) -> None:
        """Make a token worthless, with all that descend from the same login.

        Raises:
            ObjectUnknown: there is none of this name.
        """
        await self.get(token_id)
        await self._tokens.revoke(token_id)


def _require_person(actor: Actor) -> None:
    # A robot's token dies with it and is revoked under it; a personal one would outlive that.
    if not actor.uid or split_service_account(actor.name) is not None:
        raise Denied(
            actor=actor.name,
            verb="create",
            resource="personal tokens",
            reason="they are for users; make robot tokens under their service account",
        )
