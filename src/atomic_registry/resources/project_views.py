"""Projects as one actor may see them: what is granted and withdrawn is a change like others."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from atomic_registry.errors import Expired
from atomic_registry.events.ports import ADDED, DELETED, Change
from atomic_registry.identity.records import (
    ClusterRole,
    ClusterRoleBinding,
    Group,
    Project,
    Role,
    RoleBinding,
    User,
)
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.projections import (
    Key,
    Sighting,
    StatePage,
    StoredProjector,
)

_IN_PROJECT = frozenset({Role.plural, RoleBinding.plural})
_EVERYWHERE = frozenset({kind.plural for kind in (ClusterRole, ClusterRoleBinding, Group, User)})
_BATCH = 100


class RightsView(Protocol):
    """The view that decisions are made on; `version` changes with whatever may alter one."""

    version: int

    @property
    def projects(self) -> Mapping[str, str]:
        """The projects that there are, with their uids."""
        ...

    async def refresh(self) -> bool:
        """Take in what was committed before this call; return False if nothing changed."""
        ...


class VisibleProjects:
    """Implements `Projector` for one watch; it remembers which projects its client was shown."""

    def __init__(
        self, stored: StoredProjector, view: RightsView, may_see: Callable[[str], bool]
    ) -> None:
        self._stored = stored
        self._view = view
        self._may_see = may_see
        self._visible: set[str] = set()
        self._version = -1
        self._began_at = 0

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset({Project.plural, *_IN_PROJECT, *_EVERYWHERE})

    async def assume_all_shown(self) -> None:
        """Take it that the client has listed what it may see now."""
        await self._view.refresh()
        self._version = self._view.version
        self._visible = {name for name in await self._names() if self._may_see(name)}

    def begin_at(self, revision: int) -> None:
        """Say up to where changes are a replay, of times when rights were others."""
        self._began_at = revision

    async def events_of(self, change: Change, place: Place) -> list[Sighting]:
        await self._view.refresh()
        if change.kind == Project.plural:
            found = await self._stored.events_of(change, place)
            return [self._as_seen(sighting, change) for sighting in found]
        if change.kind in _IN_PROJECT:
            return await self._reviewed([change.namespace], change, place)
        if self._version == self._view.version:
            return []
        self._version = self._view.version
        return await self._reviewed(await self._names(), change, place)

    async def state(self, place: Place, after: Key, *, limit: int) -> StatePage:
        page = await self._stored.state(place, after, limit=limit)
        items = [item for item in page.items if self._may_see(item.name)]
        self._visible |= {item.name for item in items}
        return replace(page, items=items)

    def _as_seen(self, sighting: Sighting, change: Change) -> Sighting:
        name = change.name
        was_seen = name in self._visible and change.verb != ADDED
        may_see = self._may_see(name)
        if change.verb == DELETED and not was_seen and change.revision <= self._began_at:
            if not may_see:
                # Whether the client saw it then, nobody knows; the next list says what is there.
                raise Expired(revision=change.revision)
            was_seen = True
        is_seen = change.verb != DELETED and may_see
        (self._visible.add if is_seen else self._visible.discard)(name)
        return replace(
            sighting,
            before=sighting.before if was_seen else None,
            after=sighting.after if is_seen else None,
        )

    async def _reviewed(self, names: list[str], change: Change, place: Place) -> list[Sighting]:
        """Return those of the projects that have come into sight or gone out of it."""
        result = []
        for number, name in enumerate(names):
            if number % _BATCH == _BATCH - 1:
                await asyncio.sleep(0)
            is_seen = name in self._view.projects and self._may_see(name)
            if is_seen == (name in self._visible):
                continue
            sighting = await self._stored.find(place, name)
            if sighting is None:
                # Its own deletion comes later in the log.
                continue
            (self._visible.add if is_seen else self._visible.discard)(name)
            labels = sighting.after
            result.append(
                replace(
                    sighting,
                    revision=change.revision,
                    before=None if is_seen else labels,
                    after=labels if is_seen else None,
                )
            )
        return result

    async def _names(self) -> list[str]:
        names = [*self._view.projects, *(self._visible - self._view.projects.keys())]
        await asyncio.sleep(0)
        return names
