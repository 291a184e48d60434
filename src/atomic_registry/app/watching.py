"""The change log in one process of the master: its follower, and the watches that listen."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from atomic_registry.app.access import AccessControl
from atomic_registry.app.compaction import make_compaction
from atomic_registry.clock import Clock
from atomic_registry.config.settings import Settings
from atomic_registry.events.feed import Feed
from atomic_registry.identity.actors import Actor
from atomic_registry.resources.projections import Projector
from atomic_registry.resources.projects import ProjectService
from atomic_registry.resources.watch import WatchAuthority, WatchLimits, WatchService
from atomic_registry.store.metadata import MetadataDatabase


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedKinds:
    """By plural: kinds that are not shown as they are stored, and those that some see less of."""

    projectors: Mapping[str, Projector]
    narrowed: Mapping[str, Callable[[Actor, Projector], Projector]]


class Watching:
    """Builds the service of watches and runs what it needs in the background."""

    def __init__(
        self,
        metadata: MetadataDatabase,
        access: AccessControl,
        projects: ProjectService,
        clock: Clock,
        *,
        kinds: WatchedKinds,
        settings: Settings,
    ) -> None:
        self._compaction = make_compaction(settings, metadata, clock)
        self._feed = Feed(metadata)
        self._tasks: list[asyncio.Task[None]] = []
        self.watches = WatchService(
            feed=self._feed,
            store=metadata,
            authority=WatchAuthority(
                policy=access.policy,
                view=access.directory,
                tokens=access.tokens,
                may_list_project=projects.may_list,
                narrowed=kinds.narrowed,
            ),
            clock=clock,
            projectors=kinds.projectors,
            limits=WatchLimits(
                per_user=settings.master.watches_per_user, total=settings.master.watches
            ),
        )

    def start(self, *, compacts: bool) -> None:
        """Begin to follow, and in one worker to shorten what is followed."""
        works = [self._feed.run(), self.watches.run()]
        if compacts:
            works.append(self._compaction.run())
        self._tasks += [asyncio.create_task(work) for work in works]

    async def close(self) -> None:
        """Stop following."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
