"""Quotas with what is used of them, counted whenever one is shown."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Protocol

from atomic_registry.events.ports import Change
from atomic_registry.identity.actors import Actor
from atomic_registry.kube.quantity import render_amount
from atomic_registry.resources.engine import ObjectService, Preconditions
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.paging import ListOptions
from atomic_registry.resources.projections import Key, Projector, Sighting, StatePage
from atomic_registry.resources.strategies import Document
from atomic_registry.resources.writes import metadata_of


class Meter(Protocol):
    """Counts what a project uses."""

    async def used(self, project: str, resources: Collection[str]) -> Mapping[str, int]:
        """Return how much the project uses of each of the resources now."""
        ...


class QuotaService:
    """Keeps quotas as `ObjectService` does, and shows them with `status.used`."""

    def __init__(self, objects: ObjectService, meter: Meter) -> None:
        self._objects = objects
        self._meter = meter

    async def get(self, place: Place, name: str) -> Document:
        return await metered(self._meter, await self._objects.get(place, name))

    async def list(self, actor: Actor, place: Place, options: ListOptions) -> Document:
        page = await self._objects.list(actor, place, options)
        items = page["items"]
        assert isinstance(items, list)  # noqa: S101 - lists have items
        return page | {"items": [await metered(self._meter, item) for item in items]}

    async def create(self, actor: Actor, place: Place, document: Document) -> Document:
        return await metered(self._meter, await self._objects.create(actor, place, document))

    async def update(self, actor: Actor, place: Place, name: str, document: Document) -> Document:
        made = await self._objects.update(actor, place, name, document)
        return await metered(self._meter, made)

    async def delete(
        self, actor: Actor, place: Place, name: str, preconditions: Preconditions
    ) -> Document:
        return await self._objects.delete(actor, place, name, preconditions)


class QuotaProjector:
    """Implements `Projector`: shows quotas as they change, with what is used then."""

    def __init__(self, stored: Projector, meter: Meter) -> None:
        self._stored = stored
        self._meter = meter

    @property
    def kinds(self) -> frozenset[str]:
        return self._stored.kinds

    async def events_of(self, change: Change, place: Place) -> list[Sighting]:
        return [await self._metered(it) for it in await self._stored.events_of(change, place)]

    async def state(self, place: Place, after: Key, *, limit: int) -> StatePage:
        page = await self._stored.state(place, after, limit=limit)
        return replace(page, items=[await self._metered(it) for it in page.items])

    async def _metered(self, sighting: Sighting) -> Sighting:
        return replace(sighting, document=await metered(self._meter, sighting.document))


async def metered(meter: Meter, document: Document) -> Document:
    """Return a quota with what is used of each resource that it limits."""
    status = document.get("status")
    hard = status.get("hard") if isinstance(status, dict) else None
    if not isinstance(hard, dict) or not hard:
        return document
    used = await meter.used(str(metadata_of(document).get("namespace", "")), sorted(hard))
    shown = {name: render_amount(amount, like=hard[name]) for name, amount in used.items()}
    return document | {"status": {"hard": hard, "used": shown}}
