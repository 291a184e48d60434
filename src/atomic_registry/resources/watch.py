"""Watches: who may open how many, and when they end.

A watch ends by itself: in time, when its client's rights or token are withdrawn, or when the
client is too slow. Whoever still wants to know watches again from the last revision it saw.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from atomic_registry.clock import Clock
from atomic_registry.errors import Expired, MethodUnsupported, TooMany, Unavailable
from atomic_registry.events.feed import Feed, Subscription
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.policy import Policy, Right, require_right
from atomic_registry.identity.ports import IdentityStore, StoredToken
from atomic_registry.identity.records import Project
from atomic_registry.resources.kinds import EMPTY, RESOURCES, Place
from atomic_registry.resources.project_views import RightsView, VisibleProjects
from atomic_registry.resources.projections import (
    NothingProjector,
    Projector,
    SharedProjector,
    StoredProjector,
)
from atomic_registry.resources.watch_stream import PAGE, Watch, WatchOptions

_logger = structlog.get_logger(__name__)
_TICK_SECONDS = 1.0
_BOOKMARK_SECONDS = 60.0
# Together with how far the directory may be behind, well within 10 seconds.
_RECHECK_SECONDS = 3.0
_SHORTEST_SECONDS = 1800
_MAX_SECONDS = 24 * 3600
_BATCH = 100
_RETRY_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchLimits:
    """How many watches one process serves, and how many of one user's."""

    per_user: int = 100
    total: int = 5000


class TokenLookup(Protocol):
    """See `identity.tokens.TokenService`."""

    async def find(self, token_id: str) -> StoredToken | None: ...


@dataclass(slots=True, kw_only=True, eq=False)
class _Open:
    """A watch that is open, and what it is looked after for; times are monotonic."""

    watch: Watch
    subscription: Subscription
    actor: Actor
    right: Right
    until: float
    bookmark_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchAuthority:
    """Those who decide whether a watch may go on, and what it shows.

    `narrowed` has, by plural, kinds of which some see less than others.
    """

    policy: Policy
    view: RightsView
    tokens: TokenLookup
    may_list_project: Callable[[Actor, str], bool]
    narrowed: Mapping[str, Callable[[Actor, Projector], Projector]] = field(default_factory=dict)


class WatchService:
    """Opens watches and looks after them; `run` it as long as there may be any."""

    def __init__(
        self,
        *,
        feed: Feed,
        store: IdentityStore,
        authority: WatchAuthority,
        clock: Clock,
        projectors: Mapping[str, Projector] | None = None,
        limits: WatchLimits | None = None,
    ) -> None:
        self._feed = feed
        self._authority = authority
        self._clock = clock
        self._limits = limits or WatchLimits()
        self._open: set[_Open] = set()
        self._counts: Counter[str] = Counter()
        self._checked_version = -1
        self._check_at = 0.0
        self._projects = StoredProjector(store, Project)
        stored = {
            row.plural: StoredProjector(store, row.stored)
            for row in RESOURCES
            if row.stored is not None and row.stored is not Project
        }
        known: dict[str, Projector] = {
            **{row.plural: NothingProjector(store) for row in EMPTY},
            **stored,
            **(projectors or {}),
        }
        self._projectors = {
            plural: SharedProjector(projector) for plural, projector in known.items()
        }

    @property
    def count(self) -> int:
        """Watches that are open."""
        return len(self._open)

    async def watch(
        self, actor: Actor, place: Place, options: WatchOptions
    ) -> tuple[Watch, Callable[[], None]]:
        """Open a watch; the function that comes with it closes it.

        Raises:
            Denied, Unauthenticated: the actor may not watch there.
            MethodUnsupported: nothing of this kind can be watched.
            TooMany: the actor has too many watches open, or everybody together has.
            Expired: changes since then are no longer known.
        """
        right = watch_right(place, options.named)
        require_right(self._authority.policy, actor, right)
        self._reserve(actor)
        try:
            watch, subscription = await self._begin(actor, place, options)
        except BaseException:
            self._release(actor)
            raise
        now = self._clock.monotonic()
        entry = _Open(
            watch=watch,
            subscription=subscription,
            actor=actor,
            right=right,
            until=now + self._seconds(options),
            bookmark_at=now + _BOOKMARK_SECONDS,
        )
        self._open.add(entry)
        return watch, lambda: self._close(entry)

    async def run(self) -> None:
        """Look after the watches until cancelled."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            try:
                await self.tick()
            except Unavailable as error:
                _logger.warning("watches not looked after", reason=error.message)

    async def tick(self) -> None:
        """End what is over, send bookmarks, and end what is no longer allowed.

        Raises:
            Unavailable: the database cannot be read.
        """
        now = self._clock.monotonic()
        for entry in tuple(self._open):
            if now >= entry.until:
                entry.watch.end()
            elif now >= entry.bookmark_at:
                entry.bookmark_at = now + _BOOKMARK_SECONDS
                entry.watch.mark()
        if now >= self._check_at:
            self._check_at = now + _RECHECK_SECONDS
            await self._check_rights()
            await self._check_tokens()

    async def _begin(
        self, actor: Actor, place: Place, options: WatchOptions
    ) -> tuple[Watch, Subscription]:
        projector = self._projector_for(actor, place)
        views = projector if isinstance(projector, VisibleProjects) else None
        page = None
        since = options.since
        if options.sends_initial:
            page = await projector.state(place, ("", ""), limit=PAGE)
            since = page.revision
        elif views is not None:
            await views.assume_all_shown()
        namespace = place.namespace
        if namespace and since is not None:
            await self._refuse_namesakes_past(namespace, since)
        subscription = await self._feed.subscribe(
            since,
            kinds=projector.kinds,
            wants=lambda change: not namespace or change.namespace == namespace,
        )
        if views is not None:
            views.begin_at(subscription.joined_at)
        return Watch(place, options, projector, subscription, page), subscription

    async def _refuse_namesakes_past(self, project: str, since: int) -> None:
        """Keep from who may look into a project what was in an earlier one of its name."""
        if await self._feed.was_added(Project.plural, project, since=since):
            raise Expired(revision=since)

    def _projector_for(self, actor: Actor, place: Place) -> Projector:
        if place.resource.stored is Project:
            may_list = self._authority.may_list_project
            return VisibleProjects(
                self._projects, self._authority.view, lambda name: may_list(actor, name)
            )
        projector = self._projectors.get(place.resource.plural)
        if projector is None or "watch" not in place.resource.verbs:
            raise MethodUnsupported(method="watch", allowed=place.resource.verbs)
        narrow = self._authority.narrowed.get(place.resource.plural)
        return projector if narrow is None else narrow(actor, projector)

    def _seconds(self, options: WatchOptions) -> float:
        if options.timeout_seconds:
            return min(options.timeout_seconds, _MAX_SECONDS)
        # Spread, so that watches that began together do not all come back together.
        return _SHORTEST_SECONDS + int(self._clock.new_id()[-8:], 16) % _SHORTEST_SECONDS

    def _reserve(self, actor: Actor) -> None:
        if self._counts[actor.name] >= self._limits.per_user:
            what, limit = f"watches of {actor.name}", self._limits.per_user
            raise TooMany(what=what, limit=limit, retry_after_seconds=_RETRY_SECONDS)
        if self._counts.total() >= self._limits.total:
            limit = self._limits.total
            raise TooMany(what="watches", limit=limit, retry_after_seconds=_RETRY_SECONDS)
        self._counts[actor.name] += 1

    def _release(self, actor: Actor) -> None:
        self._counts[actor.name] -= 1
        if self._counts[actor.name] <= 0:
            del self._counts[actor.name]

    def _close(self, entry: _Open) -> None:
        if entry in self._open:
            self._open.discard(entry)
            self._feed.leave(entry.subscription)
            self._release(entry.actor)

    async def _check_rights(self) -> None:
        version = self._authority.view.version
        if version == self._checked_version:
            return
        self._checked_version = version
        for number, entry in enumerate(tuple(self._open)):
            if number % _BATCH == _BATCH - 1:
                await asyncio.sleep(0)
            if not self._authority.policy.grants(entry.actor, entry.right):
                entry.watch.end()

    async def _check_tokens(self) -> None:
        now = self._clock.now()
        is_good: dict[str, bool] = {"": True}
        for entry in tuple(self._open):
            token_id = entry.actor.token_id
            if token_id not in is_good:
                token = await self._authority.tokens.find(token_id)
                is_good[token_id] = token is not None and (
                    token.expires_at is None or token.expires_at > now
                )
            if not is_good[token_id]:
                entry.watch.end()


def watch_right(place: Place, name: str) -> Right:
    """Return the right that a watch of a place, or of one object in it, needs throughout."""
    resource = place.resource
    return Right(
        verb="watch",
        group=resource.asked_group(place.group),
        resource=resource.plural,
        # A project's own right is one within it.
        namespace=name if resource.stored is Project else place.namespace,
        name=name,
    )
