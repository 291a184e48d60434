"""Which user an identity belongs to, as one object that keeps both sides consistent.

Source: OpenShift Origin 1.x, `UserIdentityMapping`. Nothing is stored but the identity's
reference to its user and the user's list of identities.
"""

from datetime import datetime

import msgspec

from atomic_registry.clock import Clock
from atomic_registry.errors import (
    AlreadyExists,
    ObjectInvalid,
    ObjectUnknown,
    StaleRevision,
    Unsupported,
)
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.ports import IdentityStore, Transaction
from atomic_registry.identity.records import Identity, User, UserReference
from atomic_registry.resources.engine import Preconditions
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.paging import ListOptions
from atomic_registry.resources.ports import Authority
from atomic_registry.resources.strategies import Document


class _Named(msgspec.Struct, rename="camel"):
    name: str = ""
    uid: str = ""
    resource_version: str = ""


class _Mapping(msgspec.Struct, rename="camel"):
    metadata: _Named = msgspec.field(default_factory=_Named)
    identity: _Named = msgspec.field(default_factory=_Named)
    user: _Named = msgspec.field(default_factory=_Named)


class IdentityMappingService:
    """Joins identities and users; a mapping has the name, uid and revision of its identity."""

    def __init__(self, store: IdentityStore, clock: Clock, authority: Authority) -> None:
        self._store = store
        self._clock = clock
        self._authority = authority

    async def get(self, place: Place, name: str) -> Document:
        """Return the mapping of an identity.

        Raises:
            ObjectUnknown: there is no such identity, or it belongs to nobody.
        """
        return _show(place, await self._store.read(lambda tx: _mapped(tx, place, name)))

    async def list(self, actor: Actor, place: Place, options: ListOptions) -> Document:
        """Refuse: identities are what is listed.

        Raises:
            Unsupported: always.
        """
        raise Unsupported(what="a list of mappings", hint="list identities, which name their user")

    async def create(self, actor: Actor, place: Place, document: Document) -> Document:
        """Give an identity that belongs to nobody to a user.

        Raises:
            ObjectInvalid: the document names no identity or no user.
            ObjectUnknown: there is no such identity or user.
            AlreadyExists: the identity belongs to somebody.
        """
        asked = _read(place, document)
        name = _identity_name(place, asked, "")

        now = self._clock.now()

        def change(tx: Transaction) -> Identity:
            identity = _identity(tx, name)
            if _owner(tx, identity) is not None:
                raise AlreadyExists(kind=place.resource.kind, name=name)
            _give(tx, identity, asked.user.name, actor=actor.signature, now=now)
            return identity

        return await self._written(place, await self._store.write(change))

    async def update(self, actor: Actor, place: Place, name: str, document: Document) -> Document:
        """Give an identity to another user.

        Raises:
            ObjectInvalid: the document names another identity, or no user.
            ObjectUnknown: there is no such mapping or user.
            StaleRevision: it has changed since it was read.
        """
        asked = _read(place, document)
        _identity_name(place, asked, name)

        now = self._clock.now()

        def change(tx: Transaction) -> Identity:
            identity = _mapped(tx, place, name, lock=True)
            _check(identity, asked.metadata.uid, asked.metadata.resource_version)
            if identity.user.name != asked.user.name:
                _take(tx, identity, actor=actor.signature, now=now)
            _give(tx, identity, asked.user.name, actor=actor.signature, now=now)
            return identity

        return await self._written(place, await self._store.write(change))

    async def delete(
        self, actor: Actor, place: Place, name: str, preconditions: Preconditions
    ) -> Document:
        """Take an identity from its user: whoever logs in by it has no account then.

        Raises:
            ObjectUnknown: there is no such mapping.
            StaleRevision: a precondition does not hold.
        """
        now = self._clock.now()

        def change(tx: Transaction) -> Document:
            identity = _mapped(tx, place, name, lock=True)
            preconditions.check(identity)
            shown = _show(place, identity)
            _take(tx, identity, actor=actor.signature, now=now)
            identity.user = UserReference()
            tx.objects.update(identity, actor=actor.signature, now=now)
            return shown

        shown = await self._store.write(change)
        await self._authority.accounts.refresh()
        return shown

    async def _written(self, place: Place, identity: Identity) -> Document:
        await self._authority.accounts.refresh()
        return _show(place, identity)


def _read(place: Place, document: Document) -> _Mapping:
    try:
        return msgspec.convert(document, _Mapping)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        causes = [(path.strip("`.") or "document", message)]
        raise ObjectInvalid(kind=place.resource.kind, name="", causes=causes) from error


def _identity_name(place: Place, asked: _Mapping, wanted: str) -> str:
    names = {name for name in (asked.metadata.name, asked.identity.name, wanted) if name}
    causes = []
    if not names:
        causes.append(("identity.name", "it is required"))
    elif len(names) > 1:
        causes.append(("identity.name", "it must be the name of the mapping itself"))
    if not asked.user.name:
        causes.append(("user.name", "it is required"))
    if causes:
        raise ObjectInvalid(kind=place.resource.kind, name=wanted, causes=causes)
    return names.pop()


def _identity(tx: Transaction, name: str) -> Identity:
    identity = tx.objects.find(Identity, name, lock=True)
    if identity is None:
        raise ObjectUnknown(kind=Identity.kind, name=name)
    return identity


def _owner(tx: Transaction, identity: Identity) -> User | None:
    """Return the user on both of whose sides the mapping stands."""
    if not identity.user.name:
        return None
    user = tx.objects.find(User, identity.user.name)
    if user is None or user.metadata.uid != identity.user.uid:
        return None
    return user if identity.metadata.name in user.identities else None


def _mapped(tx: Transaction, place: Place, name: str, *, lock: bool = False) -> Identity:
    identity = tx.objects.find(Identity, name, lock=lock)
    if identity is None or _owner(tx, identity) is None:
        raise ObjectUnknown(kind=place.resource.kind, name=name)
    return identity


def _check(identity: Identity, uid: str, revision: str) -> None:
    meta = identity.metadata
    if uid not in {"", meta.uid} or revision not in {"", meta.resource_version}:
        raise StaleRevision(kind=identity.kind, name=meta.name)


def _give(tx: Transaction, identity: Identity, to: str, *, actor: str, now: datetime) -> None:
    user = tx.objects.find(User, to, lock=True)
    if user is None:
        raise ObjectUnknown(kind=User.kind, name=to)
    name = identity.metadata.name
    if name not in user.identities:
        user.identities.append(name)
        tx.objects.update(user, actor=actor, now=now)
    identity.user = UserReference(name=to, uid=user.metadata.uid)
    tx.objects.update(identity, actor=actor, now=now)


def _take(tx: Transaction, identity: Identity, *, actor: str, now: datetime) -> None:
    user = tx.objects.find(User, identity.user.name, lock=True)
    if user is not None and identity.metadata.name in user.identities:
        user.identities.remove(identity.metadata.name)
        tx.objects.update(user, actor=actor, now=now)


def _show(place: Place, identity: Identity) -> Document:
    meta, user = identity.metadata, identity.user
    return {
        "kind": place.resource.kind,
        "apiVersion": place.api_version,
        "metadata": {
            "name": meta.name,
            "uid": meta.uid,
            "resourceVersion": meta.resource_version,
            "creationTimestamp": meta.creation_timestamp,
        },
        "identity": {"name": meta.name, "uid": meta.uid},
        "user": {"name": user.name, "uid": user.uid},
    }
