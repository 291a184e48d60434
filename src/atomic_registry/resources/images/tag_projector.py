"""Tags of streams as watches see them: made from the changes of their repositories."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from atomic_registry.content.ports import Transaction
from atomic_registry.content.streams import repository_of, stream_name_of
from atomic_registry.errors import Invalid
from atomic_registry.events.ports import Change
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.resources.images.descriptions import ImageDescriber
from atomic_registry.resources.images.projector import document_of, labels_before
from atomic_registry.resources.images.stream_reads import labels_of
from atomic_registry.resources.images.surroundings import Surroundings
from atomic_registry.resources.images.tag_reads import FoundTag, scan_tags, show_tag
from atomic_registry.resources.images.views import uid_of
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.paging import ListOptions
from atomic_registry.resources.projections import Key, Sighting, StatePage, by_repository
from atomic_registry.resources.strategies import Document

_FACTS = msgspec.json.Decoder(dict[str, str])


class StreamTagProjector:
    """Implements `Projector`. An event shows the tag as it is now, which may be later."""

    kinds = frozenset({"repository"})

    def __init__(self, around: Surroundings, images: ImageDescriber) -> None:
        self._around = around
        self._images = images

    async def events_of(self, change: Change, place: Place) -> list[Sighting]:
        try:
            name = repository_of(change.namespace, change.name)
        except Invalid:
            # Names from before there were projects show nowhere.
            return []
        facts = _FACTS.decode(change.body)
        match change.verb:
            case "tagged":
                found = await self._load(name, [facts["tag"]])
                is_new = "before" not in facts
                return await self._seen(place, change, found, is_new=is_new)
            case "described":
                found = await self._load(name, facts.get("tags", "").split())
                return await self._seen(place, change, found)
            case "untagged":
                stream = await self._around.metadata.read(lambda tx: tx.streams.find(name))
                labels = {} if stream is None else labels_of(stream)
                return [_gone(place, change, facts["tag"], labels)]
            case "removed":
                labels = labels_before(change, {})
                tags = facts.get("tags", "").split()
                return [_gone(place, change, tag, labels) for tag in tags]
            case _:
                return []

    async def state(self, place: Place, after: Key, *, limit: int) -> StatePage:
        namespace, name = after
        stream, _, tag = name.partition(":")
        start = f"{namespace}/{stream.replace('~', '/')}" if namespace else ""
        cut = await self._around.metadata.read(
            lambda tx: scan_tags(tx, place, ListOptions(limit=limit), (start, tag), limit)
        )
        last: Key | None = None
        if cut.last is not None:
            repository = RepositoryName(cut.last)
            last = repository.project, f"{stream_name_of(repository)}:{cut.below}"
        items = await self._sightings(place, cut.items)
        return StatePage(items=items, revision=cut.revision, last=last, order=by_repository)

    async def _load(self, name: RepositoryName, tags: Sequence[str]) -> Sequence[FoundTag]:
        """Return those of the tags that point somewhere."""

        def load(tx: Transaction) -> list[FoundTag]:
            stream = tx.streams.find(name)
            if stream is None:
                return []
            pairs = [tx.streams.find_tag(stream.id, tag) for tag in tags]
            return [FoundTag(stream=stream, tag=it[0], image=it[1]) for it in pairs if it]

        return await self._around.metadata.read(load)

    async def _seen(
        self, place: Place, change: Change, found: Sequence[FoundTag], *, is_new: bool = False
    ) -> list[Sighting]:
        """Return what a change did to tags that are there; one that is gone has a later change."""
        seen = []
        for sighting in await self._sightings(place, found, revision=change.revision):
            before = None if is_new else labels_before(change, dict(sighting.after or {}))
            seen.append(replace(sighting, before=before))
        return seen

    async def _sightings(
        self, place: Place, found: Sequence[FoundTag], *, revision: int = 0
    ) -> list[Sighting]:
        images = await self._images.describe_all([each.image for each in found])
        sightings = []
        for each, image in zip(found, images, strict=True):
            stream = each.stream
            body = show_tag(each, image)
            at = revision or stream.revision
            if isinstance(metadata := body["metadata"], dict):
                metadata["resourceVersion"] = str(at)
            sightings.append(
                Sighting(
                    namespace=stream.namespace,
                    name=f"{stream.stream_name}:{each.tag.tag}",
                    revision=at,
                    before=None,
                    after=labels_of(stream),
                    document=document_of(place, body),
                )
            )
        return sightings


def _gone(place: Place, change: Change, tag: str, labels: dict[str, str]) -> Sighting:
    name = f"{change.name}:{tag}"
    metadata: Document = {
        "name": name,
        "namespace": change.namespace,
        "uid": uid_of("removed", change.namespace, name),
        "resourceVersion": str(change.revision),
    }
    return Sighting(
        namespace=change.namespace,
        name=name,
        revision=change.revision,
        before=labels,
        after=None,
        document=document_of(place, {"metadata": metadata}),
    )
