"""Events in a worker: what counts pulls and denials, and what shows them."""

import asyncio
import contextlib
from datetime import timedelta

from atomic_registry.clock import Clock
from atomic_registry.config.settings import Settings
from atomic_registry.content.streams import stream_name_of
from atomic_registry.errors import Denied
from atomic_registry.faces.api.happenings import EventHandlers
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.directory import Directory
from atomic_registry.identity.policy import Policy
from atomic_registry.oci.reference import Reference, RepositoryName
from atomic_registry.resources.happenings.expiry import EventExpiry
from atomic_registry.resources.happenings.projector import EventProjector, VisibleEvents
from atomic_registry.resources.happenings.recorder import EventRecorder
from atomic_registry.resources.happenings.service import EventService, EventSources, KeptEvents
from atomic_registry.resources.projections import Projector
from atomic_registry.store.metadata import MetadataDatabase
from atomic_registry.web.messages import Request


def kept_events(settings: Settings) -> KeptEvents:
    """Return how long events are kept, and how many."""
    events = settings.events
    return KeptEvents(age=timedelta(hours=events.keep_hours), count=events.keep_count)


class EventCounting:
    """Counts in one worker what its requests say, and writes it down in the background."""

    def __init__(
        self, settings: Settings, metadata: MetadataDatabase, directory: Directory, clock: Clock
    ) -> None:
        self._expiry = EventExpiry(metadata, clock, kept_events(settings))
        self._recorder = EventRecorder(
            metadata,
            clock,
            directory.projects.get,
            flush_seconds=settings.events.flush_seconds,
        )
        self._tasks: list[asyncio.Task[None]] = []

    def pulled(self, repository: RepositoryName, reference: Reference) -> None:
        """Count a pull."""
        self._recorder.pulled(repository.project, stream_name_of(repository), str(reference))

    def denied(self, request: Request, error: Denied) -> None:
        """Count a refusal, if it is about a project."""
        repository = request.parameters.get("repository")
        if isinstance(repository, RepositoryName):
            project, stream = repository.project, stream_name_of(repository)
        else:
            project, stream = request.parameters.get("namespace", ""), ""
        verb, resource = str(error.detail["verb"]), str(error.detail["resource"])
        # Without names of objects: anybody can think of any number of those.
        what = f"{verb} {resource.partition(' ')[0]}"
        who = request.actor.signature
        message = f"{who} may not {verb} {resource}" if stream else f"{who} may not {what}"
        self._recorder.denied(project, stream, who=who, what=what, message=message)

    def start(self, *, cleans_up: bool) -> None:
        """Begin to write down, and in one worker to remove what is old."""
        works = [self._recorder.run(), *([self._expiry.run()] if cleans_up else [])]
        self._tasks += [asyncio.create_task(work) for work in works]

    async def close(self) -> None:
        """Write down what is left, and stop."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


class EventReading:
    """Builds what shows events in the API."""

    def __init__(
        self, settings: Settings, metadata: MetadataDatabase, policy: Policy, clock: Clock
    ) -> None:
        self._sources = EventSources(
            metadata=metadata,
            log=metadata,
            policy=policy,
            clock=clock,
            kept=kept_events(settings),
        )
        self._service = EventService(self._sources)
        self.handlers = EventHandlers(events=self._service, clock=clock)
        self.projector = EventProjector(self._service, metadata, metadata)

    def narrowed(self, actor: Actor, projector: Projector) -> Projector:
        """Return what the actor may see of it."""
        return VisibleEvents(projector, self._sources.may_see_denials(actor))
