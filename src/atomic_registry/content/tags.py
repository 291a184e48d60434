"""What moving a tag means, whoever moves it: history, the change log, and tags that follow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from atomic_registry.content.limits import (
    require_bytes,
    require_images,
    require_stream,
    require_tags,
)
from atomic_registry.content.ports import Change, NewManifest, Repository, Transaction
from atomic_registry.content.streams import STREAM_TAG, StreamRecord, TagReference, stream_name_of
from atomic_registry.errors import ManifestUnknown, MissingReference, TooLarge
from atomic_registry.identity.actors import Actor
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.manifest import Manifest, parse_manifest
from atomic_registry.oci.reference import RepositoryName, Tag

HISTORY_KEPT = 100
"""Moves of one tag that are remembered, if nothing else is said."""
# Manifests that one tagging may bring from another repository: an index and what it lists.
_MAX_LINKED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """Who moves tags, when, and how many moves of each are kept.

    `size` is that of an image that is pushed under the tags, None where nothing is pushed;
    `is_new` tells that the repository did not hold it before.
    """

    actor: Actor
    now: datetime
    history_kept: int = HISTORY_KEPT
    size: int | None = None
    is_new: bool = False


def move_tags(
    tx: Transaction, repository: Repository, tags: Sequence[Tag], digest: Digest, mover: Mover
) -> None:
    """Point the tags at a manifest of the repository, and with them those that follow them.

    A tag that was pinned to another image and is moved by name is pinned no longer.
    """
    if not tags:
        return
    record = _record_of(tx, repository.name)
    if record is not None:
        _unpin(tx, record, tags, mover)
    move_with_followers(tx, repository, record, tags, digest, mover)


def move_with_followers(
    tx: Transaction,
    repository: Repository,
    record: StreamRecord | None,
    tags: Sequence[Tag],
    digest: Digest,
    mover: Mover,
) -> None:
    """Point the tags, and those that follow them by the record, at a manifest.

    Raises:
        QuotaExceeded: the stream may not have so many tags.
    """
    followers = [] if record is None else _followers(record, tags)
    moved, described = (*tags, *followers), described_tags(record)
    after = described.union(tag.value for tag in moved)
    require_tags(tx, repository, before=described, after=after)
    for tag in moved:
        move_tag(tx, repository, tag, digest, mover)
        # One entry of the log tells that the image is new.
        mover = replace(mover, is_new=False) if mover.is_new else mover


def move_tag(
    tx: Transaction, repository: Repository, tag: Tag, digest: Digest, mover: Mover
) -> None:
    """Point one tag at a manifest of the repository, with history and change row."""
    actor = mover.actor.signature
    before = tx.tags.move(repository.id, tag, digest, actor=actor, now=mover.now)
    if before != digest:
        tx.tags.trim(repository.id, tag, keep=mover.history_kept)
        facts = {"tag": str(tag), "digest": str(digest)}
        if before is not None:
            facts["before"] = str(before)
        if mover.size is not None:
            facts["size"] = str(mover.size)
        if mover.is_new:
            facts["new"] = "true"
        tx.append(repository_change("tagged", mover.actor, repository.name, **facts))


def announce(tx: Transaction, repository: Repository, actor: Actor) -> None:
    """Tell of a repository that does not show yet.

    Raises:
        QuotaExceeded: the project may not have one more.
    """
    stream = tx.streams.find(repository.name)
    if stream is not None and not stream.revision:
        require_stream(tx, repository.name)
        tx.append(repository_change("created", actor, repository.name))


def remove_tag(tx: Transaction, repository: Repository, tag: Tag, mover: Mover) -> bool:
    """Remove the tag, keeping its history; return False if it was not there."""
    removed = tx.tags.remove(repository.id, tag, actor=mover.actor.signature, now=mover.now)
    if removed:
        tx.append(repository_change("untagged", mover.actor, repository.name, tag=str(tag)))
    return removed


def removal_of(
    actor: Actor,
    repository: RepositoryName,
    tags: Sequence[str],
    images: Iterable[Digest] = (),
    **facts: str,
) -> Change:
    """Return the row that tells of a repository's end, and of what ends with it."""
    named = " ".join(map(str, images))
    if named:
        facts["images"] = named
    return repository_change("removed", actor, repository, tags=" ".join(tags), **facts)


def repository_change(verb: str, actor: Actor, repository: RepositoryName, **facts: str) -> Change:
    """Return the row of the change log that tells of something done to a repository."""
    return Change(
        kind="repository", repository=repository, verb=verb, actor=actor.signature, object=facts
    )


def to_store(manifest: Manifest) -> NewManifest:
    """Return the manifest with what the repository must hold for it."""
    return NewManifest(
        digest=manifest.digest,
        media_type=manifest.media_type,
        body=manifest.body,
        artifact_type=manifest.artifact_type,
        subject=manifest.subject.digest if manifest.subject is not None else None,
        annotations=manifest.annotations,
        blobs=tuple(dict.fromkeys(item.digest for item in manifest.blobs)),
        children=tuple(dict.fromkeys(item.digest for item in manifest.children)),
    )


def link_manifest(
    tx: Transaction, source: Repository, target: Repository, digest: Digest, now: datetime
) -> None:
    """Make a manifest of one repository, with all that it names, part of another.

    Both must be locked, so that neither loses content before the commit.

    Raises:
        ManifestUnknown: the source does not hold it.
        MissingReference: the source has lost a part of it.
        TooLarge: it is an index of more manifests than one transaction may link.
        QuotaExceeded: limits of the target's project forbid it.
    """
    waiting, seen = [digest], {digest}
    found: list[Manifest] = []
    while waiting:
        manifest = _manifest_of(tx, source, waiting.pop(), is_child=bool(found))
        found.append(manifest)
        below = [item.digest for item in manifest.children if item.digest not in seen]
        seen.update(below)
        waiting += below
        if len(seen) > _MAX_LINKED:
            raise TooLarge(what="the index (in manifests)", limit=_MAX_LINKED)
    blobs = list(dict.fromkeys(item.digest for each in found for item in each.blobs))
    held = tx.blobs.sizes(source.id, blobs)
    missing = [str(blob) for blob in blobs if blob not in held]
    if missing:
        raise MissingReference(repository=str(source.name), digests=missing)
    require_images(tx, target, found)
    require_bytes(tx, target.name.project, held)
    tx.blobs.link_all(target.id, blobs, now)
    for manifest in reversed(found):
        tx.manifests.put(target.id, to_store(manifest), now)


def _manifest_of(
    tx: Transaction, source: Repository, digest: Digest, *, is_child: bool
) -> Manifest:
    stored = tx.manifests.find(source.id, digest)
    if stored is None and is_child:
        raise MissingReference(repository=str(source.name), digests=[str(digest)])
    if stored is None:
        raise ManifestUnknown(repository=str(source.name), reference=str(digest))
    return parse_manifest(stored.body, stored.media_type, algorithm=digest.algorithm)


def _record_of(tx: Transaction, repository: RepositoryName) -> StreamRecord | None:
    return tx.objects.find(StreamRecord, stream_name_of(repository), namespace=repository.project)


def _unpin(tx: Transaction, record: StreamRecord, tags: Sequence[Tag], mover: Mover) -> None:
    if not _pinned(record, tags):
        return
    # Pushes share the repository, so that another one may be unpinning at this moment.
    fresh = tx.objects.find(
        StreamRecord, record.metadata.name, namespace=record.metadata.namespace, lock=True
    )
    if fresh is not None and (pinned := _pinned(fresh, tags)):
        for wanted in pinned:
            wanted.source = None
        tx.objects.update(fresh, actor=mover.actor.signature, now=mover.now)


def _pinned(record: StreamRecord, tags: Sequence[Tag]) -> list[TagReference]:
    names = {tag.value for tag in tags}
    return [
        wanted
        for wanted in record.spec.tags
        if wanted.name in names and wanted.source is not None and not followed_tag(record, wanted)
    ]


def _followers(record: StreamRecord, tags: Sequence[Tag]) -> list[Tag]:
    """Return the tags that follow these, and those that follow them; bounded by the record."""
    followers: dict[str, list[str]] = {}
    for wanted in record.spec.tags:
        source = followed_tag(record, wanted)
        if source:
            followers.setdefault(source, []).append(wanted.name)
    found = dict.fromkeys(tag.value for tag in tags)
    waiting = list(found)
    while waiting:
        new = [name for name in followers.get(waiting.pop(), ()) if name not in found]
        found.update(dict.fromkeys(new))
        waiting += new
    return [Tag(name) for name in found][len(tags) :]


def described_tags(record: StreamRecord | None) -> set[str]:
    """Return the tags that a stream says anything of."""
    return set() if record is None else {wanted.name for wanted in record.spec.tags}


def followed_tag(record: StreamRecord, wanted: TagReference) -> str:
    """Return the tag of the same stream that a tag follows; empty if there is none."""
    source = wanted.source
    if source is None or source.kind != STREAM_TAG or wanted.reference:
        return ""
    if source.namespace not in {"", record.metadata.namespace}:
        return ""
    stream, colon, tag = source.name.rpartition(":")
    return tag if not colon or stream == record.metadata.name else ""
