"""Images of one stream, by digest; and what gives one a tag."""

import msgspec

from atomic_registry.content.ports import Transaction
from atomic_registry.content.streams import STREAM_IMAGE, HeldManifest, Stream
from atomic_registry.content.tags import move_tags
from atomic_registry.errors import DigestInvalid, ObjectInvalid, ObjectUnknown, TagInvalid
from atomic_registry.identity.actors import Actor
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import Tag
from atomic_registry.resources.images.descriptions import ImageDescriber, parts_of
from atomic_registry.resources.images.sources import (
    as_repository,
    find_image,
    parse_stream_name,
)
from atomic_registry.resources.images.stream_reads import KIND as STREAM
from atomic_registry.resources.images.stream_reads import get_stream
from atomic_registry.resources.images.surroundings import Surroundings
from atomic_registry.resources.images.views import stream_metadata, uid_of
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.strategies import Document

_IMAGE = "Image"
_MAPPING = "ImageStreamMapping"
# Images of one stream whose parts are listed at once.
_MAX_IMAGES = 2000
_BATCH = 200


class _Named(msgspec.Struct):
    name: str = ""


class _MappedImage(msgspec.Struct):
    metadata: _Named = msgspec.field(default_factory=_Named)


class Mapping(msgspec.Struct):
    """A request to tag an image that the stream holds."""

    metadata: _Named = msgspec.field(default_factory=_Named)
    image: _MappedImage = msgspec.field(default_factory=_MappedImage)
    tag: str = "latest"


class ImageService:
    """Shows images. The caller's right to the place was checked before."""

    def __init__(self, around: Surroundings, images: ImageDescriber) -> None:
        self._around = around
        self._metadata = around.metadata
        self._images = images

    async def get_of_stream(self, place: Place, name: str) -> Document:
        """Return an image of one stream, named `stream@digest` or by the digest's beginning.

        Raises:
            ObjectUnknown: the stream holds none of this name.
            NameAmbiguous: several begin so.
        """
        repository = parse_stream_name(place.namespace, name.partition("@")[0], STREAM_IMAGE)

        def find(tx: Transaction) -> tuple[Stream, HeldManifest]:
            stream = tx.streams.find(repository)
            if stream is None:
                raise ObjectUnknown(kind=STREAM_IMAGE, name=name)
            return stream, find_image(tx, stream.id, name)

        stream, held = await self._metadata.read(find)
        image = await self._images.describe(held)
        metadata = stream_metadata(stream)
        metadata["name"] = f"{stream.stream_name}@{held.digest}"
        metadata["uid"] = uid_of("image", str(metadata["uid"]), str(held.digest))
        return {
            "kind": STREAM_IMAGE,
            "apiVersion": place.api_version,
            "metadata": metadata,
            "image": image,
        }

    async def layers_of_stream(self, place: Place, name: str) -> Document:
        """Return the blobs of a stream with sizes, and which image is made of which.

        Raises:
            ObjectUnknown: there is no such stream.
        """
        repository = parse_stream_name(place.namespace, name, STREAM)

        def load(tx: Transaction) -> tuple[Stream, list[HeldManifest]]:
            stream = get_stream(tx, repository)
            return stream, tx.streams.list_manifests(stream.id, prefix="", limit=_MAX_IMAGES)

        stream, found = await self._metadata.read(load)
        blobs: Document = {}
        images: Document = {}
        for held in found:
            images[str(held.digest)] = _references(held, blobs)
        return {
            "kind": "ImageStreamLayers",
            "apiVersion": place.api_version,
            "metadata": stream_metadata(stream),
            "blobs": blobs,
            "images": images,
        }

    async def map(self, actor: Actor, place: Place, asked: Mapping) -> None:
        """Tag an image of a stream.

        Raises:
            ObjectUnknown: there is no such stream, or it does not hold the image.
            ObjectInvalid: the names cannot be names.
        """
        repository = parse_stream_name(place.namespace, asked.metadata.name, STREAM)
        digest, tag = _parse_mapping(asked)
        mover = self._around.mover(actor)

        def change(tx: Transaction) -> None:
            stream = get_stream(tx, repository, lock=True)
            if tx.manifests.find(stream.id, digest) is None:
                raise ObjectUnknown(kind=_IMAGE, name=str(digest))
            tx.repositories.mark_pushed(stream.id, mover.now)
            move_tags(tx, as_repository(stream), [tag], digest, mover)

        await self._metadata.write(change)


def find_anywhere(tx: Transaction, name: str) -> HeldManifest:
    """Return an image from any repository.

    Raises:
        ObjectUnknown: no repository holds it.
    """
    try:
        held = tx.streams.find_image(Digest.parse(name))
    except DigestInvalid:
        held = None
    if held is None:
        raise ObjectUnknown(kind=_IMAGE, name=name)
    return held


def _references(held: HeldManifest, blobs: Document) -> Document:
    parts = parts_of(held.body)
    for part in parts.blobs:
        blobs[part.digest] = {"size": part.size, "mediaType": part.media_type}
    blobs[str(held.digest)] = {"size": len(held.body), "mediaType": held.media_type}
    shown: Document = {"layers": [part.digest for part in parts.layers or ()]}
    if parts.config is not None:
        shown["config"] = parts.config.digest
    if parts.manifests:
        shown["manifests"] = [part.digest for part in parts.manifests]
    return shown


def _parse_mapping(asked: Mapping) -> tuple[Digest, Tag]:
    try:
        return Digest.parse(asked.image.metadata.name), Tag.parse(asked.tag)
    except DigestInvalid as error:
        causes = [("image.metadata.name", error.message)]
    except TagInvalid as error:
        causes = [("tag", error.message)]
    raise ObjectInvalid(kind=_MAPPING, name=asked.metadata.name, causes=causes)
