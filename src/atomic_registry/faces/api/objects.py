"""Stored objects over HTTP; and the caller's own account, and requests for projects."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec

from atomic_registry.clock import Clock
from atomic_registry.errors import (
    MethodUnsupported,
    ObjectUnknown,
    ParameterInvalid,
    StaleRevision,
    TooMany,
    Unauthenticated,
)
from atomic_registry.faces.api.bodies import (
    read_as,
    read_document,
    read_list_options,
    read_patch,
    refuse_unserved,
)
from atomic_registry.faces.api.list_versions import read_version_wish
from atomic_registry.faces.api.negotiate import Shape, shape_of
from atomic_registry.faces.api.status import Document, json_response, success_document
from atomic_registry.faces.api.write_options import is_dry_run, read_write_options, warn
from atomic_registry.identity.actors import Actor
from atomic_registry.resources.engine import Preconditions
from atomic_registry.resources.kinds import PROJECTS, Place, Resource, api_version
from atomic_registry.resources.paging import MAX_PAGE, ListOptions
from atomic_registry.resources.patching import PatchService
from atomic_registry.resources.projects import ProjectService
from atomic_registry.resources.writes import Written, metadata_of
from atomic_registry.web.messages import Request, Response

# Deleting more than this in one request would take longer than clients wait.
_MAX_PAGES = 20


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What keeps track of managers, and the collection once more for dry runs."""

    service: PatchService
    rehearsal: Collection


class ObjectHandlers:
    """Serves one collection service at every place of the table.

    Without `writing` there are neither patches nor dry runs, and nobody's fields are tracked.
    """

    def __init__(self, objects: Collection, clock: Clock, writing: Writing | None = None) -> None:
        self._objects = objects
        self._clock = clock
        self._writing = writing

    async def get(self, resource: Resource, group: str, request: Request) -> Response:
        shape = shape_of(request, self._clock)
        place = place_of(resource, group, request)
        return json_response(shape(await self._objects.get(place, request.parameters["name"])))

    async def list(self, resource: Resource, group: str, request: Request) -> Response:
        place = place_of(resource, group, request)
        options = read_list_options(request.query, resource.fields)
        shape = shape_of(request, self._clock)
        options = replace(options, brief=shape.is_brief)
        wish = read_version_wish(request.query)
        found = await self._objects.list(request.actor, place, options)
        return json_response(shape(wish.checked(found)))

    async def create(self, resource: Resource, group: str, request: Request) -> Response:
        objects, options = self._chosen(request), read_write_options(request)
        shape, document = shape_of(request, self._clock), await read_document(request)
        place = place_of(resource, group, request)
        if self._writing is None:
            made = await objects.create(request.actor, place, document)
            return json_response(shape(made), status=201)
        service = self._writing.service
        return _answer(
            await service.create(objects, request.actor, place, document, options), shape
        )

    async def update(self, resource: Resource, group: str, request: Request) -> Response:
        objects, options = self._chosen(request), read_write_options(request)
        shape, document = shape_of(request, self._clock), await read_document(request)
        place, name = place_of(resource, group, request), request.parameters["name"]
        if self._writing is None:
            return json_response(shape(await objects.update(request.actor, place, name, document)))
        service = self._writing.service
        return _answer(
            await service.update(objects, request.actor, place, name, document, options), shape
        )

    async def patch(self, resource: Resource, group: str, request: Request) -> Response:
        if self._writing is None:
            raise MethodUnsupported(method="PATCH", allowed=("GET", "PUT"))
        objects, shape = self._chosen(request), shape_of(request, self._clock)
        patch = await read_patch(request)
        written = await self._writing.service.patch(
            objects,
            request.actor,
            place_of(resource, group, request),
            request.parameters["name"],
            patch,
            read_write_options(request, patch.type),
        )
        return _answer(written, shape)

    async def delete(self, resource: Resource, group: str, request: Request) -> Response:
        options = read_as(await read_document(request), _DeleteOptions, "DeleteOptions")
        objects = self._chosen(request, options.dry_run)
        place, name = place_of(resource, group, request), request.parameters["name"]
        asked = Preconditions(
            uid=options.preconditions.uid,
            resource_version=options.preconditions.resource_version,
        )
        gone = await objects.delete(request.actor, place, name, asked)
        details: Document = {"name": name, "kind": resource.plural, "uid": _uid(gone)}
        return json_response(success_document(details))

    async def delete_many(self, resource: Resource, group: str, request: Request) -> Response:
        """Delete what the selectors choose, page by page; each object at once or not at all."""
        asked = read_as(await read_document(request), _DeleteOptions, "DeleteOptions")
        objects = self._chosen(request, asked.dry_run)
        place = place_of(resource, group, request)
        asked_for = read_list_options(request.query, resource.fields)
        options = replace(asked_for, limit=MAX_PAGE, continue_token="")
        for _ in range(_MAX_PAGES):
            page = await objects.list(request.actor, place, options)
            for name, uid in _listed(page):
                # What another client deletes meanwhile is gone all the same.
                with suppress(ObjectUnknown, StaleRevision):
                    await objects.delete(request.actor, place, name, Preconditions(uid=uid))
            token = metadata_of(page).get("continue", "")
            if not token:
                return json_response(success_document({"kind": resource.plural}))
            options = replace(options, continue_token=str(token))
        limit = _MAX_PAGES * MAX_PAGE
        raise TooMany(what="objects to delete in one request", limit=limit, retry_after_seconds=1)

    def _chosen(self, request: Request, stages: Sequence[str] = ()) -> Collection:
        """Return the collection, or in a dry run the one that keeps nothing."""
        chooses = request.method == "DELETE" and "name" not in request.parameters
        refuse_unserved(request.query, ("watch",) if chooses else ("watch", "fieldSelector"))
        if not is_dry_run(request.query, stages):
            return self._objects
        if self._writing is None:
            raise ParameterInvalid(parameter="dryRun", value="All", reason="it is not offered")
        return self._writing.rehearsal


def _answer(written: Written, shape: Shape) -> Response:
    status = 201 if written.is_new else 200
    return warn(json_response(shape(written.document), status=status), written.warnings)


def _listed(page: Document) -> Iterator[tuple[str, str]]:
    """Yield the name and the uid of each item."""
    items = page.get("items")
    for item in items if isinstance(items, list) else ():
        yield str(metadata_of(item).get("name", "")), _uid(item)


def _uid(document: Document) -> str:
    return str(metadata_of(document).get("uid", ""))


class EmptyHandlers:
    """Answers for kinds of which there is nothing here, so that clients who ask do not stumble."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def list(self, resource: Resource, group: str, request: Request) -> Response:
        shape = shape_of(request, self._clock)
        document: Document = {
            "kind": f"{resource.kind}List",
            "apiVersion": api_version(group),
            "metadata": {"resourceVersion": "0"},
            "items": [],
        }
        return json_response(shape(document))


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
