"""The API described for programs: `/openapi/v3` for each group, `/openapi/v2` in one document.

Made from the rows that are served, so that nothing is described that is not there.
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache, partial

import msgspec

from atomic_registry import __version__
from atomic_registry.errors import NotAcceptable
from atomic_registry.faces.api.discovery import cached_response
from atomic_registry.faces.api.negotiate import JSON, choices
from atomic_registry.faces.api.operations import Described, operations_of, schema_prefix
from atomic_registry.faces.api.status import Document
from atomic_registry.identity.records import Secret
from atomic_registry.kube.openapi import version_2, version_3
from atomic_registry.kube.schemas import SchemaBuilder, common_definitions
from atomic_registry.resources.descriptions import WORDS
from atomic_registry.resources.kinds import (
    AUTHENTICATION,
    AUTHORIZATION,
    CORE,
    ROBOT_TOKENS,
    STREAM_SECRETS,
    VERSION,
    named_groups,
    prefix,
    resources_of,
)
from atomic_registry.resources.schemas import ANSWER_FORMS, form_of
from atomic_registry.web.messages import Request, Response

_TITLE = "Atomic Registry"


class OpenApiHandlers:
    """Serves documents that are made when they are first asked for."""

    def __init__(self, rows: Sequence[Described]) -> None:
        self._rows = tuple(rows)
        self._document = cache(self._make_document)
        self._whole = cache(self._make_whole)

    async def index(self, request: Request) -> Response:
        """Answer with the address of each group's document, which changes when that does."""
        _require_json(request)
        paths = {
            prefix(group)[1:]: {"serverRelativeURL": f"{_address(group)}?hash={hashed}"}
            for group in _groups()
            for _, hashed in (self._document(group),)
        }
        body = msgspec.json.encode({"paths": paths})
        return cached_response(request, body, JSON, _hash(body))

    async def document(self, group: str, request: Request) -> Response:
        _require_json(request)
        return cached_response(request, *_as_json(self._document(group)))

    async def version_2(self, request: Request) -> Response:
        _require_json(request)
        return cached_response(request, *_as_json(self._whole()))

    def _make_document(self, group: str) -> tuple[bytes, str]:
        definitions = definitions_of(group)
        operations = operations_of(self._rows, group)
        document = version_3(_TITLE, __version__, definitions, operations)
        return _encoded(document)

    def _make_whole(self) -> tuple[bytes, str]:
        definitions: dict[str, Document] = {}
        for group in _groups():
            definitions |= definitions_of(group)
        operations = [each for group in _groups() for each in operations_of(self._rows, group)]
        return _encoded(version_2(_TITLE, __version__, definitions, operations))


def definitions_of(group: str) -> dict[str, Document]:
    """Return the schemas of a group's kinds and of their lists."""
    builder = SchemaBuilder(schema_prefix(group), WORDS)
    gvk = partial(_gvk, group)
    kinds: set[str] = set()
    borrowed: dict[str, Document] = {}
    for row in resources_of(group):
        if row is STREAM_SECRETS:
            borrowed = _secrets()
        if row.kind in kinds or row is STREAM_SECRETS:
            # A subresource may have its parent's kind.
            continue
        kinds.add(row.kind)
        shown = _gvk(AUTHENTICATION, row.kind) if row is ROBOT_TOKENS else gvk(row.kind)
        name = builder.add_kind(form_of(row, group), row.kind, [shown])
        if "list" in row.verbs:
            builder.add_list(row.kind, name, [gvk(f"{row.kind}List")])
    if group == AUTHORIZATION:
        for kind, form in ANSWER_FORMS.items():
            builder.add_kind(form, kind, [gvk(kind)])
    return common_definitions(WORDS) | borrowed | builder.definitions


def _secrets() -> dict[str, Document]:
    start = f"{schema_prefix(CORE)}.{Secret.kind}"
    return {name: it for name, it in definitions_of(CORE).items() if name.startswith(start)}


def _groups() -> Iterator[str]:
    return iter((CORE, *named_groups()))


def _gvk(group: str, kind: str) -> Document:
    return {"group": group, "version": VERSION, "kind": kind}


def _address(group: str) -> str:
    return f"/openapi/v3{prefix(group)}"


def _encoded(document: Document) -> tuple[bytes, str]:
    body = msgspec.json.encode(document)
    return body, _hash(body)


def _as_json(made: tuple[bytes, str]) -> tuple[bytes, str, str]:
    body, hashed = made
    return body, JSON, hashed


def _hash(body: bytes) -> str:
    return hashlib.sha512(body).hexdigest().upper()


def _require_json(request: Request) -> None:
    """Refuse clients that read the binary form only, so that they take the other version.

    Raises:
        NotAcceptable: JSON is not among what they take.
    """
    accept = request.headers.get("Accept", "")
    if not any(choice.media_type in {JSON, "*/*", "application/*"} for choice in choices(accept)):
        raise NotAcceptable(accept=accept, served=JSON)
