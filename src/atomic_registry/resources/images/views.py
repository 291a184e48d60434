"""Streams and their tags as documents.

Source: OpenShift API, group `image.openshift.io/v1`.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from atomic_registry.content.ports import Transaction
from atomic_registry.content.streams import Stream, StreamSpec, TagEvent, TaggedDigest
from atomic_registry.kube.objects import timestamp
from atomic_registry.resources.image_strategies import show_spec
from atomic_registry.resources.strategies import Document

GET_HISTORY = 100
LIST_HISTORY = 10
"""Moves of each tag that a stream shows by itself, and in a list."""
MAX_TAGS = 20_000
"""Tags that one answer shows: those of the streams of a page, or the first of one stream."""
_REMOVED_SHOWN = 100
_BATCH = 500
_IDS = uuid.UUID("5b1f3c0e-6a55-4a0e-9d37-0c1c5cf2a7de")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamView:
    """A stream with its tags, their newest moves, and tags that were removed."""

    stream: Stream
    tags: Sequence[TaggedDigest]
    histories: Mapping[str, Sequence[TagEvent]]
    removed: Sequence[TagEvent] = field(default=())


def load_view(tx: Transaction, stream: Stream) -> StreamView:
    """Return all that is shown of one stream."""
    tags = tx.streams.list_tags([stream.id], limit=MAX_TAGS)
    removed = tx.streams.list_removals(stream.id, limit=_REMOVED_SHOWN)
    names = [*(tag.tag for tag in tags), *(event.tag for event in removed)]
    events = tx.streams.list_history(stream.id, names, limit=GET_HISTORY)
    return StreamView(
        stream=stream, tags=tags, histories=_by_tag(events)[stream.id], removed=removed
    )


def load_views(
    tx: Transaction, streams: Sequence[Stream], *, histories: bool = True
) -> list[StreamView]:
    """Return the views of the first streams: of all, or of as many as have not too many tags.

    Without histories each tag shows where it points and since when, and nothing older.
    """
    views: list[StreamView] = []
    budget, start, size = MAX_TAGS, 0, _BATCH
    while start < len(streams):
        batch = streams[start : start + size]
        tags = tx.streams.list_tags([stream.id for stream in batch], limit=budget + 1)
        if len(tags) > budget:
            if views and size == 1:
                break
            if size > 1:
                size = 1
                continue
            tags = tags[:budget]
        ids = [stream.id for stream in batch] if histories else []
        moves = _by_tag(tx.streams.list_histories(ids, limit=LIST_HISTORY))
        views += _views_of(batch, tags, moves)
        budget -= len(tags)
        start += len(batch)
    return views


def _views_of(
    streams: Sequence[Stream], tags: Sequence[TaggedDigest], histories: "_Histories"
) -> list[StreamView]:
    of_stream: dict[int, list[TaggedDigest]] = {}
    for tag in tags:
        of_stream.setdefault(tag.repository_id, []).append(tag)
    return [
        StreamView(
            stream=stream,
            tags=of_stream.get(stream.id, ()),
            histories=histories.get(stream.id, {}),
        )
        for stream in streams
    ]


class _Histories(dict[int, dict[str, list[TagEvent]]]):
    def __missing__(self, key: int) -> dict[str, list[TagEvent]]:
        return {}


def _by_tag(events: Sequence[TagEvent]) -> _Histories:
    found = _Histories()
    for event in events:
        found.setdefault(event.repository_id, {}).setdefault(event.tag, []).append(event)
    return found


def stream_metadata(stream: Stream) -> Document:
    """Return the metadata of a stream as an object."""
    record = stream.record
    kept: Document = {} if record is None else msgspec.to_builtins(record.metadata)
    return kept | {
        "name": stream.stream_name,
        "namespace": stream.namespace,
        "uid": uid_of("stream", str(stream.id), stream.created_at.isoformat()),
        "resourceVersion": str(stream.revision),
        "generation": 1 if record is None else max(record.metadata.generation, 1),
        "creationTimestamp": timestamp(stream.created_at),
    }


def uid_of(*parts: str) -> str:
    """Return an identifier that is always the same for these parts, and no other's."""
    return str(uuid.uuid5(_IDS, "\0".join(parts)))


def show_stream(view: StreamView, *, host: str) -> Document:
    """Return the stream without kind and version."""
    stream = view.stream
    spec = StreamSpec() if stream.record is None else stream.record.spec
    address = f"{host}/{stream.name}"
    status: Document = {
        "dockerImageRepository": address,
        "publicDockerImageRepository": address,
        "tags": [
            {"tag": tag.tag, "items": _items(tag, view.histories.get(tag.tag, ()), address)}
            for tag in view.tags
        ],
    }
    if view.removed:
        # An extension: what a tag was before it was removed is how it can be had back.
        status["removedTags"] = [
            {
                "tag": event.tag,
                "removed": timestamp(event.at),
                "items": [_item(old, address) for old in view.histories.get(event.tag, ())],
            }
            for event in view.removed
        ]
    return {"metadata": stream_metadata(stream), "spec": show_spec(spec), "status": status}


def _items(tag: TaggedDigest, events: Sequence[TagEvent], address: str) -> list[Document]:
    if events and events[0].digest == tag.digest:
        return [_item(event, address) for event in events]
    # Its history is not known, since the tag is older than that, or was not asked for.
    digest = str(tag.digest)
    return [_plain_item(timestamp(tag.moved_at), digest, address, generation=1)]


def _item(event: TagEvent, address: str) -> Document:
    return _plain_item(timestamp(event.at), str(event.digest), address, generation=event.id)


def _plain_item(created: str, digest: str, address: str, *, generation: int) -> Document:
    return {
        "created": created,
        "dockerImageReference": f"{address}@{digest}",
        "image": digest,
        "generation": generation,
    }
