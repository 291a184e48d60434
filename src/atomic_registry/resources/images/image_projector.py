"""Images of the registry as watches see them: from their first repository to their last."""

from dataclasses import replace

import msgspec

from atomic_registry.content.ports import Transaction
from atomic_registry.content.streams import ImageRecord, repository_of
from atomic_registry.errors import Invalid
from atomic_registry.events.ports import DELETED, Change
from atomic_registry.oci.digest import Digest
from atomic_registry.resources.images.descriptions import ImageDescriber, record_of
from atomic_registry.resources.images.lists import newest_revision
from atomic_registry.resources.images.projector import document_of
from atomic_registry.resources.images.registry_images import SaidOf, describe_found, scan_images
from atomic_registry.resources.images.surroundings import Surroundings
from atomic_registry.resources.images.views import uid_of
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.projections import Key, Sighting, StatePage
from atomic_registry.resources.strategies import Document

_FACTS = msgspec.json.Decoder(dict[str, str])
_LABELS = msgspec.json.Decoder(dict[str, str])


class ImageProjector:
    """Implements `Projector`.

    An event shows the image as it is now. An image that goes from two repositories at the same
    moment may be told of as gone twice, never not at all.
    """

    kinds = frozenset({"repository", ImageRecord.plural})

    def __init__(self, around: Surroundings, images: ImageDescriber) -> None:
        self._around = around
        self._images = images

    async def events_of(self, change: Change, place: Place) -> list[Sighting]:
        if change.kind == ImageRecord.plural:
            return await self._described(change, place)
        facts = _FACTS.decode(change.body)
        match change.verb:
            case "pushed" | "tagged" if "new" in facts:
                return await self._came(change, place, Digest.parse(facts["digest"]))
            case "deleted" if "told" not in facts:
                return await self._gone(change, place, [facts["digest"]])
            case "removed":
                return await self._gone(change, place, facts.get("images", "").split())
            case _:
                return []

    async def state(self, place: Place, after: Key, *, limit: int) -> StatePage:
        def load(tx: Transaction) -> tuple[list[SaidOf], int]:
            return [*scan_images(tx, after=after[1], limit=limit)], newest_revision(tx)

        found, revision = await self._around.metadata.read(load)
        items = await self._sightings(place, found)
        last = None if len(found) < limit else ("", items[-1].name)
        return StatePage(items=items, revision=revision, last=last)

    async def _described(self, change: Change, place: Place) -> list[Sighting]:
        if change.verb == DELETED:
            last = msgspec.json.decode(change.body, type=ImageRecord)
            return [_gone(place, change, change.name, last.metadata.labels)]
        before = _LABELS.decode(change.labels_before) if change.labels_before else {}
        found = await self._load(Digest.parse(change.name))
        seen = await self._sightings(place, found, revision=change.revision)
        return [replace(sighting, before=before) for sighting in seen]

    async def _came(self, change: Change, place: Place, digest: Digest) -> list[Sighting]:
        try:
            name = repository_of(change.namespace, change.name)
        except Invalid:
            # Names from before there were projects show nowhere.
            return []
        holders = await self._around.metadata.read(
            lambda tx: tx.images.list_holders(digest, limit=1)
        )
        if holders != [name]:
            # It was there before, or is gone from there: then another change tells.
            return []
        return await self._sightings(place, await self._load(digest), revision=change.revision)

    async def _gone(self, change: Change, place: Place, digests: list[str]) -> list[Sighting]:
        def load(tx: Transaction) -> list[str]:
            return [
                each for each in digests if not tx.images.list_holders(Digest.parse(each), limit=1)
            ]

        return [
            _gone(place, change, digest, {}) for digest in await self._around.metadata.read(load)
        ]

    async def _load(self, digest: Digest) -> list[SaidOf]:
        def load(tx: Transaction) -> list[SaidOf]:
            held = tx.streams.find_image(digest)
            return [] if held is None else [(held, record_of(tx, digest))]

        return await self._around.metadata.read(load)

    async def _sightings(
        self, place: Place, found: list[SaidOf], *, revision: int = 0
    ) -> list[Sighting]:
        sightings = []
        bodies = await describe_found(self._images, found)
        for (held, record), body in zip(found, bodies, strict=True):
            metadata = body["metadata"]
            if revision and isinstance(metadata, dict):
                metadata["resourceVersion"] = str(revision)
            sightings.append(
                Sighting(
                    namespace="",
                    name=str(held.digest),
                    revision=revision,
                    before=None,
                    after={} if record is None else record.metadata.labels,
                    document=document_of(place, body),
                )
            )
        return sightings


def _gone(place: Place, change: Change, digest: str, labels: dict[str, str]) -> Sighting:
    metadata: Document = {
        "name": digest,
        "uid": uid_of("image", digest),
        "resourceVersion": str(change.revision),
    }
    return Sighting(
        namespace="",
        name=digest,
        revision=change.revision,
        before=labels,
        after=None,
        document=document_of(place, {"metadata": metadata}),
    )
