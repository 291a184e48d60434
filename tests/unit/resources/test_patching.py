"""Patches against writers that come in between, on a collection without a stored form."""

from typing import Any

import pytest
from tests.kit.clock import ManualClock

from atomic_registry.errors import AlreadyExists, ObjectUnknown, StaleRevision
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.policy import OpenPolicy
from atomic_registry.resources.kinds import IMAGE, Place, Resource
from atomic_registry.resources.patching import PatchService
from atomic_registry.resources.writes import Patch, PatchType, WriteOptions

ACTOR = Actor(name="mary")
PLACE = Place(
    resource=Resource(plural="things", kind="Thing", groups=(IMAGE,), verbs=("patch",)),
    group=IMAGE,
)


class Collection:
    """Documents in memory; other writers come in before the next `disturbed` updates."""

    def __init__(self, disturbed: int = 0) -> None:
        self.document: dict[str, Any] | None = {"metadata": {"name": "x", "resourceVersion": "1"}}
        self.disturbed = disturbed
        self.appears = False

    async def get(self, place: Place, name: str) -> dict[str, Any]:
        if self.document is None:
            raise ObjectUnknown(kind="Thing", name=name)
        return self.document

    async def create(self, actor: Actor, place: Place, document: Any) -> dict[str, Any]:
        if self.appears:
            self.document = {"metadata": {"name": "x", "resourceVersion": "5"}, "theirs": 1}
            raise AlreadyExists(kind="Thing", name="x")
        self.document = self._next(document)
        return self.document

    async def update(self, actor: Actor, place: Place, name: str, document: Any) -> dict[str, Any]:
        assert self.document is not None
        if self.disturbed:
            self.disturbed -= 1
            others = self.document.get("others", 0) + 1
            self.document = self._next(self.document | {"others": others})
        version = self.document["metadata"]["resourceVersion"]
        if document["metadata"].get("resourceVersion", version) != version:
            raise StaleRevision(kind="Thing", name=name)
        self.document = self._next(document)
        return self.document

    def _next(self, document: dict[str, Any]) -> dict[str, Any]:
        version = int(document["metadata"].get("resourceVersion", "0")) + 1
        return document | {"metadata": document["metadata"] | {"resourceVersion": str(version)}}


async def patched(collection: Collection, kind: PatchType, body: object) -> dict[str, Any]:
    service = PatchService(ManualClock(), OpenPolicy())
    options = WriteOptions(manager="test")
    patch = Patch(type=kind, body=body)
    written = await service.patch(collection, ACTOR, PLACE, "x", patch, options)
    return written.document


@pytest.mark.parametrize("kind", [PatchType.MERGE, PatchType.STRATEGIC])
async def test_a_patch_is_made_anew_when_another_writer_comes_in_between(kind: PatchType) -> None:
    collection = Collection(disturbed=3)

    document = await patched(collection, kind, {"mine": 1})

    assert (1, 3) == (document["mine"], document["others"])


async def test_a_patch_gives_up_when_others_never_pause() -> None:
    with pytest.raises(StaleRevision):
        await patched(Collection(disturbed=100), PatchType.MERGE, {"mine": 1})


async def test_a_patch_for_one_version_is_not_tried_again() -> None:
    collection = Collection(disturbed=1)

    with pytest.raises(StaleRevision):
        body = {"mine": 1, "metadata": {"resourceVersion": "1"}}
        await patched(collection, PatchType.MERGE, body)

    assert 0 == collection.disturbed


async def test_an_apply_creates_and_joins_what_was_made_meanwhile() -> None:
    config = {"kind": "Thing", "apiVersion": PLACE.api_version, "mine": 1}
    absent, raced = Collection(), Collection()
    absent.document = raced.document = None
    raced.appears = True

    made = await patched(absent, PatchType.APPLY, config)
    joined = await patched(raced, PatchType.APPLY, config)

    assert ("x", 1) == (made["metadata"]["name"], made["mine"])
    assert (1, 1) == (joined["mine"], joined["theirs"])


async def test_applying_the_same_again_writes_nothing() -> None:
    config = {"kind": "Thing", "apiVersion": PLACE.api_version, "mine": 1}
    collection = Collection()
    first = await patched(collection, PatchType.APPLY, config)

    assert first == await patched(collection, PatchType.APPLY, config)
