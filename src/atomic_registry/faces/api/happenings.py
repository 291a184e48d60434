"""Events over HTTP; they are read only."""

from dataclasses import dataclass

from atomic_registry.clock import Clock
from atomic_registry.faces.api.bodies import read_list_options
from atomic_registry.faces.api.list_versions import read_version_wish
from atomic_registry.faces.api.negotiate import shape_of
from atomic_registry.faces.api.objects import place_of
from atomic_registry.faces.api.status import json_response
from atomic_registry.resources.happenings.service import EventService
from atomic_registry.resources.kinds import Resource
from atomic_registry.web.messages import Request, Response


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHandlers:
    """Serves the events of projects."""

    events: EventService
    clock: Clock

    async def list(self, resource: Resource, group: str, request: Request) -> Response:
        place, shape = place_of(resource, group, request), shape_of(request, self.clock)
        options = read_list_options(request.query, resource.fields)
        wish = read_version_wish(request.query)
        found = await self.events.list(request.actor, place, options)
        return json_response(shape(wish.checked(found)))

    async def get(self, resource: Resource, group: str, request: Request) -> Response:
        place, shape = place_of(resource, group, request), shape_of(request, self.clock)
        name = request.parameters["name"]
        return json_response(shape(await self.events.get(request.actor, place, name)))
