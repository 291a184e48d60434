"""One transaction that sets tags and what a stream says of them; every way to tag leads here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from atomic_registry.content.limits import require_stream, require_tags
from atomic_registry.content.ports import Repository, Transaction
from atomic_registry.content.streams import (
    Stream,
    StreamRecord,
    StreamSpec,
    TagReference,
)
from atomic_registry.content.tags import (
    Mover,
    described_tags,
    followed_tag,
    link_manifest,
    move_with_followers,
    repository_change,
)
from atomic_registry.errors import ObjectUnknown, ProjectUnknown
from atomic_registry.identity.records import Project
from atomic_registry.kube.objects import ObjectMeta
from atomic_registry.oci.reference import RepositoryName, Tag
from atomic_registry.resources.images.sources import Source, as_repository, find_source
from atomic_registry.resources.images.views import MAX_TAGS

MAX_SPEC_TAGS = 1000
"""Tags of one spec: each may bring a move into the transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A tag that is to be made from a source; one that is not `required` may come later."""

    reference: TagReference
    source: Source
    required: bool = True


def make_stream(tx: Transaction, name: RepositoryName, mover: Mover) -> Stream:
    """Return the stream, created if need be, locked for itself; it shows from the commit on.

    Raises:
        ProjectUnknown: its project does not exist.
        QuotaExceeded: it may not have one more.
    """
    stream = tx.streams.find(name, lock="exclusive")
    if stream is None:
        if tx.objects.find(Project, name.project, lock=True) is None:
            raise ProjectUnknown(project=name.project)
        tx.repositories.ensure(name, mover.now)
        stream = tx.streams.find(name, lock="exclusive")
    assert stream is not None  # noqa: S101 - made above, and the project is locked
    if not stream.revision:
        require_stream(tx, name)
        tx.append(repository_change("created", mover.actor, name))
    return stream


def store_record(tx: Transaction, stream: Stream, record: StreamRecord, mover: Mover) -> None:
    """Store what a stream says, and tell of it as of a change of its repository.

    Raises:
        QuotaExceeded: it may not have so many tags.
    """
    record.metadata.name, record.metadata.namespace = stream.stream_name, stream.namespace
    actor, old = mover.actor.signature, stream.record
    before, after = described_tags(old), described_tags(record)
    require_tags(tx, as_repository(stream), before=before, after=after)
    # Who writes a record holds the stream for itself; the stream's own revision was compared.
    record.metadata.resource_version = ""
    record.metadata.uid = "" if old is None else old.metadata.uid
    if old is None:
        tx.objects.add(record, actor=actor, now=mover.now)
    else:
        tx.objects.update(record, actor=actor, now=mover.now)
    labels = {} if old is None else old.metadata.labels
    facts = {"labels_before": msgspec.json.encode(labels).decode()}
    facts["tags"] = " ".join(_redescribed(tx, stream, record))
    tx.append(repository_change("described", mover.actor, stream.name, **facts))


def _redescribed(tx: Transaction, stream: Stream, new: StreamRecord) -> list[str]:
    """Return the tags that point somewhere now and that the record makes look different."""
    old = new_record(stream)
    if (old.metadata.labels, old.spec.lookup_policy) != (
        new.metadata.labels,
        new.spec.lookup_policy,
    ):
        return [it.tag for it in tx.streams.list_tags([stream.id], limit=MAX_TAGS)]
    before = {tag.name: tag for tag in old.spec.tags}
    after = {tag.name: tag for tag in new.spec.tags}
    names = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    return sorted(tx.usage.tags_among(stream.id, sorted(names)))


def new_record(stream: Stream) -> StreamRecord:
    """Return a copy of what the stream says, or an empty record, to be changed and stored."""
    if stream.record is None:
        meta = ObjectMeta(name=stream.stream_name, namespace=stream.namespace, generation=1)
        return StreamRecord(metadata=meta)
    return msgspec.convert(msgspec.to_builtins(stream.record), StreamRecord)


def set_reference(spec: StreamSpec, wanted: TagReference) -> None:
    """Put one tag into a spec, in place of what it said of it."""
    for at, tag in enumerate(spec.tags):
        if tag.name == wanted.name:
            spec.tags[at] = wanted
            return
    spec.tags.append(wanted)


def drop_reference(spec: StreamSpec, name: str) -> bool:
    """Take one tag out of a spec; return False if it was not there."""
    kept = [tag for tag in spec.tags if tag.name != name]
    dropped = len(kept) < len(spec.tags)
    spec.tags = kept
    return dropped


def find_reference(stream: Stream, name: str) -> TagReference | None:
    """Return what the spec says of a tag."""
    tags = [] if stream.record is None else stream.record.spec.tags
    return next((tag for tag in tags if tag.name == name), None)


def apply_wishes(
    tx: Transaction,
    stream: Stream,
    record: StreamRecord,
    wishes: Sequence[Wish],
    repositories: Mapping[RepositoryName, Repository],
    mover: Mover,
) -> None:
    """Point the tags at what they are made from; what lies elsewhere becomes part of the stream.

    Raises:
        ObjectUnknown, NameAmbiguous: a source means nothing, or several things.
    """
    target = as_repository(stream)
    here = {**repositories, stream.name: target}
    # First those that stand by themselves: others of the same request may follow them.
    ordered = sorted(wishes, key=lambda wish: bool(followed_tag(record, wish.reference)))
    for wish in ordered:
        try:
            digest = find_source(tx, wish.source, here)
        except ObjectUnknown:
            if wish.required:
                raise
            continue
        if wish.source.repository != stream.name:
            source = here[wish.source.repository]
            link_manifest(tx, source, target, digest, mover.now)
        tx.repositories.mark_pushed(target.id, mover.now)
        move_with_followers(tx, target, record, [Tag(wish.reference.name)], digest, mover)
