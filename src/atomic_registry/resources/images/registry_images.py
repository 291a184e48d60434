"""Images of the whole registry, by digest: the content as it was pushed, and what is said of it."""

from collections.abc import Sequence

from atomic_registry.content.images import delete_image
from atomic_registry.content.ports import Transaction
from atomic_registry.content.streams import HeldManifest, ImageRecord
from atomic_registry.content.tags import Mover
from atomic_registry.errors import AlreadyExists, ObjectInvalid, ObjectUnknown, StaleRevision
from atomic_registry.identity.actors import Actor
from atomic_registry.kube.objects import ObjectMeta
from atomic_registry.resources.documents import read_object
from atomic_registry.resources.engine import Preconditions, check_object
from atomic_registry.resources.image_strategies import MANAGED
from atomic_registry.resources.images.descriptions import (
    ImageDescriber,
    image_metadata,
    record_of,
)
from atomic_registry.resources.images.images import find_anywhere
from atomic_registry.resources.images.lists import Cut, newest_revision, position, show_list
from atomic_registry.resources.images.surroundings import Surroundings
from atomic_registry.resources.images.views import uid_of
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.paging import MAX_PAGE, ListOptions
from atomic_registry.resources.strategies import Document
from atomic_registry.resources.writes import metadata_of

_KIND = ImageRecord.kind
SaidOf = tuple[HeldManifest, ImageRecord | None]
"""An image, and what is said of it."""


class RegistryImageService:
    """Keeps images. The caller's right was checked before."""

    def __init__(self, around: Surroundings, images: ImageDescriber) -> None:
        self._around = around
        self._metadata = around.metadata
        self._images = images

    async def get(self, place: Place, name: str) -> Document:
        """Return an image of the registry.

        Raises:
            ObjectUnknown: no repository holds it.
        """
        held = await self._metadata.read(lambda tx: find_anywhere(tx, name))
        shown = await self._images.describe(held)
        return {"kind": _KIND, "apiVersion": place.api_version, **shown}

    async def list(self, actor: Actor, place: Place, options: ListOptions) -> Document:
        """Return one page of all images, each once."""
        after = position(options.continue_token)
        limit = min(options.page_size, MAX_PAGE)

        def scan(tx: Transaction) -> Cut[SaidOf]:
            if options.fields.name:
                found = _find_one(tx, options.fields.name)
            else:
                found = scan_images(tx, after=after, limit=limit + 1)
            last = str(found[limit - 1][0].digest) if len(found) > limit else None
            chosen = [it for it in found[:limit] if _is_chosen(options, it)]
            return Cut(items=chosen, revision=newest_revision(tx), last=last)

        cut = await self._metadata.read(scan)
        return show_list(place, cut, await describe_found(self._images, cut.items))

    async def create(self, actor: Actor, place: Place, document: Document) -> Document:
        """Refuse: an image is made by a push.

        Raises:
            ObjectUnknown: always.
        """
        raise ObjectUnknown(kind=_KIND, name=str(metadata_of(document).get("name", "")))

    async def update(self, actor: Actor, place: Place, name: str, document: Document) -> Document:
        """Replace labels and annotations; everything else is the content's, and stays.

        Raises:
            ObjectInvalid: it asks for other content, or breaks the rules of labels.
            ObjectUnknown: no repository holds the image.
            StaleRevision: it has changed since it was read.
        """
        item = read_object(place, document)
        live = read_object(place, await self.get(place, name))
        meta = item.metadata
        if meta.name not in {"", name}:
            causes = [("metadata.name", "it must be the name in the path")]
            raise ObjectInvalid(kind=_KIND, name=meta.name, causes=causes)
        check_object(place, item, live)
        mover = self._around.mover(actor)

        def change(tx: Transaction) -> tuple[HeldManifest, ImageRecord]:
            held = _locked(tx, name)
            record = tx.objects.find(ImageRecord, name, lock=True)
            _check(
                record, name, Preconditions(uid=meta.uid, resource_version=meta.resource_version)
            )
            return held, _store(tx, record, name, meta, mover)

        held, record = await self._metadata.write(change)
        shown = await self._images.describe(held)
        # A write that was not kept is shown as it would be.
        shown["metadata"] = image_metadata(held, record)
        return {"kind": _KIND, "apiVersion": place.api_version, **shown}

    async def delete(
        self, actor: Actor, place: Place, name: str, preconditions: Preconditions
    ) -> Document:
        """Remove the image from every repository; tags and indexes that use it forbid that.

        Raises:
            ObjectUnknown: no repository holds it.
            ImageInUse: a tag points at it, or an index lists it.
            StaleRevision: a precondition does not hold.
        """
        mover = self._around.mover(actor)

        def change(tx: Transaction) -> Document:
            held = find_anywhere(tx, name)
            record = record_of(tx, held.digest)
            _check(record, name, preconditions)
            delete_image(tx, held.digest, mover)
            return image_metadata(held, record)

        metadata = await self._metadata.write(change)
        return {"kind": _KIND, "apiVersion": place.api_version, "metadata": metadata}


def scan_images(tx: Transaction, *, after: str, limit: int) -> Sequence[SaidOf]:
    """Return images in order of digest, after a digest."""
    found = tx.streams.list_images(after=after, limit=limit)
    said = tx.objects.list(ImageRecord, namespace="", after=("", after), limit=limit)
    records = {record.metadata.name: record for record in said}
    return [(held, records.get(str(held.digest))) for held in found]


async def describe_found(images: ImageDescriber, found: Sequence[SaidOf]) -> Sequence[Document]:
    """Return images of a list, without their raw documents."""
    records = {str(held.digest): record for held, record in found if record is not None}
    return await images.describe_all([held for held, _ in found], records)


def _find_one(tx: Transaction, name: str) -> Sequence[SaidOf]:
    try:
        held = find_anywhere(tx, name)
    except ObjectUnknown:
        return []
    return [(held, record_of(tx, held.digest))]


def _is_chosen(options: ListOptions, found: SaidOf) -> bool:
    held, record = found
    labels = {} if record is None else record.metadata.labels
    return options.labels.matches(labels) and options.fields.matches("", str(held.digest))


def _locked(tx: Transaction, name: str) -> HeldManifest:
    """Return the image, which is not removed from one of its repositories until the commit."""
    held = find_anywhere(tx, name)
    stored = tx.repositories.find(held.repository, lock="shared")
    if stored is None or tx.manifests.find(stored.id, held.digest) is None:
        raise StaleRevision(kind=_KIND, name=name)
    return held


def _check(record: ImageRecord | None, name: str, asked: Preconditions) -> None:
    # Where nothing was ever said there is nothing that a writer could have missed; watches show
    # such an image with the version of its push.
    version = asked.resource_version if record is None else record.metadata.resource_version
    seen = ObjectMeta(name=name, uid=uid_of("image", name), resource_version=version)
    asked.check(ImageRecord(metadata=seen))


def _store(
    tx: Transaction, record: ImageRecord | None, name: str, given: ObjectMeta, mover: Mover
) -> ImageRecord:
    """Store what is said of an image now, if that is anything new."""
    said = record or ImageRecord(metadata=ObjectMeta(name=name))
    annotations = {key: value for key, value in given.annotations.items() if key != MANAGED}
    entries = [entry for entry in given.managed_fields or said.metadata.managed_fields if entry]
    meta = said.metadata
    if (meta.labels, meta.annotations, meta.managed_fields) == (given.labels, annotations, entries):
        return said
    meta.labels, meta.annotations, meta.managed_fields = given.labels, annotations, entries
    if record is not None:
        tx.objects.update(said, actor=mover.actor.signature, now=mover.now)
        return said
    try:
        tx.objects.add(said, actor=mover.actor.signature, now=mover.now)
    except AlreadyExists as error:
        raise StaleRevision(kind=_KIND, name=name) from error
    return said
