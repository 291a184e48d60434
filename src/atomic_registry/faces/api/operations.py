"""The rows of the API as operations of OpenAPI."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence

from atomic_registry.kube.openapi import Operation, Parameter
from atomic_registry.kube.schemas import DELETE_OPTIONS, PATCH, STATUS
from atomic_registry.resources.kinds import CORE, VERSION, Resource, prefix, resources_of
from atomic_registry.web.endpoint import Access
from atomic_registry.web.messages import Query, Request

Described = tuple[str, str, Access, object]
"""A row: method, path, access; whatever follows does not matter here."""

_PARAMETER = re.compile(r"\{(\w+)\}")
_PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
_ACTIONS = {"create": "post", "update": "put", "delete": "delete"}
_PATH_WORDS = {
    "namespace": "Name of the project.",
    "name": "Name of the object.",
    "id": "Name of the token.",
}
_DRY_RUN = Parameter(name="dryRun", description="All: check everything and change nothing.")
_LISTING = (
    Parameter(name="limit", description="How many objects one page has.", type="integer"),
    Parameter(name="continue", description="Where the next page starts, as the last one says."),
    Parameter(name="labelSelector", description="Only objects with these labels."),
    Parameter(name="fieldSelector", description="Only objects with these fields."),
)
_WATCHING = (
    Parameter(name="watch", description="Send changes as they happen.", type="boolean"),
    Parameter(name="resourceVersion", description="Where changes start."),
    Parameter(name="timeoutSeconds", description="How long to watch.", type="integer"),
    Parameter(name="allowWatchBookmarks", description="Send revisions too.", type="boolean"),
)
_WRITING = (
    _DRY_RUN,
    Parameter(name="fieldManager", description="In whose name fields are written."),
    Parameter(name="fieldValidation", description="What to do about unknown fields."),
)
_FORCING = Parameter(name="force", description="Take fields from others.", type="boolean")
_DELETING = (
    _DRY_RUN,
    Parameter(name="gracePeriodSeconds", description="Has no effect.", type="integer"),
    Parameter(name="propagationPolicy", description="Has no effect."),
)


class _NoBody:
    length: int | None = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in (b"",):
            yield piece


def operations_of(rows: Sequence[Described], group: str) -> Iterator[Operation]:
    """Yield an operation for each row below a group's path that is about a resource."""
    for method, path, access, *_ in rows:
        if path == prefix(group):
            yield _discovery(path, group)
        elif path.startswith(f"{prefix(group)}/"):
            found = _resource(path, access, group)
            if found is not None:
                yield _operation(method, path, found[0], found[1], group)


def _discovery(path: str, group: str) -> Operation:
    return Operation(
        method="GET",
        path=path,
        identifier=f"get{_title(group)}Resources",
        description="Which resources there are.",
        action="",
        tag=_title(group),
    )


def _resource(path: str, access: Access, group: str) -> tuple[Resource, str] | None:
    """Return what a row is about and the verb that it needs."""
    if access.right is None:
        return None
    names = _PARAMETER.findall(path)
    request = Request(
        method="GET",
        path=path,
        query=Query(()),
        headers={},
        body=_NoBody(),
        id="",
        parameters=dict.fromkeys(names, "name"),
    )
    right = access.right(request)
    for row in resources_of(group):
        if row.plural == right.resource:
            return row, right.verb
    return None


def _operation(method: str, path: str, row: Resource, verb: str, group: str) -> Operation:
    schema = f"{schema_prefix(group)}.{row.kind}"
    names = _PARAMETER.findall(path)
    parameters = [
        Parameter(name=name, description=_PATH_WORDS.get(name, ""), place="path") for name in names
    ]
    body, answer = "", schema
    statuses: tuple[int, ...] = (200,)
    action = _ACTIONS.get(verb, verb)
    match method:
        case "GET" if "name" not in names and "list" in row.verbs:
            answer = f"{schema}List"
            parameters += _LISTING
            parameters += _WATCHING if "watch" in row.verbs else ()
        case "POST":
            body, statuses = schema, (201,)
            parameters += _WRITING
        case "PUT":
            body = schema
            parameters += _WRITING
        case "PATCH":
            body, action = PATCH, "patch"
            statuses = (200, 201)
            parameters += (*_WRITING, _FORCING)
        case "DELETE":
            body, answer = DELETE_OPTIONS, STATUS
            parameters += _DELETING
            parameters += _LISTING if "name" not in names else ()
        case _:
            pass
    return Operation(
        method=method,
        path=path,
        identifier=_identifier(method, path, row, group),
        description=f"{verb.capitalize()} {row.plural}.",
        action=action,
        gvk={"group": group, "version": VERSION, "kind": row.kind},
        parameters=parameters,
        body=body,
        body_types=_PATCH_TYPES if method == "PATCH" else ("application/json",),
        answer=answer,
        statuses=statuses,
        tag=_title(group),
    )


def schema_prefix(group: str) -> str:
    """Return what begins the names of a group's schemas."""
    if group == CORE:
        return f"io.k8s.api.core.{VERSION}"
    return f"{'.'.join(reversed(group.split('.')))}.{VERSION}"


def _identifier(method: str, path: str, row: Resource, group: str) -> str:
    words = [_title(part.strip("{}~")) for part in path.removeprefix(prefix(group)).split("/")]
    return f"{method.lower()}{_title(group)}{''.join(words)}{row.kind}"


def _title(text: str) -> str:
    words = re.split(r"[^A-Za-z0-9]", text or "core")
    return "".join(word[:1].upper() + word[1:] for word in words)
