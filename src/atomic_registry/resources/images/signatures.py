"""Signatures of images, stored as they were made; nothing here says that one is good."""

import base64
import binascii
from dataclasses import replace

from atomic_registry.content.ports import Transaction
from atomic_registry.content.streams import ImageSignature
from atomic_registry.errors import AlreadyExists, ObjectInvalid, ObjectUnknown
from atomic_registry.identity.actors import Actor
from atomic_registry.resources.documents import read_object, show_object
from atomic_registry.resources.engine import Preconditions
from atomic_registry.resources.images.descriptions import signatures_of
from atomic_registry.resources.images.images import find_anywhere
from atomic_registry.resources.images.surroundings import Surroundings
from atomic_registry.resources.kinds import IMAGE_SIGNATURES, Place
from atomic_registry.resources.names import path_segment_fault
from atomic_registry.resources.strategies import Cause, Document

_TYPES = ("AtomicImageV1", "atomic")
_MAX_BYTES = 64 * 1024
_MAX_OF_IMAGE = 50
# They are stored, but served through their image only.
_FORM = replace(IMAGE_SIGNATURES, stored=ImageSignature)


class SignatureService:
    """Adds and removes signatures. The caller's right was checked before."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    async def create(self, actor: Actor, place: Place, document: Document) -> Document:
        """Store a signature, named `<digest>@<name>`.

        Raises:
            ObjectInvalid: it breaks the rules of its kind.
            ObjectUnknown: no repository holds the image.
            AlreadyExists: the image has it, under this or another name.
        """
        place = replace(place, resource=_FORM)
        item = read_object(place, document)
        assert isinstance(item, ImageSignature)  # noqa: S101 - the table says so
        name = item.metadata.name
        causes = _causes(item)
        if causes:
            raise ObjectInvalid(kind=item.kind, name=name, causes=causes)
        item.metadata.uid = item.metadata.resource_version = ""
        now = self._around.clock.now()

        def change(tx: Transaction) -> ImageSignature:
            held = find_anywhere(tx, name.partition("@")[0])
            stored = signatures_of(tx, held.digest)
            if any((it.type, it.content) == (item.type, item.content) for it in stored):
                raise AlreadyExists(kind=item.kind, name=name)
            if len(stored) >= _MAX_OF_IMAGE:
                full = [("metadata.name", f"the image has {_MAX_OF_IMAGE} signatures")]
                raise ObjectInvalid(kind=item.kind, name=name, causes=full)
            tx.objects.add(item, actor=actor.signature, now=now)
            return item

        return show_object(place, await self._around.metadata.write(change))

    async def delete(
        self, actor: Actor, place: Place, name: str, preconditions: Preconditions
    ) -> Document:
        """Remove a signature.

        Raises:
            ObjectUnknown: there is none of this name.
        """
        place = replace(place, resource=_FORM)
        now = self._around.clock.now()

        def change(tx: Transaction) -> ImageSignature:
            item = tx.objects.find(ImageSignature, name, lock=True)
            if item is None:
                raise ObjectUnknown(kind=ImageSignature.kind, name=name)
            preconditions.check(item)
            tx.objects.remove(item, actor=actor.signature, now=now)
            return item

        return show_object(place, await self._around.metadata.write(change))


def _causes(item: ImageSignature) -> list[Cause]:
    causes: list[Cause] = []
    digest, at, own = item.metadata.name.partition("@")
    fault = path_segment_fault(own) if digest and at else "use <digest>@<name>"
    if fault:
        causes.append(("metadata.name", fault))
    if item.metadata.labels or item.metadata.annotations:
        causes.append(("metadata", "a signature has neither labels nor annotations"))
    if item.type not in _TYPES:
        causes.append(("type", f"use one of {', '.join(_TYPES)}"))
    try:
        content = base64.b64decode(item.content, validate=True)
    except (binascii.Error, ValueError):
        causes.append(("content", "it must be base64"))
    else:
        if not 0 < len(content) <= _MAX_BYTES:
            causes.append(("content", f"use 1 to {_MAX_BYTES} bytes"))
    return causes
