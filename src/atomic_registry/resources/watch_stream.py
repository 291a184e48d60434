"""One watch: what exists in a place and what becomes of it, as events for one client."""

from bisect import bisect_left
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

from atomic_registry.events.feed import Subscription
from atomic_registry.events.ports import Change
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.projections import Key, Projector, Sighting, StatePage, by_name
from atomic_registry.resources.selectors import FieldSelector, LabelSelector
from atomic_registry.resources.strategies import Document

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
PAGE = 500
_END: Key = ("\U0010ffff", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchEvent:
    """One event: ADDED, MODIFIED, DELETED or BOOKMARK, and the object that it is about."""

    type: str
    document: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """What a client asks of a watch.

    `since` is the revision after which changes are shown, None for now. `named` is an object that
    the path names. With `sends_initial` what exists comes first. A timeout of 0 leaves the time
    to us.
    """

    since: int | None = None
    sends_initial: bool = False
    marks_initial_end: bool = False
    bookmarks: bool = False
    labels: LabelSelector = field(default_factory=LabelSelector)
    fields: FieldSelector = field(default_factory=FieldSelector)
    named: str = ""
    timeout_seconds: int = 0


class Watch:
    """One stream of events. `close` must be called, whether it was read or not."""

    def __init__(
        self,
        place: Place,
        options: WatchOptions,
        projector: Projector,
        subscription: Subscription,
        first_page: StatePage | None,
    ) -> None:
        self.is_bookmark_due = False
        self._place = place
        self._options = options
        self._projector = projector
        self._subscription = subscription
        self._first_page = first_page
        # Where each page of the initial state ended in the order of lists, and its snapshot.
        self._order = by_name if first_page is None else first_page.order
        self._ends: list[Key] = []
        self._revisions: list[int] = []

    async def events(self) -> AsyncGenerator[WatchEvent, None]:
        """Yield events until the watch ends.

        Raises:
            Expired: the log was cut off before it could be shown; list again.
            Unavailable: the database cannot be read.
        """
        if self._first_page is not None:
            async for event in self._initial(self._first_page):
                yield event
            if self._options.marks_initial_end:
                yield self._bookmark({INITIAL_EVENTS_END: "true"})
        while not self._is_over():
            change = await self._subscription.next()
            for event in await self._events_of(change):
                # Rights may have been withdrawn while the client took the one before.
                if self._is_over():
                    return
                yield event

    def mark(self) -> None:
        """Send a bookmark as soon as there is nothing else to send."""
        self.is_bookmark_due = self._options.bookmarks
        self._subscription.wake()

    def end(self) -> None:
        """Send nothing more."""
        self._subscription.end()

    def _is_over(self) -> bool:
        return self._subscription.is_over

    async def _initial(self, page: StatePage) -> AsyncGenerator[WatchEvent, None]:
        while True:
            self._ends.append(_END if page.last is None else self._order(page.last))
            self._revisions.append(page.revision)
            for sighting in page.items:
                if self._is_chosen(sighting) and self._matches(sighting.after):
                    yield WatchEvent(type="ADDED", document=sighting.document)
            if page.last is None or self._is_over():
                return
            page = await self._projector.state(self._place, page.last, limit=PAGE)

    async def _events_of(self, change: Change | None) -> list[WatchEvent]:
        if change is not None:
            sightings = await self._projector.events_of(change, self._place)
            return [event for each in sightings if (event := self._event_of(each)) is not None]
        if not self.is_bookmark_due:
            return []
        self.is_bookmark_due = False
        return [self._bookmark({})]

    def _event_of(self, sighting: Sighting) -> WatchEvent | None:
        if not self._is_chosen(sighting) or self._was_initial(sighting):
            return None
        was, now = self._matches(sighting.before), self._matches(sighting.after)
        if not (was or now):
            return None
        kind = ("MODIFIED" if was else "ADDED") if now else "DELETED"
        return WatchEvent(type=kind, document=sighting.document)

    def _was_initial(self, sighting: Sighting) -> bool:
        """Tell whether the initial state, whose pages are of different times, holds this."""
        if not self._revisions:
            return False
        if sighting.revision > self._revisions[-1]:
            self._ends.clear()
            self._revisions.clear()
            return False
        page = bisect_left(self._ends, self._order((sighting.namespace, sighting.name)))
        return sighting.revision <= self._revisions[page]

    def _is_chosen(self, sighting: Sighting) -> bool:
        options = self._options
        return (
            self._place.namespace in {"", sighting.namespace}
            and options.named in {"", sighting.name}
            and options.fields.matches(sighting.namespace, sighting.name, sighting.document)
        )

    def _matches(self, labels: Mapping[str, str] | None) -> bool:
        return labels is not None and self._options.labels.matches(labels)

    def _bookmark(self, annotations: Mapping[str, str]) -> WatchEvent:
        metadata: Document = {"resourceVersion": str(self._subscription.revision)}
        if annotations:
            metadata["annotations"] = dict(annotations)
        document: Document = {
            "kind": self._place.resource.kind,
            "apiVersion": self._place.api_version,
            "metadata": metadata,
        }
        return WatchEvent(type="BOOKMARK", document=document)
