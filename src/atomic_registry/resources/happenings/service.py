"""Events of a project: those that the change log tells of, and those that were counted.

Whoever may read events sees them, but for denials: these name people and what they tried, and
are shown only to those who may also see who has which role there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from atomic_registry.clock import Clock
from atomic_registry.content import ports as content
from atomic_registry.content.streams import Stream, repository_of
from atomic_registry.errors import Invalid, ObjectUnknown
from atomic_registry.events.ports import Change, RepositoryLog
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.policy import Policy, Right
from atomic_registry.kube.objects import timestamp
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.resources.documents import show_object
from atomic_registry.resources.event_records import DENIED, Event
from atomic_registry.resources.happenings.projection import event_of
from atomic_registry.resources.images.lists import newest_revision
from atomic_registry.resources.images.surroundings import Transactions
from atomic_registry.resources.images.views import stream_metadata
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.paging import (
    MAX_LIST,
    ListOptions,
    decode_continue,
    encode_continue,
)
from atomic_registry.resources.role_strategies import RBAC
from atomic_registry.resources.strategies import Document

MaySee = Callable[[str], bool]
"""Tells whether denials of a project are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEvents:
    """How long events are kept, and how many: so many of the log and of each reason counted."""

    age: timedelta
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSources:
    """Where events come from, how long they are shown, and who decides about denials."""

    metadata: Transactions
    log: RepositoryLog
    policy: Policy
    clock: Clock
    kept: KeptEvents

    def may_see_denials(self, actor: Actor) -> MaySee:
        """Return what tells whether the actor is shown denials of a project."""

        def may_see(namespace: str) -> bool:
            right = Right(verb="list", group=RBAC, resource="rolebindings", namespace=namespace)
            return self.policy.grants(actor, right)

        return may_see


class EventService:
    """Shows events. The caller's right to the place was checked before."""

    def __init__(self, sources: EventSources) -> None:
        self._sources = sources

    async def list(self, actor: Actor, place: Place, options: ListOptions) -> Document:
        """Return one page of the newest events of a project, or of all of them."""
        after = decode_continue(options.continue_token)
        found, revision = await self.all_of(place)
        may_see = self._sources.may_see_denials(actor)
        shown = [
            (key, document)
            for key, event in sorted(found.items())
            if key > after and (event.reason != DENIED or may_see(key[0]))
            if options.labels.matches(event.metadata.labels)
            if options.fields.matches(*key, document := show_object(place, event))
        ]
        page = shown[: options.page_size]
        metadata: Document = {"resourceVersion": str(revision)}
        if len(page) < len(shown):
            metadata["continue"] = encode_continue(page[-1][0])
        return {
            "kind": f"{place.resource.kind}List",
            "apiVersion": place.api_version,
            "metadata": metadata,
            "items": [document for _, document in page],
        }

    async def get(self, actor: Actor, place: Place, name: str) -> Document:
        """Return one event.

        Raises:
            ObjectUnknown: there is none of this name that the actor may see.
        """
        found, _ = await self.all_of(place)
        event = found.get((place.namespace, name))
        may_see = self._sources.may_see_denials(actor)
        if event is None or (event.reason == DENIED and not may_see(place.namespace)):
            raise ObjectUnknown(kind=place.resource.kind, name=name)
        return show_object(place, event)

    async def all_of(self, place: Place) -> tuple[dict[tuple[str, str], Event], int]:
        """Return what is kept of the place, and the revision at which it was so."""
        sources = self._sources
        since = sources.clock.now() - sources.kept.age
        project = place.namespace or None
        limit = sources.kept.count if project else MAX_LIST

        def load(tx: content.Transaction) -> tuple[list[Event], int]:
            # Of each reason as many as are kept: pulls and denials.
            counted = tx.objects.list(Event, namespace=project, limit=2 * limit)
            return counted, newest_revision(tx)

        counted, revision = await sources.metadata.read(load)
        # The log only grows: up to that revision it is what it was then.
        changes = await sources.log.list_of_repositories(
            project, up_to=revision, since=since, limit=limit
        )
        uids = await load_uids(sources.metadata, changes)
        events = [event_of(it, uid=uids.get(_key(it), "")) for it in changes]
        events += [it for it in counted if (it.last_timestamp or "") >= timestamp(since)]
        found = {(it.metadata.namespace, it.metadata.name): it for it in events if it is not None}
        return found, revision


async def load_uids(
    metadata: Transactions, changes: Sequence[Change]
) -> dict[tuple[str, str], str]:
    """Return the uids of the streams that changes are about, as far as they are still there."""
    names: set[RepositoryName] = set()
    for change in changes:
        try:
            names.add(repository_of(change.namespace, change.name))
        except Invalid:
            # Names from before there were projects.
            continue

    def load(tx: content.Transaction) -> Sequence[Stream]:
        return tx.streams.find_all(sorted(names, key=str))

    found = await metadata.read(load) if names else ()
    return {
        (stream.namespace, stream.stream_name): str(stream_metadata(stream)["uid"])
        for stream in found
    }


def _key(change: Change) -> tuple[str, str]:
    return change.namespace, change.name
