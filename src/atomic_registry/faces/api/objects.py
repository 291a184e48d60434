"""Stored objects over HTTP; and the caller's own account, and requests for projects."""

from typing import Protocol

import msgspec

from atomic_registry.errors import ParameterInvalid, Unauthenticated
from atomic_registry.faces.api.bodies import (
    read_as,
    read_document,
    read_list_options,
    refuse_unserved,
)
from atomic_registry.faces.api.status import Document, json_response, success_document
from atomic_registry.identity.actors import Actor
from atomic_registry.resources.engine import Preconditions
from atomic_registry.resources.kinds import PROJECTS, Place, Resource
from atomic_registry.resources.paging import ListOptions
from atomic_registry.resources.projects import ProjectService
from atomic_registry.web.messages import Request, Response


class Collection(Protocol):
    """What may be done with stored objects of a place."""

    async def get(self, place: Place, name: str) -> Document:
        """Return one object."""
        ...

    async def list(self, actor: Actor, place: Place, options: ListOptions) -> Document:
        """Return one page."""
        ...

    async def create(self, actor: Actor, place: Place, document: Document) -> Document:
        """Store a new object and return it."""
        ...

    async def update(self, actor: Actor, place: Place, name: str, document: Document) -> Document:
        """Replace an object and return it."""
        ...

    async def delete(
        self, actor: Actor, place: Place, name: str, preconditions: Preconditions
    ) -> Document:
        """Delete an object and return what it was."""
        ...


class _Preconditions(msgspec.Struct, rename="camel"):
    uid: str = ""
    resource_version: str = ""


class _DeleteOptions(msgspec.Struct, rename="camel"):
    preconditions: _Preconditions = msgspec.field(default_factory=_Preconditions)
    dry_run: list[str] = []


class ObjectHandlers:
    """Serves one collection service at every place of the table."""

    def __init__(self, objects: Collection) -> None:
        self._objects = objects

    async def get(self, resource: Resource, group: str, request: Request) -> Response:
        place = place_of(resource, group, request)
        return json_response(await self._objects.get(place, request.parameters["name"]))

    async def list(self, resource: Resource, group: str, request: Request) -> Response:
        place = place_of(resource, group, request)
        options = read_list_options(request.query)
        return json_response(await self._objects.list(request.actor, place, options))

    async def create(self, resource: Resource, group: str, request: Request) -> Response:
        refuse_unserved(request.query)
        document = await read_document(request)
        place = place_of(resource, group, request)
        return json_response(await self._objects.create(request.actor, place, document), status=201)

    async def update(self, resource: Resource, group: str, request: Request) -> Response:
        refuse_unserved(request.query)
        document = await read_document(request)
        place, name = place_of(resource, group, request), request.parameters["name"]
        return json_response(await self._objects.update(request.actor, place, name, document))

    async def delete(self, resource: Resource, group: str, request: Request) -> Response:
        refuse_unserved(request.query)
        options = read_as(await read_document(request), _DeleteOptions, "DeleteOptions")
        if options.dry_run:
            raise ParameterInvalid(parameter="dryRun", value="All", reason="it is not offered")
        place, name = place_of(resource, group, request), request.parameters["name"]
        asked = Preconditions(
            uid=options.preconditions.uid,
            resource_version=options.preconditions.resource_version,
        )
        gone = await self._objects.delete(request.actor, place, name, asked)
        metadata = gone["metadata"]
        uid = metadata.get("uid", "") if isinstance(metadata, dict) else ""
        details: Document = {"name": name, "kind": resource.plural, "uid": uid}
        return json_response(success_document(details))


class _ProjectRequest(msgspec.Struct, rename="camel"):
    metadata: dict[str, object] = {}
    display_name: str = ""
    description: str = ""


class ProjectRequestHandlers:
    """Requests for projects: may I, and one, please."""

    def __init__(self, projects: ProjectService) -> None:
        self._projects = projects

    async def check(self, _resource: Resource, _group: str, request: Request) -> Response:
        self._projects.check_may_request(request.actor)
        return json_response(success_document({}))

    async def create(self, _resource: Resource, group: str, request: Request) -> Response:
        refuse_unserved(request.query)
        asked = read_as(await read_document(request), _ProjectRequest, "ProjectRequest")
        project = await self._projects.request(
            request.actor,
            Place(resource=PROJECTS, group=group),
            str(asked.metadata.get("name", "")),
            display_name=asked.display_name,
            description=asked.description,
        )
        return json_response(project, status=201)


def place_of(resource: Resource, group: str, request: Request) -> Place:
    """Return the place that the path names."""
    namespace = request.parameters.get("namespace", "")
    return Place(resource=resource, group=group, namespace=namespace)


def require_login(actor: Actor) -> None:
    """Return if somebody is logged in.

    Raises:
        Unauthenticated: nobody is.
    """
    if actor.is_anonymous:
        raise Unauthenticated
