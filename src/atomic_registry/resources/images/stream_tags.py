"""Tags of streams as objects named `stream:tag`: made from others, moved, and removed."""

from atomic_registry.content.ports import Transaction
from atomic_registry.content.streams import (
    STREAM_TAG,
    Stream,
    StreamRecord,
    TagReference,
)
from atomic_registry.content.tags import remove_tag
from atomic_registry.errors import AlreadyExists, ObjectInvalid, ObjectUnknown
from atomic_registry.identity.actors import Actor
from atomic_registry.kube.objects import ObjectMeta
from atomic_registry.oci.reference import RepositoryName, Tag
from atomic_registry.resources.documents import metadata_causes, read_object
from atomic_registry.resources.engine import Preconditions
from atomic_registry.resources.image_strategies import StreamTagForm
from atomic_registry.resources.images.descriptions import ImageDescriber
from atomic_registry.resources.images.lists import show_list
from atomic_registry.resources.images.sources import (
    Source,
    as_repository,
    lock_streams,
    parse_source,
    require_sources,
)
from atomic_registry.resources.images.streams import check_preconditions
from atomic_registry.resources.images.surroundings import Surroundings
from atomic_registry.resources.images.tag_reads import (
    FoundTag,
    find_tag,
    parse_tag_name,
    scan_tags,
    show_tag,
    tag_metadata,
)
from atomic_registry.resources.images.tagging import (
    MAX_SPEC_TAGS,
    Wish,
    apply_wishes,
    drop_reference,
    find_reference,
    make_stream,
    new_record,
    set_reference,
    store_record,
)
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.paging import ListOptions, decode_continue
from atomic_registry.resources.strategies import Document

_PAGE = 500


class StreamTagService:
    """Keeps tags. The caller's right to the place was checked before."""

    def __init__(self, around: Surroundings, images: ImageDescriber) -> None:
        self._around = around
        self._metadata = around.metadata
        self._images = images

    async def get(self, place: Place, name: str) -> Document:
        """Return the tag with its image.

        Raises:
            ObjectUnknown: there is no such tag.
        """
        repository, tag = parse_tag_name(place.namespace, name)
        found = await self._metadata.read(lambda tx: find_tag(tx, repository, tag, name))
        image = await self._images.describe(found.image)
        return {"kind": STREAM_TAG, "apiVersion": place.api_version, **show_tag(found, image)}

    async def list(self, actor: Actor, place: Place, options: ListOptions) -> Document:
        """Return one page of the project's tags, or of all projects'."""
        after = decode_continue(options.continue_token)
        limit = min(options.page_size, _PAGE)
        cut = await self._metadata.read(lambda tx: scan_tags(tx, place, options, after, limit))
        images = await self._images.describe_all([found.image for found in cut.items])
        shown = [show_tag(found, image) for found, image in zip(cut.items, images, strict=True)]
        return show_list(place, cut, shown)

    async def create(self, actor: Actor, place: Place, document: Document) -> Document:
        """Make a tag from another one or from an image; the stream is made if need be.

        Raises:
            ObjectInvalid: it breaks the rules of its kind.
            AlreadyExists: there is such a tag.
            ObjectUnknown: there is no such source.
            ProjectUnknown: there is no such project.
            Denied: the actor may not pull from the source.
        """
        form = _read(place, document)
        name = form.metadata.name
        repository, tag = _parse_new(place.namespace, name)
        wanted, source = self._wanted(actor, form, repository, tag)
        if source is None:
            causes = [("tag.from", "it is required: name the tag or the image to make it from")]
            raise ObjectInvalid(kind=STREAM_TAG, name=name, causes=causes)
        mover = self._around.mover(actor)

        def change(tx: Transaction) -> FoundTag:
            _, repositories = lock_streams(tx, repository, [source])
            stream = make_stream(tx, repository, mover)
            exists = tx.tags.find(stream.id, tag) is not None
            if exists or find_reference(stream, tag.value) is not None:
                raise AlreadyExists(kind=STREAM_TAG, name=name)
            record = _with_reference(stream, wanted)
            store_record(tx, stream, record, mover)
            wish = Wish(reference=wanted, source=source)
            apply_wishes(tx, stream, record, [wish], repositories, mover)
            return find_tag(tx, repository, tag, name)

        return await self._written(place, await self._metadata.write(change))

    async def update(self, actor: Actor, place: Place, name: str, document: Document) -> Document:
        """Move a tag to what `tag.from` names, if that is new, and replace its annotations.

        Raises:
            ObjectInvalid: it breaks the rules of its kind.
            ObjectUnknown: there is no such tag, or no such source.
            StaleRevision: the stream has changed since it was read.
            Denied: the actor may not pull from the source.
        """
        form = _read(place, document)
        repository, tag = parse_tag_name(place.namespace, name)
        if form.metadata.name not in {"", name}:
            causes = [("metadata.name", "it must be the name in the path")]
            raise ObjectInvalid(kind=STREAM_TAG, name=form.metadata.name, causes=causes)
        form.metadata.name = name
        wanted, source = self._wanted(actor, form, repository, tag)
        bare = TagReference(name=tag.value)
        mover = self._around.mover(actor)

        def change(tx: Transaction) -> FoundTag:
            stream, repositories = lock_streams(tx, repository, [source])
            before = None if stream is None else find_reference(stream, tag.value)
            if stream is None or (before is None and tx.tags.find(stream.id, tag) is None):
                raise ObjectUnknown(kind=STREAM_TAG, name=name)
            meta = form.metadata
            asked = ObjectMeta(name=name, resource_version=meta.resource_version)
            check_preconditions(stream, StreamRecord(metadata=asked))
            record = new_record(stream)
            if before != wanted and (before is not None or wanted != bare):
                record = _with_reference(stream, wanted)
                store_record(tx, stream, record, mover)
            if source is not None and (before is None or before.source != wanted.source):
                wish = Wish(reference=wanted, source=source)
                apply_wishes(tx, stream, record, [wish], repositories, mover)
            return find_tag(tx, repository, tag, name)

        return await self._written(place, await self._metadata.write(change))

    async def delete(
        self, actor: Actor, place: Place, name: str, preconditions: Preconditions
    ) -> Document:
        """Remove the tag; what it was stays in the stream's history, and can be tagged again.

        Raises:
            ObjectUnknown: there is no such tag.
            StaleRevision: the stream has changed since it was read.
        """
        repository, tag = parse_tag_name(place.namespace, name)
        mover = self._around.mover(actor)

        def change(tx: Transaction) -> Document:
            stream = tx.streams.find(repository, lock="exclusive")
            if stream is None:
                raise ObjectUnknown(kind=STREAM_TAG, name=name)
            asked = ObjectMeta(name=name, resource_version=preconditions.resource_version)
            check_preconditions(stream, StreamRecord(metadata=asked))
            record = new_record(stream)
            described = drop_reference(record.spec, tag.value)
            if described:
                store_record(tx, stream, record, mover)
            if not remove_tag(tx, as_repository(stream), tag, mover) and not described:
                raise ObjectUnknown(kind=STREAM_TAG, name=name)
            return tag_metadata(stream, tag.value)

        metadata = await self._metadata.write(change)
        return {"kind": STREAM_TAG, "apiVersion": place.api_version, "metadata": metadata}

    async def _written(self, place: Place, found: FoundTag) -> Document:
        stream, tag = found.stream, found.tag.tag

        def load(tx: Transaction) -> FoundTag:
            # A write that was not kept is shown as it would be.
            fresh = tx.streams.find(stream.name)
            pair = None if fresh is None else tx.streams.find_tag(fresh.id, tag)
            if fresh is None or pair is None or fresh.revision <= stream.revision:
                return found
            return FoundTag(stream=fresh, tag=pair[0], image=pair[1])

        newest = await self._metadata.read(load)
        image = await self._images.describe(newest.image)
        return {"kind": STREAM_TAG, "apiVersion": place.api_version, **show_tag(newest, image)}

    def _wanted(
        self, actor: Actor, form: StreamTagForm, repository: RepositoryName, tag: Tag
    ) -> tuple[TagReference, Source | None]:
        """Return what the spec is to say of the tag, and what it is to be made from."""
        wanted = form.tag or TagReference()
        wanted.name = tag.value
        if form.metadata.annotations:
            wanted.annotations = form.metadata.annotations
        causes = metadata_causes(ObjectMeta(annotations=wanted.annotations))
        if causes:
            raise ObjectInvalid(kind=STREAM_TAG, name=form.metadata.name, causes=causes)
        source = parse_source(wanted, repository, host=self._around.host)
        require_sources(self._around.policy, actor, repository, [source])
        return wanted, source


def _read(place: Place, document: Document) -> StreamTagForm:
    item = read_object(place, document)
    assert isinstance(item, StreamTagForm)  # noqa: S101 - the table says so
    return item


def _parse_new(namespace: str, name: str) -> tuple[RepositoryName, Tag]:
    try:
        return parse_tag_name(namespace, name)
    except ObjectUnknown as error:
        causes = [("metadata.name", "use stream:tag")]
        raise ObjectInvalid(kind=STREAM_TAG, name=name, causes=causes) from error


def _with_reference(stream: Stream, wanted: TagReference) -> StreamRecord:
    record = new_record(stream)
    set_reference(record.spec, wanted)
    record.metadata.generation += 1
    if len(record.spec.tags) > MAX_SPEC_TAGS:
        causes = [("tag", f"the stream has {MAX_SPEC_TAGS} tags that are described; remove some")]
        raise ObjectInvalid(kind=STREAM_TAG, name=wanted.name, causes=causes)
    return record
