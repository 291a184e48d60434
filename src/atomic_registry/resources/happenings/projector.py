"""Events as watches see them."""

from dataclasses import replace

from atomic_registry.events.ports import Change
from atomic_registry.identity.ports import IdentityStore
from atomic_registry.resources.event_records import DENIED, Event
from atomic_registry.resources.happenings.projection import event_of
from atomic_registry.resources.happenings.service import EventService, MaySee, load_uids
from atomic_registry.resources.images.surroundings import Transactions
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.projections import (
    Key,
    Projector,
    Sighting,
    StatePage,
    StoredProjector,
    present,
)

_REPOSITORY = "repository"


class EventProjector:
    """Implements `Projector`; it shows everything, `VisibleEvents` leaves out what it must."""

    kinds = frozenset({_REPOSITORY, Event.plural})

    def __init__(self, events: EventService, metadata: Transactions, store: IdentityStore) -> None:
        self._events = events
        self._metadata = metadata
        self._counted = StoredProjector(store, Event)

    async def events_of(self, change: Change, place: Place) -> list[Sighting]:
        if change.kind != _REPOSITORY:
            return await self._counted.events_of(change, place)
        uids = await load_uids(self._metadata, [change])
        event = event_of(change, uid=uids.get((change.namespace, change.name), ""))
        return [] if event is None else [present(place, event)]

    async def state(self, place: Place, after: Key, *, limit: int) -> StatePage:
        found, revision = await self._events.all_of(place)
        keys = sorted(key for key in found if key > after)
        items = [present(place, found[key]) for key in keys[:limit]]
        last = keys[limit - 1] if len(keys) > limit else None
        return StatePage(items=items, revision=revision, last=last)


class VisibleEvents:
    """Implements `Projector` for one watch: denials only where its client may see them."""

    def __init__(self, projector: Projector, may_see: MaySee) -> None:
        self._projector = projector
        self._may_see = may_see

    @property
    def kinds(self) -> frozenset[str]:
        return self._projector.kinds

    async def events_of(self, change: Change, place: Place) -> list[Sighting]:
        found = await self._projector.events_of(change, place)
        return [sighting for sighting in found if self._is_visible(sighting)]

    async def state(self, place: Place, after: Key, *, limit: int) -> StatePage:
        page = await self._projector.state(place, after, limit=limit)
        return replace(page, items=[it for it in page.items if self._is_visible(it)])

    def _is_visible(self, sighting: Sighting) -> bool:
        return sighting.document.get("reason") != DENIED or self._may_see(sighting.namespace)
