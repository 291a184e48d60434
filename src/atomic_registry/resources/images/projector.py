"""Image streams as watches see them: made from the changes of their repositories."""

import msgspec

from atomic_registry.content.ports import Transaction
from atomic_registry.content.streams import repository_of
from atomic_registry.errors import Invalid
from atomic_registry.events.ports import Change
from atomic_registry.resources.images.lists import newest_revision
from atomic_registry.resources.images.stream_reads import labels_of
from atomic_registry.resources.images.surroundings import Surroundings
from atomic_registry.resources.images.views import (
    StreamView,
    load_view,
    load_views,
    show_stream,
    uid_of,
)
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.projections import Key, Sighting, StatePage, by_repository
from atomic_registry.resources.strategies import Document

_CREATED = "created"
_REMOVED = "removed"


class ImageStreamProjector:
    """Implements `Projector`. An event shows the stream as it is now, which may be later."""

    kinds = frozenset({"repository"})

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    async def events_of(self, change: Change, place: Place) -> list[Sighting]:
        try:
            name = repository_of(change.namespace, change.name)
        except Invalid:
            # Names from before there were projects show nowhere.
            return []

        def load(tx: Transaction) -> StreamView | None:
            stream = tx.streams.find(name)
            return None if stream is None else load_view(tx, stream)

        view = None
        if change.verb != _REMOVED:
            view = await self._around.metadata.read(load)
        if view is None:
            # Gone at once, or meanwhile: then the change that says so follows.
            return [_gone(place, change)] if change.verb == _REMOVED else []
        return [self._sighting(place, view, change)]

    async def state(self, place: Place, after: Key, *, limit: int) -> StatePage:
        project = place.namespace or None
        start = f"{after[0]}/{after[1].replace('~', '/')}" if after[0] else ""

        def load(tx: Transaction) -> tuple[list[StreamView], int, bool]:
            streams = tx.streams.list_streams(project=project, after=start, limit=limit)
            views = load_views(tx, streams)
            is_end = len(streams) < limit and len(views) == len(streams)
            return views, newest_revision(tx), is_end

        views, revision, is_end = await self._around.metadata.read(load)
        items = [self._sighting(place, view, None) for view in views]
        last = None if is_end else (items[-1].namespace, items[-1].name)
        return StatePage(items=items, revision=revision, last=last, order=by_repository)

    def _sighting(self, place: Place, view: StreamView, change: Change | None) -> Sighting:
        stream = view.stream
        labels = labels_of(stream)
        body = show_stream(view, host=self._around.host)
        metadata = body["metadata"]
        revision = stream.revision if change is None else change.revision
        if isinstance(metadata, dict):
            metadata["resourceVersion"] = str(revision)
        is_new = change is None or change.verb == _CREATED
        return Sighting(
            namespace=stream.namespace,
            name=stream.stream_name,
            revision=revision,
            before=None if is_new else labels_before(change, labels),
            after=labels,
            document=document_of(place, body),
        )


def _gone(place: Place, change: Change) -> Sighting:
    metadata: Document = {
        "name": change.name,
        "namespace": change.namespace,
        "uid": uid_of("removed", change.namespace, change.name),
        "resourceVersion": str(change.revision),
    }
    return Sighting(
        namespace=change.namespace,
        name=change.name,
        revision=change.revision,
        before=labels_before(change, {}),
        after=None,
        document=document_of(place, {"metadata": metadata, "spec": {}, "status": {}}),
    )


def labels_before(change: Change | None, labels: dict[str, str]) -> dict[str, str]:
    """Return the labels of the stream before a change, as far as the change tells of others."""
    facts = {} if change is None else msgspec.json.decode(change.body, type=dict[str, str])
    text = facts.get("labels_before")
    return labels if text is None else msgspec.json.decode(text, type=dict[str, str])


def document_of(place: Place, body: Document) -> Document:
    """Return the body as a document of the place."""
    return {"kind": place.resource.kind, "apiVersion": place.api_version, **body}
