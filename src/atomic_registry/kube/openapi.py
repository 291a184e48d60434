"""OpenAPI documents from schemas and a list of operations.

Sources: OpenAPI 3.0 and 2.0.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from atomic_registry.kube.schemas import DELETE_OPTIONS, GVK, REF, STATUS, WATCH_EVENT

Document = dict[str, object]

_JSON = "application/json"
_STREAM = "application/json;stream=watch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of an operation."""

    name: str
    description: str
    place: str = "query"
    type: str = "string"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path; `body` and `answer` name schemas, empty for none.

    `errors` are the statuses of refusals; with `watches` events may come as a stream.
    """

    method: str
    path: str
    identifier: str
    description: str
    action: str
    gvk: Document | None = None
    parameters: Sequence[Parameter] = ()
    body: str = ""
    body_types: Sequence[str] = (_JSON,)
    answer: str = ""
    statuses: Sequence[int] = (200,)
    errors: Sequence[int] = ()
    watches: bool = False
    tag: str = ""


def version_3(
    title: str, version: str, definitions: Mapping[str, Document], operations: Iterable[Operation]
) -> Document:
    """Return the document of one group in OpenAPI 3.0."""
    paths: dict[str, Document] = {}
    for each in operations:
        path = paths.setdefault(each.path, {})
        path[each.method.lower()] = _operation(each) | _version_3_parts(each)
    schemas = {name: _version_3_schema(schema) for name, schema in sorted(definitions.items())}
    return {
        "openapi": "3.0.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SECURITY_3},
        "security": [{"BearerToken": []}],
    }


def version_2(
    title: str, version: str, definitions: Mapping[str, Document], operations: Iterable[Operation]
) -> Document:
    """Return one document for all groups in OpenAPI 2.0."""
    paths: dict[str, Document] = {}
    for each in operations:
        path = paths.setdefault(each.path, {})
        path[each.method.lower()] = _operation(each) | _version_2_parts(each)
    return {
        "swagger": "2.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "definitions": {name: _version_2_schema(it) for name, it in sorted(definitions.items())},
        "securityDefinitions": _SECURITY_2,
        "security": [{"BearerToken": []}],
    }


_SECURITY_3 = {"BearerToken": {"type": "http", "scheme": "bearer"}}
_SECURITY_2 = {"BearerToken": {"type": "apiKey", "name": "authorization", "in": "header"}}


def _operation(each: Operation) -> Document:
    shown: Document = {
        "description": each.description,
        "operationId": each.identifier,
        "tags": [each.tag] if each.tag else [],
    }
    if each.action:
        shown["x-kubernetes-action"] = each.action
    if each.gvk is not None:
        shown[GVK] = each.gvk
    return shown


def _version_3_parts(each: Operation) -> Document:
    def content(name: str, media_types: Sequence[str]) -> Document:
        schema = {REF: f"#/components/schemas/{name}"} if name else {}
        return {media_type: {"schema": schema} for media_type in media_types}

    stream = content(WATCH_EVENT, (_STREAM,)) if each.watches else {}
    parts: Document = {
        "parameters": [
            {
                "name": it.name,
                "in": it.place,
                "description": it.description,
                "schema": {"type": it.type},
            }
            | ({"required": True} if it.place == "path" else {})
            for it in each.parameters
        ],
        "responses": {
            str(status): {"description": HTTPStatus(status).phrase, "content": shown}
            for statuses, shown in (
                (each.statuses, content(each.answer, (_JSON,)) | stream),
                (each.errors, content(STATUS, (_JSON,))),
            )
            for status in statuses
        },
    }
    if each.body:
        is_needed = each.body != DELETE_OPTIONS
        body = {"content": content(each.body, each.body_types), "required": is_needed}
        parts["requestBody"] = body
    return parts


def _version_2_parts(each: Operation) -> Document:
    parameters: list[Document] = [
        {"name": it.name, "in": it.place, "description": it.description, "type": it.type}
        | ({"required": True} if it.place == "path" else {})
        for it in each.parameters
    ]
    if each.body:
        schema = {REF: f"#/definitions/{each.body}"}
        is_needed = each.body != DELETE_OPTIONS
        parameters.append({"name": "body", "in": "body", "schema": schema, "required": is_needed})
    answer: Document = {"schema": {REF: f"#/definitions/{each.answer}"}} if each.answer else {}
    error: Document = {"schema": {REF: f"#/definitions/{STATUS}"}}
    return {
        "consumes": list(each.body_types),
        "produces": [_JSON, _STREAM] if each.watches else [_JSON],
        "parameters": parameters,
        "responses": {
            str(status): {"description": HTTPStatus(status).phrase, **shown}
            for statuses, shown in ((each.statuses, answer), (each.errors, error))
            for status in statuses
        },
    }


def _version_3_schema(schema: Document) -> Document:
    shown = _converted(schema, _version_3_schema)
    if REF in shown:
        # Beside a reference everything else would be ignored.
        reference: Document = {REF: f"#/components/schemas/{shown.pop(REF)}"}
        return {**shown, "allOf": [reference]} if shown else reference
    return shown


def _version_2_schema(schema: Document) -> Document:
    shown = _converted(schema, _version_2_schema)
    if REF in shown:
        shown[REF] = f"#/definitions/{shown[REF]}"
    if "oneOf" in shown:
        # This version has no such word; its readers take a quantity for a text.
        del shown["oneOf"]
        shown["type"] = "string"
    return shown


def _converted(schema: Document, convert: Callable[[Document], Document]) -> Document:
    """Return a copy of a schema with each schema within it converted."""
    shown = dict(schema)
    for key in ("items", "additionalProperties"):
        inner = shown.get(key)
        if isinstance(inner, dict):
            shown[key] = convert(inner)
    properties, choices = shown.get("properties"), shown.get("oneOf")
    if isinstance(properties, dict):
        shown["properties"] = {name: convert(inner) for name, inner in properties.items()}
    if isinstance(choices, list):
        shown["oneOf"] = [convert(inner) for inner in choices]
    return shown
