"""Counts pulls and denials in memory and writes them down now and then.

Nothing is written while a request is served, and what is written is bounded whoever asks for
what: so many series in memory, so many of them at each writing. What does not fit is not
counted, except as one number in the log.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec
import structlog

from atomic_registry.clock import Clock
from atomic_registry.content.ports import Transaction
from atomic_registry.content.streams import Stream, repository_of
from atomic_registry.errors import Invalid, Unavailable
from atomic_registry.identity.records import Project
from atomic_registry.kube.objects import ObjectMeta, timestamp
from atomic_registry.resources.event_records import (
    COMPONENT,
    DENIED,
    NORMAL,
    PULLED,
    WARNING,
    Event,
    InvolvedObject,
)
from atomic_registry.resources.happenings.projection import stream_reference
from atomic_registry.resources.images.surroundings import Transactions
from atomic_registry.resources.images.views import stream_metadata
from atomic_registry.resources.kinds import PROJECTS, api_version

_logger = structlog.get_logger(__name__)
_MAX_SERIES = 1000
_MAX_WRITTEN = 50
_MAX_MESSAGE = 1024
_HASH_LENGTH = 16


class Series(NamedTuple):
    """What happens again and again: the same to the same stream of the same project.

    `who` is empty where nobody is named. `uid` is the project's, so that a later one of its name
    is not told of it. A tuple, because one is made at each pull.
    """

    reason: str
    project: str
    uid: str
    stream: str
    what: str
    who: str = ""


@dataclass(slots=True)
class _Tally:
    first: datetime
    message: str
    count: int = 0


class EventRecorder:
    """Counts; `run` it as long as requests are served.

    `uid_of_project` tells the uid of a project, None where there is none.
    """

    def __init__(
        self,
        metadata: Transactions,
        clock: Clock,
        uid_of_project: Callable[[str], str | None],
        *,
        flush_seconds: float,
    ) -> None:
        self._metadata = metadata
        self._clock = clock
        self._uid_of_project = uid_of_project
        self._flush_seconds = flush_seconds
        self._tallies: OrderedDict[Series, _Tally] = OrderedDict()
        self._uncounted = 0

    def pulled(self, project: str, stream: str, reference: str) -> None:
        """Count a pull by tag or digest."""
        self._count(PULLED, project, stream, reference, "", "")

    def denied(self, project: str, stream: str, *, who: str, what: str, message: str) -> None:
        """Count a request that was refused to somebody who is known."""
        self._count(DENIED, project, stream, what, who, message)

    async def run(self) -> None:
        """Write down again and again until cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(self._flush_seconds)
                await self._try_flush()
        finally:
            await self._try_flush()

    async def flush(self) -> int:
        """Write down what has waited longest; return how many series that was.

        Raises:
            Unavailable: the database cannot be written; nothing is lost by that.
        """
        chosen = list(self._tallies.items())[:_MAX_WRITTEN]
        if not chosen:
            return 0
        for series, _ in chosen:
            del self._tallies[series]
        now = self._clock.now()
        try:
            await self._metadata.write(lambda tx: _write(tx, chosen, now))
        except Unavailable:
            for series, tally in chosen:
                self._keep(series, tally)
            raise
        return len(chosen)

    def _count(
        self, reason: str, project: str, stream: str, what: str, who: str, message: str
    ) -> None:
        uid = self._uid_of_project(project)
        if uid is None:
            return
        series = Series(reason, project, uid, stream, what, who)
        tally = self._tallies.get(series)
        if tally is None:
            if len(self._tallies) >= _MAX_SERIES:
                self._uncounted += 1
                return
            self._tallies[series] = tally = _Tally(self._clock.now(), message[:_MAX_MESSAGE])
        tally.count += 1

    def _keep(self, series: Series, tally: _Tally) -> None:
        later = self._tallies.get(series)
        if later is not None:
            later.count += tally.count
            later.first = tally.first
        elif len(self._tallies) < _MAX_SERIES:
            self._tallies[series] = tally

    async def _try_flush(self) -> None:
        if self._uncounted:
            _logger.warning("more pulls and denials than events keep", uncounted=self._uncounted)
            self._uncounted = 0
        try:
            await self.flush()
        except Unavailable as error:
            _logger.warning("events not written", reason=error.message)


def _write(tx: Transaction, chosen: Sequence[tuple[Series, _Tally]], now: datetime) -> None:
    uids = {}
    for name in sorted({series.project for series, _ in chosen}):
        project = tx.objects.find(Project, name, lock=True)
        uids[name] = None if project is None else project.metadata.uid
    live = [it for it in chosen if uids[it[0].project] == it[0].uid]
    streams = _streams(tx, [series for series, _ in live])
    merged: dict[tuple[str, str], tuple[Series, InvolvedObject, list[_Tally]]] = {}
    for series, tally in live:
        about = _about(series, streams.get((series.project, series.stream)))
        if about is not None:
            key = series.project, _name(series, about)
            merged.setdefault(key, (series, about, []))[2].append(tally)
    for (_, name), (series, about, tallies) in sorted(merged.items(), key=lambda it: it[0]):
        _store(tx, name, series, about, tallies, now)


def _streams(tx: Transaction, chosen: Sequence[Series]) -> dict[tuple[str, str], Stream]:
    """Return the streams that there are."""
    names = set()
    for series in chosen:
        with suppress(Invalid):
            names.add(repository_of(series.project, series.stream))
    found = tx.streams.find_all(sorted(names, key=str))
    return {(stream.namespace, stream.stream_name): stream for stream in found}


def _about(series: Series, stream: Stream | None) -> InvolvedObject | None:
    """Return what the event is about.

    Of streams that are not there anybody can think of any number: refusals of those are events
    of the project, and pulls of them no events.
    """
    if stream is not None:
        return stream_reference(series.project, series.stream, str(stream_metadata(stream)["uid"]))
    if series.reason != DENIED:
        return None
    return InvolvedObject(
        api_version=api_version(PROJECTS.groups[0]),
        kind=Project.kind,
        namespace=series.project,
        name=series.project,
        uid=series.uid,
    )


def _name(series: Series, about: InvolvedObject) -> str:
    facts = msgspec.json.encode((series.reason, about.uid, series.what, series.who))
    return f"{about.name}.{hashlib.sha256(facts).hexdigest()[:_HASH_LENGTH]}"


def _store(
    tx: Transaction,
    name: str,
    series: Series,
    about: InvolvedObject,
    tallies: Sequence[_Tally],
    now: datetime,
) -> None:
    event = tx.objects.find(Event, name, namespace=series.project, lock=True)
    write = tx.objects.add if event is None else tx.objects.update
    if event is None:
        event = Event(
            metadata=ObjectMeta(name=name, namespace=series.project),
            involved_object=about,
            reason=series.reason,
            type=WARNING if series.reason == DENIED else NORMAL,
            first_timestamp=timestamp(min(tally.first for tally in tallies)),
        )
    event.count += sum(tally.count for tally in tallies)
    event.last_timestamp = timestamp(now)
    event.message = tallies[-1].message or f"{_shown(series.what)} pulled"
    write(event, actor=COMPONENT, now=now)


def _shown(reference: str) -> str:
    return f"Image {reference}" if ":" in reference else f"Tag {reference}"
