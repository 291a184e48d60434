"""Image streams: repositories as objects that can be listed, described, tagged and deleted."""

from collections.abc import Mapping, Sequence

import msgspec

from atomic_registry.content.images import MAX_ENDED, forget_images
from atomic_registry.content.ports import Repository, Transaction
from atomic_registry.content.streams import (
    Stream,
    StreamRecord,
    TagReference,
    repository_of,
    stream_name_of,
)
from atomic_registry.content.tags import Mover, followed_tag, removal_of
from atomic_registry.errors import (
    AlreadyExists,
    Invalid,
    NameAmbiguous,
    ObjectInvalid,
    ObjectUnknown,
    ProjectUnknown,
)
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.records import Project, Secret
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.resources.documents import metadata_causes, read_object
from atomic_registry.resources.engine import Preconditions
from atomic_registry.resources.images.lists import position, show_list
from atomic_registry.resources.images.sources import (
    lock_streams,
    parse_source,
    parse_stream_name,
    require_sources,
    spec_causes,
)
from atomic_registry.resources.images.stream_reads import (
    KIND,
    get_stream,
    labels_of,
    scan_streams,
)
from atomic_registry.resources.images.surroundings import Surroundings
from atomic_registry.resources.images.tagging import (
    MAX_SPEC_TAGS,
    Wish,
    apply_wishes,
    make_stream,
    new_record,
    store_record,
)
from atomic_registry.resources.images.views import (
    MAX_TAGS,
    StreamView,
    load_view,
    show_stream,
    stream_metadata,
)
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.paging import ListOptions
from atomic_registry.resources.strategies import Document

_MAX_SECRETS = 1000
_SECRET_TYPES = ("kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson")
_EXCLUDED = "openshift.io/image.excludeSecret"


class StreamService:
    """Keeps image streams. The caller's right to the place was checked before."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self._metadata = around.metadata

    async def get(self, place: Place, name: str) -> Document:
        """Return the stream with the history of its tags.

        Raises:
            ObjectUnknown: there is none of this name.
        """
        repository = parse_stream_name(place.namespace, name, KIND)
        view = await self._metadata.read(lambda tx: load_view(tx, get_stream(tx, repository)))
        return self._show(place, view)

    async def list(self, actor: Actor, place: Place, options: ListOptions) -> Document:
        """Return one page of the project's streams, or of all projects'."""
        after = position(options.continue_token)
        cut = await self._metadata.read(lambda tx: scan_streams(tx, place, options, after))
        return show_list(place, cut, [self._body(view) for view in cut.items])

    async def create(self, actor: Actor, place: Place, document: Document) -> Document:
        """Make a stream, which is an empty repository; its tags may come from others.

        Raises:
            ObjectInvalid: it breaks the rules of its kind, or a tag's source is not there.
            AlreadyExists: there is one of this name.
            ProjectUnknown: there is no such project.
            Denied: the actor may not pull from a source.
        """
        record = read_stream(place, document)
        repository = _new_name(place, record)
        wishes = _checked_wishes(self.around, actor, repository, record, None)
        mover = self.around.mover(actor)

        def change(tx: Transaction) -> StreamView:
            if tx.objects.find(Project, place.namespace, lock=True) is None:
                raise ProjectUnknown(project=place.namespace)
            found, repositories = lock_streams(tx, repository, [it.source for it in wishes])
            if found is not None and found.revision:
                raise AlreadyExists(kind=KIND, name=record.metadata.name)
            stream = make_stream(tx, repository, mover)
            meta = record.metadata
            meta.generation, meta.uid = 1, ""
            meta.managed_fields = [entry for entry in meta.managed_fields if entry]
            store_record(tx, stream, record, mover)
            _apply(tx, stream, record, wishes, repositories, mover)
            return load_view(tx, get_stream(tx, repository, is_new=True))

        return await self.written(place, await self._metadata.write(change))

    async def update(self, actor: Actor, place: Place, name: str, document: Document) -> Document:
        """Replace what is said of the stream; tags whose source is new are made from it.

        Raises:
            ObjectInvalid: it breaks the rules of its kind, or a tag's source is not there.
            ObjectUnknown: there is none of this name.
            StaleRevision: it has changed since it was read.
            Denied: the actor may not pull from a source.
        """
        record = read_stream(place, document)
        repository = parse_stream_name(place.namespace, name, KIND)
        check_stream_name(record, name)
        before = await self._metadata.read(lambda tx: get_stream(tx, repository))
        wishes = _checked_wishes(self.around, actor, repository, record, before)
        mover = self.around.mover(actor)

        def change(tx: Transaction) -> StreamView:
            stream, repositories = lock_streams(tx, repository, [it.source for it in wishes])
            if stream is None or not stream.revision:
                raise ObjectUnknown(kind=KIND, name=name)
            check_preconditions(stream, record)
            if take_over(stream, record):
                store_record(tx, stream, record, mover)
            wanted = [it for it in wishes if _is_new(stream, it.reference)]
            _apply(tx, stream, record, wanted, repositories, mover)
            return load_view(tx, get_stream(tx, repository))

        return await self.written(place, await self._metadata.write(change))

    async def delete(
        self, actor: Actor, place: Place, name: str, preconditions: Preconditions
    ) -> Document:
        """Delete the repository with its tags, their history and its images.

        Raises:
            ObjectUnknown: there is none of this name.
            StaleRevision: a precondition does not hold.
        """
        repository = parse_stream_name(place.namespace, name, KIND)
        mover = self.around.mover(actor)

        def change(tx: Transaction) -> StreamView:
            stream = get_stream(tx, repository, lock=True)
            _require(stream, preconditions)
            view = StreamView(stream=stream, tags=(), histories={})
            if stream.record is not None:
                tx.objects.remove(stream.record, actor=actor.signature, now=mover.now)
            tags = [it.tag for it in tx.streams.list_tags([stream.id], limit=MAX_TAGS)]
            images = tx.images.list_digests(stream.id, limit=MAX_ENDED)
            tx.repositories.remove(stream.id, repository)
            told = forget_images(tx, images, mover)
            ended = [digest for digest in images if digest not in told]
            labels = msgspec.json.encode(labels_of(stream)).decode()
            tx.append(removal_of(actor, repository, tags, ended, labels_before=labels))
            return view

        return self._show(place, await self._metadata.write(change))

    async def list_secrets(self, place: Place, name: str) -> Document:
        """Return the project's secrets with which images of elsewhere can be had.

        Raises:
            ObjectUnknown: there is no such stream.
        """
        repository = parse_stream_name(place.namespace, name, KIND)

        def load(tx: Transaction) -> list[Secret]:
            get_stream(tx, repository)
            found = tx.objects.list(Secret, namespace=place.namespace, limit=_MAX_SECRETS)
            return [secret for secret in found if _is_for_images(secret)]

        shown = [
            {"kind": Secret.kind, "apiVersion": "v1", **msgspec.to_builtins(secret)}
            for secret in await self._metadata.read(load)
        ]
        return {"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": shown}

    async def written(self, place: Place, view: StreamView) -> Document:
        """Return the stream as it is after a write, or, if that was not kept, as it would be."""

        def load(tx: Transaction) -> StreamView | None:
            stream = tx.streams.find(view.stream.name)
            if stream is None or stream.revision <= view.stream.revision:
                return None
            return load_view(tx, stream)

        fresh = await self._metadata.read(load)
        return self._show(place, view if fresh is None else fresh)

    def _body(self, view: StreamView) -> Document:
        return show_stream(view, host=self.around.host)

    def _show(self, place: Place, view: StreamView) -> Document:
        return {"kind": KIND, "apiVersion": place.api_version, **self._body(view)}


def _checked_wishes(
    around: Surroundings,
    actor: Actor,
    repository: RepositoryName,
    record: StreamRecord,
    old: Stream | None,
) -> list[Wish]:
    """Return what a document wants tagged, if all of it is allowed.

    Raises:
        ObjectInvalid: it breaks the rules of its kind.
        Denied: the actor may not pull from a source.
    """
    host, tags = around.host, record.spec.tags
    causes = metadata_causes(record.metadata)
    if len(tags) > MAX_SPEC_TAGS:
        causes.append(("spec.tags", f"give at most {MAX_SPEC_TAGS}"))
    else:
        causes += spec_causes(tags, repository, host=host)
    if causes:
        raise ObjectInvalid(kind=KIND, name=record.metadata.name, causes=causes)
    record.metadata.name = stream_name_of(repository)
    parsed = [(tag, parse_source(tag, repository, host=host)) for tag in tags]
    wishes = [
        Wish(reference=tag, source=source, required=not followed_tag(record, tag))
        for tag, source in parsed
        if source is not None and (old is None or _is_new(old, tag))
    ]
    sources = [wish.source for wish in wishes]
    require_sources(around.policy, actor, repository, sources)
    return wishes


def check_preconditions(stream: Stream, given: StreamRecord) -> None:
    """Return if the stream is the one that the client has read.

    Raises:
        StaleRevision: it is another, or has changed since.
    """
    meta = given.metadata
    _require(stream, Preconditions(uid=meta.uid, resource_version=meta.resource_version))


def _require(stream: Stream, asked: Preconditions) -> None:
    shown = stream_metadata(stream)
    seen = StreamRecord(metadata=new_record(stream).metadata)
    seen.metadata.name = stream.stream_name
    seen.metadata.uid, seen.metadata.resource_version = str(shown["uid"]), str(stream.revision)
    asked.check(seen)


def _is_for_images(secret: Secret) -> bool:
    hidden = secret.metadata.annotations.get(_EXCLUDED) == "true"
    return secret.type in _SECRET_TYPES and not hidden


def read_stream(place: Place, document: Document) -> StreamRecord:
    """Return what a client wrote of a stream; names are not yet checked.

    Raises:
        ObjectInvalid: it is another kind, or has fields of the wrong type.
    """
    item = read_object(place, document)
    assert isinstance(item, StreamRecord)  # noqa: S101 - the table says so
    return item


def _new_name(place: Place, record: StreamRecord) -> RepositoryName:
    name = record.metadata.name
    if "/" in name:
        causes = [("metadata.name", "write '~' for each '/' of the repository's name")]
        raise ObjectInvalid(kind=KIND, name=name, causes=causes)
    try:
        return repository_of(place.namespace, name)
    except Invalid as error:
        causes = [("metadata.name", error.message)]
        raise ObjectInvalid(kind=KIND, name=name, causes=causes) from error


def _apply(
    tx: Transaction,
    stream: Stream,
    record: StreamRecord,
    wishes: Sequence[Wish],
    repositories: Mapping[RepositoryName, Repository],
    mover: Mover,
) -> None:
    try:
        apply_wishes(tx, stream, record, wishes, repositories, mover)
    except (ObjectUnknown, NameAmbiguous) as error:
        # The stream in the path is there: what its document names is not.
        causes = [("spec.tags", error.message)]
        raise ObjectInvalid(kind=KIND, name=record.metadata.name, causes=causes) from error


def check_stream_name(record: StreamRecord, name: str) -> None:
    """Return if the document is of the stream that the path names.

    Raises:
        ObjectInvalid: it is of another.
    """
    if record.metadata.name not in {"", name}:
        causes = [("metadata.name", "it must be the name in the path")]
        raise ObjectInvalid(kind=KIND, name=record.metadata.name, causes=causes)


def take_over(stream: Stream, record: StreamRecord) -> bool:
    """Give a successor what clients do not write; return whether it says anything new."""
    old = new_record(stream)
    meta, before = record.metadata, old.metadata
    meta.name, meta.namespace, meta.generate_name = before.name, before.namespace, ""
    meta.uid, meta.resource_version = before.uid, before.resource_version
    meta.creation_timestamp, meta.deletion_timestamp = before.creation_timestamp, None
    meta.generation = before.generation
    meta.managed_fields = [it for it in meta.managed_fields or before.managed_fields if it]
    is_new = meta != before or record.spec != old.spec
    meta.generation += record.spec != old.spec
    return is_new


def _is_new(stream: Stream, wanted: TagReference) -> bool:
    tags = [] if stream.record is None else stream.record.spec.tags
    old = next((tag for tag in tags if tag.name == wanted.name), None)
    return old is None or (old.source, old.reference) != (wanted.source, wanted.reference)
