"""Images and what belongs to them over HTTP."""

from dataclasses import dataclass

from atomic_registry.clock import Clock
from atomic_registry.faces.api.bodies import (
    read_as,
    read_document,
    refuse_unserved,
)
from atomic_registry.faces.api.negotiate import shape_of
from atomic_registry.faces.api.objects import ObjectHandlers, Writing, place_of
from atomic_registry.faces.api.status import (
    failure_document,
    json_response,
    success_document,
)
from atomic_registry.resources.engine import Preconditions
from atomic_registry.resources.images.images import Mapping
from atomic_registry.resources.images.services import ImageServices
from atomic_registry.resources.kinds import Resource
from atomic_registry.resources.patching import PatchService
from atomic_registry.web.messages import Request, Response

_NO_IMPORTS = (
    "importing images from other registries is not offered yet: "
    "copy the image here, for example with skopeo copy, and tag it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHandlers:
    """Serves everything of the image group."""

    streams: ObjectHandlers
    statuses: ObjectHandlers
    tags: ObjectHandlers
    images: ObjectHandlers
    services: ImageServices
    clock: Clock

    async def get_of_stream(self, resource: Resource, group: str, request: Request) -> Response:
        place, shape = place_of(resource, group, request), shape_of(request, self.clock)
        found = await self.services.stream_images.get_of_stream(place, request.parameters["name"])
        return json_response(shape(found))

    async def layers(self, resource: Resource, group: str, request: Request) -> Response:
        place = place_of(resource, group, request)
        name = request.parameters["name"]
        return json_response(await self.services.stream_images.layers_of_stream(place, name))

    async def secrets(self, resource: Resource, group: str, request: Request) -> Response:
        place = place_of(resource, group, request)
        name = request.parameters["name"]
        return json_response(await self.services.streams.list_secrets(place, name))

    async def map(self, resource: Resource, group: str, request: Request) -> Response:
        refuse_unserved(request.query)
        asked = read_as(await read_document(request), Mapping, resource.kind)
        place = place_of(resource, group, request)
        await self.services.stream_images.map(request.actor, place, asked)
        return json_response(success_document({"kind": resource.plural}), status=201)

    async def refuse(self, _resource: Resource, _group: str, _request: Request) -> Response:
        document = failure_document(
            code=501, reason="NotImplemented", message=_NO_IMPORTS, details={}
        )
        return json_response(document, status=501)

    async def sign(self, resource: Resource, group: str, request: Request) -> Response:
        refuse_unserved(request.query)
        document, place = await read_document(request), place_of(resource, group, request)
        made = await self.services.signatures.create(request.actor, place, document)
        return json_response(made, status=201)

    async def unsign(self, resource: Resource, group: str, request: Request) -> Response:
        refuse_unserved(request.query)
        place, name = place_of(resource, group, request), request.parameters["name"]
        await self.services.signatures.delete(request.actor, place, name, Preconditions())
        return json_response(success_document({"name": name, "kind": resource.plural}))


def image_handlers(
    services: ImageServices, rehearsal: ImageServices, patches: PatchService, clock: Clock
) -> ImageHandlers:
    """Return the handlers over the services, and over those that keep nothing."""
    return ImageHandlers(
        streams=ObjectHandlers(
            services.streams, clock, Writing(service=patches, rehearsal=rehearsal.streams)
        ),
        statuses=ObjectHandlers(
            services.statuses, clock, Writing(service=patches, rehearsal=rehearsal.statuses)
        ),
        tags=ObjectHandlers(
            services.tags, clock, Writing(service=patches, rehearsal=rehearsal.tags)
        ),
        images=ObjectHandlers(
            services.images, clock, Writing(service=patches, rehearsal=rehearsal.images)
        ),
        services=services,
        clock=clock,
    )
