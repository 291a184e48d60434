"""What users have allowed clients to do in their names, and whether they must be asked."""

from collections.abc import Sequence
from enum import StrEnum

from atomic_registry.clock import Clock
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.oauth_scopes import is_within
from atomic_registry.identity.ports import IdentityStore, Transaction
from atomic_registry.identity.records import OAuthClient, OAuthClientAuthorization
from atomic_registry.kube.objects import ObjectMeta


class GrantMethod(StrEnum):
    """How a request for scopes is decided when the user is known."""

    AUTO = "auto"
    PROMPT = "prompt"
    DENY = "deny"


class ConsentService:
    """Remembers consent; it ends with the account that gave it."""

    def __init__(self, store: IdentityStore, clock: Clock, *, default: GrantMethod) -> None:
        self._store = store
        self._clock = clock
        self._default = default

    def method_of(self, client: OAuthClient) -> GrantMethod:
        """Return the client's own grant method, else the general one; what is unknown denies."""
        if not client.grant_method:
            return self._default
        try:
            return GrantMethod(client.grant_method)
        except ValueError:
            return GrantMethod.DENY

    async def covers(self, actor: Actor, client: OAuthClient, scopes: Sequence[str]) -> bool:
        """Tell whether the user has allowed the client all of the scopes before."""
        name = _name(actor, client)
        found = await self._store.read(lambda tx: tx.objects.find(OAuthClientAuthorization, name))
        # The client may have been deleted and made anew by somebody else.
        if found is None or not _is_theirs(found, actor) or _is_older(found, client):
            return False
        return bool(found.scopes) and is_within(scopes, found.scopes)

    async def record(self, actor: Actor, client: OAuthClient, scopes: Sequence[str]) -> None:
        """Add the scopes to what the user allows the client."""
        name = _name(actor, client)
        now = self._clock.now()

        def change(tx: Transaction) -> None:
            found = tx.objects.find(OAuthClientAuthorization, name, lock=True)
            if found is not None and _is_theirs(found, actor) and not _is_older(found, client):
                found.scopes = list(dict.fromkeys([*found.scopes, *scopes]))
                tx.objects.update(found, actor=actor.signature, now=now)
                return
            if found is not None:
                tx.objects.remove(found, actor=actor.signature, now=now)
            fresh = OAuthClientAuthorization(
                metadata=ObjectMeta(name=name),
                client_name=client.metadata.name,
                user_name=actor.name,
                user_uid=actor.uid,
                scopes=list(scopes),
            )
            tx.objects.add(fresh, actor=actor.signature, now=now)

        await self._store.write(change)


def _name(actor: Actor, client: OAuthClient) -> str:
    return f"{actor.name}:{client.metadata.name}"


def _is_theirs(found: OAuthClientAuthorization, actor: Actor) -> bool:
    return found.user_uid == actor.uid and found.user_name == actor.name


def _is_older(found: OAuthClientAuthorization, client: OAuthClient) -> bool:
    given, made = found.metadata.creation_timestamp, client.metadata.creation_timestamp
    return given is not None and made is not None and given < made
