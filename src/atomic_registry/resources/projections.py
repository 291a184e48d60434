"""Changes of the log as clients of one place see them.

A stored kind is seen as it is stored; other kinds are made from changes of something else, each
by its own projector.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from atomic_registry.errors import ObjectUnknown
from atomic_registry.events.ports import ADDED, DELETED, Change
from atomic_registry.identity.ports import IdentityStore, Transaction
from atomic_registry.kube.objects import KubeObject
from atomic_registry.resources.documents import show_object
from atomic_registry.resources.engine import get_object
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.paging import ListOptions, scan
from atomic_registry.resources.strategies import Document

Key = tuple[str, str]
_MAX_SHARED = 256
_LABELS = msgspec.json.Decoder(dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What a change did to one object: its labels before and after, None where it was not there.

    `document` is the object after the change, or its last state; others read it too, so it is
    never changed.
    """

    namespace: str
    name: str
    revision: int
    before: Mapping[str, str] | None
    after: Mapping[str, str] | None
    document: Document


def by_name(key: Key) -> Key:
    """Sort as stored kinds are listed: by namespace, then by name."""
    return key


def by_repository(key: Key) -> Key:
    """Sort as what is made from repositories is listed: by the repository's name, then by tag.

    A stream shows `/` as `~`, which sorts elsewhere, and `-` sorts before the `/` of a project.
    """
    namespace, name = key
    stream, _, tag = name.partition(":")
    return f"{namespace}/{stream.replace('~', '/')}", tag


@dataclass(frozen=True, slots=True, kw_only=True)
class StatePage:
    """Objects of one snapshot, sorted by `order`; `last` is None at the end."""

    items: list[Sighting]
    revision: int
    last: Key | None
    order: Callable[[Key], Key] = by_name


class Projector(Protocol):
    """Shows what one kind of resource looks like, now and from change to change."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of changes that it wants to be told of; `repository` for content."""
        ...

    async def events_of(self, change: Change, place: Place) -> list[Sighting]:
        """Return what the change did to objects of the place, in any order."""
        ...

    async def state(self, place: Place, after: Key, *, limit: int) -> StatePage:
        """Return the next objects of the place after a pair of namespace and name, in order."""
        ...


class StoredProjector:
    """Implements `Projector` for a stored kind."""

    def __init__(self, store: IdentityStore, kind: type[KubeObject]) -> None:
        self._store = store
        self._kind = kind

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset({self._kind.plural})

    async def events_of(self, change: Change, place: Place) -> list[Sighting]:
        item = msgspec.json.decode(change.body, type=self._kind)
        item.metadata.resource_version = str(change.revision)
        labels = item.metadata.labels
        # Older releases did not write down the labels before.
        before = _LABELS.decode(change.labels_before) if change.labels_before else labels
        return [
            Sighting(
                namespace=change.namespace,
                name=change.name,
                revision=change.revision,
                before=None if change.verb == ADDED else before,
                after=None if change.verb == DELETED else labels,
                document=show_object(place, item),
            )
        ]

    async def state(self, place: Place, after: Key, *, limit: int) -> StatePage:
        options = ListOptions(limit=limit)
        page = await self._store.read(lambda tx: scan(tx, place, options, after))
        items = [present(place, item) for item in page.items]
        return StatePage(items=items, revision=page.revision, last=page.last)

    async def find(self, place: Place, name: str) -> Sighting | None:
        """Return the object, None if there is none of this name."""

        def query(tx: Transaction) -> KubeObject | None:
            try:
                return get_object(tx, place, name)
            except ObjectUnknown:
                return None

        item = await self._store.read(query)
        return None if item is None else present(place, item)


class NothingProjector:
    """Implements `Projector` for kinds of which there is nothing here."""

    kinds = frozenset[str]()

    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    async def events_of(self, change: Change, place: Place) -> list[Sighting]:
        return []

    async def state(self, place: Place, after: Key, *, limit: int) -> StatePage:
        return StatePage(items=[], revision=await self._store.last_revision(), last=None)


class SharedProjector:
    """Asks a projector once for each change, however many watch the same kind."""

    def __init__(self, projector: Projector) -> None:
        self._projector = projector
        self._known: OrderedDict[tuple[int, str, str], asyncio.Future[list[Sighting]]] = (
            OrderedDict()
        )

    @property
    def kinds(self) -> frozenset[str]:
        return self._projector.kinds

    async def events_of(self, change: Change, place: Place) -> list[Sighting]:
        key = (change.revision, place.resource.plural, place.group)
        known = self._known.get(key)
        if known is None:
            everywhere = Place(resource=place.resource, group=place.group)
            known = asyncio.ensure_future(self._projector.events_of(change, everywhere))
            self._known[key] = known
            known.add_done_callback(lambda done: self._forget_failure(key, done))
            if len(self._known) > _MAX_SHARED:
                self._known.popitem(last=False)
        # One watch that ends must not take the answer from the others.
        return await asyncio.shield(known)

    async def state(self, place: Place, after: Key, *, limit: int) -> StatePage:
        return await self._projector.state(place, after, limit=limit)

    def _forget_failure(
        self, key: tuple[int, str, str], done: asyncio.Future[list[Sighting]]
    ) -> None:
        if done.cancelled() or done.exception() is not None:
            self._known.pop(key, None)


def present(place: Place, item: KubeObject) -> Sighting:
    """Return an object as it is, with no change to it."""
    meta = item.metadata
    return Sighting(
        namespace=meta.namespace,
        name=meta.name,
        revision=int(meta.resource_version),
        before=None,
        after=meta.labels,
        document=show_object(place, item),
    )
