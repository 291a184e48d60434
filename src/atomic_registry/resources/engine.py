"""Get, list, create, update and delete of any stored kind, bound to the place in the path."""

from dataclasses import dataclass

import msgspec

from atomic_registry.clock import Clock
from atomic_registry.errors import (
    Denied,
    ObjectInvalid,
    ObjectUnknown,
    ProjectUnknown,
    StaleRevision,
)
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.ports import IdentityStore, Transaction
from atomic_registry.identity.records import PolicyRule, Project
from atomic_registry.kube.objects import KubeObject
from atomic_registry.resources.documents import metadata_causes, read_object, show_object
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.paging import ListOptions, decode_continue, scan, show_page
from atomic_registry.resources.ports import Authority, RightsDirectory
from atomic_registry.resources.strategies import Cause, Document

_SHOWN_RIGHTS = 5
_SUFFIX_LETTERS = 5
_MAX_BASE = 58


@dataclass(frozen=True, slots=True, kw_only=True)
class Preconditions:
    """What must hold of the object that a client deletes; empty texts ask nothing."""

    uid: str = ""
    resource_version: str = ""

    def check(self, item: KubeObject) -> None:
        """Return if they hold.

        Raises:
            StaleRevision: the object is another, or has changed.
        """
        meta = item.metadata
        if self.uid not in {"", meta.uid} or self.resource_version not in {
            "",
            meta.resource_version,
        }:
            raise StaleRevision(kind=item.kind, name=meta.name)


class ObjectService:
    """Keeps stored objects. The caller's right to the place was checked before."""

    def __init__(self, store: IdentityStore, clock: Clock, authority: Authority) -> None:
        self._store = store
        self._clock = clock
        self._authority = authority

    async def get(self, place: Place, name: str) -> Document:
        """Return the object.

        Raises:
            ObjectUnknown: there is none of this name in this place.
        """
        return show_object(place, await self._store.read(lambda tx: get_object(tx, place, name)))

    async def list(self, actor: Actor, place: Place, options: ListOptions) -> Document:
        """Return one page of the place, or of all projects where it names none."""
        after = decode_continue(options.continue_token)
        page = await self._store.read(lambda tx: scan(tx, place, options, after))
        return show_page(place, page)

    async def create(self, actor: Actor, place: Place, document: Document) -> Document:
        """Store a new object and return it.

        Raises:
            ObjectInvalid: it breaks the rules of its kind.
            AlreadyExists: there is one of this name.
            Denied: it would hand out rights that the actor does not hold.
            ProjectUnknown: there is no such project.
        """
        item = read_object(place, document)
        _name_new(item, self._clock)
        check_object(place, item, None)
        strategy = place.resource.strategy
        rules = await self._store.read(lambda tx: list(strategy.granted(tx, item)))
        refuse_escalation(self._authority.rights, actor, place.namespace, rules)
        now = self._clock.now()

        def change(tx: Transaction) -> KubeObject:
            _lock_project(tx, place.namespace)
            _expect_rules(tx, place, item, rules)
            tx.objects.add(item, actor=actor.signature, now=now)
            return item

        return await self._written(place, await self._store.write(change))

    async def update(self, actor: Actor, place: Place, name: str, document: Document) -> Document:
        """Replace the object and return it; with a resource version, only that one.

        Raises:
            ObjectInvalid: it breaks the rules of its kind.
            ObjectUnknown: there is none of this name.
            StaleRevision: it has changed since it was read.
            Denied: it would hand out rights that the actor does not hold.
        """
        item = read_object(place, document)
        old = await self._store.read(lambda tx: get_object(tx, place, name))
        prepare_update(place, item, old)
        strategy = place.resource.strategy
        rules: list[PolicyRule] = []
        hands_out = strategy.hands_out_more(item, old)
        if hands_out:
            rules = await self._store.read(lambda tx: list(strategy.granted(tx, item)))
            refuse_escalation(self._authority.rights, actor, place.namespace, rules)
        now = self._clock.now()

        def change(tx: Transaction) -> KubeObject:
            if hands_out:
                _expect_rules(tx, place, item, rules)
            tx.objects.update(item, actor=actor.signature, now=now)
            return item

        return await self._written(place, await self._store.write(change))

    async def delete(
        self, actor: Actor, place: Place, name: str, preconditions: Preconditions
    ) -> Document:
        """Delete the object with all that goes with it; return what it was.

        Raises:
            ObjectUnknown: there is none of this name.
            StaleRevision: a precondition does not hold.
        """
        now = self._clock.now()

        def change(tx: Transaction) -> KubeObject:
            item = get_object(tx, place, name, lock=True)
            preconditions.check(item)
            tx.objects.remove(item, actor=actor.signature, now=now)
            place.resource.strategy.removed(tx, item)
            return item

        return await self._written(place, await self._store.write(change))

    async def _written(self, place: Place, item: KubeObject) -> Document:
        # A client that acts on its own change at once must not be judged by the state before.
        await self._authority.accounts.refresh()
        return show_object(place, item)


def refuse_escalation(
    rights: RightsDirectory, actor: Actor, namespace: str, rules: list[PolicyRule]
) -> None:
    """Return if the actor holds every right of the rules.

    Raises:
        Denied: it does not; the message names what is missing.
    """
    missing = rights.may_grant(actor, namespace, rules) if rules else []
    if missing:
        shown = ", ".join(str(right) for right in missing[:_SHOWN_RIGHTS])
        more = f" and {len(missing) - _SHOWN_RIGHTS} more" if len(missing) > _SHOWN_RIGHTS else ""
        raise Denied(
            actor=actor.name,
            verb="grant",
            resource="rights that they do not hold themselves",
            reason=f"{shown}{more}",
        )


def get_object(tx: Transaction, place: Place, name: str, *, lock: bool = False) -> KubeObject:
    """Return the object of this place.

    Raises:
        ObjectUnknown: there is none of this name.
    """
    stored = place.resource.stored
    if stored is not None:
        item = tx.objects.find(stored, name, namespace=place.namespace, lock=lock)
        if item is not None:
            return item
    raise ObjectUnknown(kind=place.resource.kind, name=name)


def check_object(place: Place, item: KubeObject, old: KubeObject | None) -> None:
    """Return if the object keeps the rules of its kind.

    Raises:
        ObjectInvalid: it does not; each field at fault is named.
    """
    strategy, meta = place.resource.strategy, item.metadata
    causes: list[Cause] = []
    if old is None:
        fault = strategy.name_fault(meta.name)
        causes += [("metadata.name", fault)] if fault else []
    causes += metadata_causes(meta)
    causes += strategy.causes(item, old)
    if causes:
        raise ObjectInvalid(kind=place.resource.kind, name=meta.name, causes=causes)


def prepare_update(place: Place, item: KubeObject, old: KubeObject) -> None:
    """Make what a client wrote into the successor of the stored object.

    Raises:
        ObjectInvalid: it breaks the rules of its kind.
        StaleRevision: the object is another, or has changed since the client read it.
    """
    given, stored = item.metadata, old.metadata
    if given.name not in {"", stored.name}:
        causes = [("metadata.name", "it must be the name in the path")]
        raise ObjectInvalid(kind=place.resource.kind, name=given.name, causes=causes)
    Preconditions(uid=given.uid, resource_version=given.resource_version).check(old)
    given.name, given.generate_name = stored.name, stored.generate_name
    given.uid, given.resource_version = stored.uid, stored.resource_version
    given.creation_timestamp = stored.creation_timestamp
    # Whoever does not speak of managers leaves them; `[{}]` is how they are forgotten.
    given.managed_fields = [it for it in given.managed_fields or stored.managed_fields if it]
    place.resource.strategy.carry_over(item, old)
    given.generation = stored.generation + (_body(item) != _body(old))
    check_object(place, item, old)


def _body(item: KubeObject) -> Document:
    """Return what an object says beside its metadata."""
    body: Document = msgspec.to_builtins(item)
    return {key: value for key, value in body.items() if key != "metadata"}


def _name_new(item: KubeObject, clock: Clock) -> None:
    meta = item.metadata
    meta.uid = meta.resource_version = ""
    meta.generation = 1
    meta.managed_fields = [entry for entry in meta.managed_fields if entry]
    if not meta.name and meta.generate_name:
        meta.name = meta.generate_name[:_MAX_BASE] + clock.new_id()[-_SUFFIX_LETTERS:]


def _lock_project(tx: Transaction, namespace: str) -> None:
    if namespace and tx.objects.find(Project, namespace, lock=True) is None:
        raise ProjectUnknown(project=namespace)


def _expect_rules(tx: Transaction, place: Place, item: KubeObject, rules: list[PolicyRule]) -> None:
    # Between the check and the commit the role may have got rights that were not checked.
    if list(place.resource.strategy.granted(tx, item)) != rules:
        raise StaleRevision(kind=place.resource.kind, name=item.metadata.name)
