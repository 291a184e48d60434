"""The rows of the API as operations of OpenAPI."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

from atomic_registry.kube.openapi import Operation, Parameter
from atomic_registry.kube.schemas import (
    DELETE_OPTIONS,
    PATCH,
    RESOURCE_LIST,
    STATUS,
    WATCH_EVENT,
)
from atomic_registry.resources.kinds import (
    AUTHORIZATION,
    CORE,
    PROJECT_REQUESTS,
    PROJECTS,
    ROBOT_TOKENS,
    STREAM_IMPORTS,
    STREAM_SECRETS,
    VERSION,
    Resource,
    prefix,
    resources_of,
)
from atomic_registry.resources.schemas import OLD_ANSWERS
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
_SELECTING = (
    Parameter(name="labelSelector", description="Only objects with these labels."),
    Parameter(name="fieldSelector", description="Only objects with these fields."),
)
_VERSION = Parameter(
    name="resourceVersion", description="Where changes start; which state a list shows."
)
_MATCH = Parameter(name="resourceVersionMatch", description="Exact or NotOlderThan.")
_LISTING = (
    Parameter(name="limit", description="How many objects one page has.", type="integer"),
    Parameter(name="continue", description="Where the next page starts, as the last one says."),
    *_SELECTING,
)
_WATCHING = (
    Parameter(name="watch", description="Send changes as they happen.", type="boolean"),
    _VERSION,
    Parameter(name="timeoutSeconds", description="How long to watch.", type="integer"),
    Parameter(name="allowWatchBookmarks", description="Send revisions too.", type="boolean"),
)
# What may come of any request, what of those with a body, and what of lists.
_REFUSALS = (400, 401, 403, 404, 406, 429, 500, 503, 504)
_WRITE_REFUSALS = (408, 409, 413, 415, 422, 507)
_LIST_REFUSALS = (405, 410)
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
        answer=RESOURCE_LIST,
        errors=_REFUSALS,
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
    # The secrets of a stream are those of its project.
    schema = f"{schema_prefix(CORE if row is STREAM_SECRETS else group)}.{row.kind}"
    names = _PARAMETER.findall(path)
    begun = Operation(
        method=method,
        path=path,
        identifier=_identifier(method, path, row, group),
        description=f"{verb.capitalize()} {row.plural}.",
        action=_ACTIONS.get(verb, verb),
        gvk={"group": group, "version": VERSION, "kind": row.kind},
        parameters=[
            Parameter(name=name, description=_PATH_WORDS.get(name, ""), place="path")
            for name in names
        ],
        answer=schema,
        errors=_REFUSALS if method == "GET" else (*_REFUSALS, *_WRITE_REFUSALS),
        tag=_title(group),
    )
    if method == "GET":
        return _reading(begun, row, verb)
    if method == "DELETE":
        options = _DELETING if "name" in names else (*_DELETING, *_LISTING)
        return replace(_with(begun, options), body=DELETE_OPTIONS, answer=STATUS)
    if method == "PATCH":
        patching = replace(begun, action="patch", body=PATCH, body_types=_PATCH_TYPES)
        return replace(_with(patching, (*_WRITING, _FORCING)), statuses=(200, 201))
    if method == "PUT":
        return replace(_with(begun, _WRITING), body=schema)
    return _creating(begun, row, group)


def _reading(begun: Operation, row: Resource, verb: str) -> Operation:
    listing = replace(begun, errors=(*begun.errors, *_LIST_REFUSALS))
    if verb == "watch":
        watching = _with(listing, (*_SELECTING, *_WATCHING))
        return replace(watching, answer=WATCH_EVENT, watches=True)
    if row is PROJECT_REQUESTS:
        # To ask whether one may make requests.
        return replace(begun, answer=STATUS)
    if verb == "list" or row is ROBOT_TOKENS:
        watches = "watch" in row.verbs
        options = (*_LISTING, _MATCH, *(_WATCHING if watches else (_VERSION,)))
        return replace(_with(listing, options), answer=f"{begun.answer}List", watches=watches)
    return begun


def _creating(begun: Operation, row: Resource, group: str) -> Operation:
    answer, errors = begun.answer, begun.errors
    if row is STREAM_IMPORTS:
        errors = (*errors, 501)
    elif row is PROJECT_REQUESTS:
        answer = f"{schema_prefix(group)}.{PROJECTS.kind}"
    elif group == AUTHORIZATION and row.kind in OLD_ANSWERS:
        answer = f"{schema_prefix(group)}.{OLD_ANSWERS[row.kind]}"
    made = replace(begun, body=begun.answer, answer=answer, statuses=(201,), errors=errors)
    return _with(made, _WRITING)


def _with(begun: Operation, parameters: Sequence[Parameter]) -> Operation:
    return replace(begun, parameters=[*begun.parameters, *parameters])


def schema_prefix(group: str) -> str:
    """Return what begins the names of a group's schemas."""
    if group == CORE:
        return f"io.k8s.api.core.{VERSION}"
    return f"{'.'.join(reversed(group.split('.')))}.{VERSION}"


def _identifier(method: str, path: str, row: Resource, group: str) -> str:
    words = [
        _title(part.strip("{}~")) for part in path.removeprefix(prefix(group)).strip("/").split("/")
    ]
    return f"{method.lower()}{_title(group)}{''.join(words)}{row.kind}"


def _title(text: str) -> str:
    words = re.split(r"[^A-Za-z0-9]", text or "core")
    return "".join(word[:1].upper() + word[1:] for word in words)
