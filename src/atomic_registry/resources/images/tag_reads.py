"""Tags of streams as they are read: one, or a page of those that a client chooses."""

import msgspec

from atomic_registry.content.ports import Transaction
from atomic_registry.content.streams import STREAM_TAG, HeldManifest, Stream, TaggedDigest
from atomic_registry.errors import ObjectUnknown, TagInvalid
from atomic_registry.kube.objects import timestamp
from atomic_registry.oci.reference import RepositoryName, Tag
from atomic_registry.resources.image_strategies import show_tag_reference
from atomic_registry.resources.images.lists import Cut, newest_revision
from atomic_registry.resources.images.sources import parse_stream_name
from atomic_registry.resources.images.stream_reads import labels_of
from atomic_registry.resources.images.tagging import find_reference
from atomic_registry.resources.images.views import stream_metadata, uid_of
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.paging import ListOptions
from atomic_registry.resources.strategies import Document


class FoundTag(msgspec.Struct, kw_only=True):
    """A tag, its stream and its image, of one snapshot."""

    stream: Stream
    tag: TaggedDigest
    image: HeldManifest


def parse_tag_name(namespace: str, name: str) -> tuple[RepositoryName, Tag]:
    stream, _, tag = name.partition(":")
    try:
        return parse_stream_name(namespace, stream, STREAM_TAG), Tag.parse(tag)
    except (TagInvalid, ObjectUnknown) as error:
        raise ObjectUnknown(kind=STREAM_TAG, name=name) from error


def find_tag(tx: Transaction, repository: RepositoryName, tag: Tag, name: str) -> FoundTag:
    stream = tx.streams.find(repository)
    found = None if stream is None else tx.streams.find_tag(stream.id, tag.value)
    if stream is None or found is None:
        raise ObjectUnknown(kind=STREAM_TAG, name=name)
    return FoundTag(stream=stream, tag=found[0], image=found[1])


def scan_tags(
    tx: Transaction, place: Place, options: ListOptions, after: tuple[str, str], limit: int
) -> Cut[FoundTag]:
    revision = newest_revision(tx)
    rows = tx.streams.list_tagged(project=place.namespace or None, after=after, limit=limit)
    streams = {it.name: it for it in tx.streams.find_all([held.repository for _, held in rows])}
    found = [
        FoundTag(stream=stream, tag=tagged, image=held)
        for tagged, held in rows
        if options.labels.matches(labels_of(stream := streams[held.repository]))
        and options.fields.matches(stream.namespace, f"{stream.stream_name}:{tagged.tag}")
    ]
    if len(rows) < limit:
        return Cut(items=found, revision=revision, last=None)
    tagged, held = rows[-1]
    return Cut(items=found, revision=revision, last=str(held.repository), below=tagged.tag)


def tag_metadata(stream: Stream, tag: str) -> Document:
    name = f"{stream.stream_name}:{tag}"
    shown = stream_metadata(stream)
    return {
        "name": name,
        "namespace": stream.namespace,
        "uid": uid_of("tag", str(shown["uid"]), tag),
        "resourceVersion": shown["resourceVersion"],
    }


def show_tag(found: FoundTag, image: Document) -> Document:
    stream, wanted = found.stream, find_reference(found.stream, found.tag.tag)
    metadata = tag_metadata(stream, found.tag.tag)
    metadata["creationTimestamp"] = timestamp(found.tag.moved_at)
    if labels := labels_of(stream):
        metadata["labels"] = labels
    if wanted is not None and wanted.annotations:
        metadata["annotations"] = wanted.annotations
    is_local = stream.record is not None and stream.record.spec.lookup_policy.local
    return {
        "metadata": metadata,
        **({} if wanted is None else {"tag": show_tag_reference(wanted)}),
        "generation": 1 if stream.record is None else stream.record.metadata.generation,
        "lookupPolicy": {"local": is_local},
        "image": image,
    }
