"""The change log in one process of the master: its follower, and the watches that listen."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from atomic_registry.app.access import AccessControl
from atomic_registry.clock import Clock
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
        limits: WatchLimits,
    ) -> None:
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
            limits=limits,
        )

    def start(self) -> None:
        """Begin to follow."""
        for work in (self._feed.run(), self.watches.run()):
            self._tasks.append(asyncio.create_task(work))

    async def close(self) -> None:
        """Stop following."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
