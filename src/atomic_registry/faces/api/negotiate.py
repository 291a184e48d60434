"""In which form a client wants its answer: the object, a table, or only metadata.

Source: Kubernetes API concepts, "Resource representations" and "Receiving resources as Tables".
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from atomic_registry.clock import Clock
from atomic_registry.errors import NotAcceptable, ParameterInvalid
from atomic_registry.faces.api.status import Document
from atomic_registry.kube.table import (
    is_list,
    partial_metadata,
    partial_metadata_list,
    render_table,
)
from atomic_registry.resources.columns import columns_of
from atomic_registry.web.messages import Request

Render = Callable[[Document], Document]

JSON = "application/json"
_JSON_TYPES = frozenset({JSON, "application/*", "*/*"})
_META_GROUP = "meta.k8s.io"
_META_VERSIONS = ("v1", "v1beta1")
_MAX_CHOICES = 20
_INCLUDES = ("", "None", "Metadata", "Object")


@dataclass(frozen=True, slots=True)
class Shape:
    """Brings documents into one form; a brief one leaves out what is not metadata or a cell."""

    render: Render
    is_brief: bool = False

    def __call__(self, document: Document) -> Document:
        return self.render(document)


@dataclass(frozen=True, slots=True)
class Choice:
    """One media type that a client takes, with its parameters."""

    media_type: str
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def form(self) -> tuple[str, str, str]:
        """What the parameters ask for: kind, group and version; empty for the plain object."""
        get = self.parameters.get
        return get("as", ""), get("g", ""), get("v", "")


def choices(accept: str) -> list[Choice]:
    """Return what an Accept header asks for, best first; nothing given is plain JSON."""
    if not accept.strip():
        return [Choice(JSON)]
    found: list[tuple[float, int, Choice]] = []
    for position, text in enumerate(accept.split(",")[:_MAX_CHOICES]):
        media_type, *rest = (part.strip() for part in text.split(";"))
        pairs = (part.partition("=")[::2] for part in rest)
        parameters = {key.strip().lower(): value.strip().strip('"') for key, value in pairs}
        quality = _quality(parameters.pop("q", "1"))
        if quality > 0:
            found.append((-quality, position, Choice(media_type.lower(), parameters)))
    return [choice for *_, choice in sorted(found, key=lambda it: it[:2])]


def negotiated(accept: str, clock: Clock, *, include: str = "") -> Shape:
    """Return what brings documents into the form that an Accept header asks for.

    `include` is the request's `includeObject`: what stands beside a table's cells.

    Raises:
        NotAcceptable: none of the forms is served.
    """
    for choice in choices(accept):
        if choice.media_type not in _JSON_TYPES:
            continue
        kind, group, version = choice.form
        if not kind:
            return Shape(_as_it_is)
        if group != _META_GROUP or version not in _META_VERSIONS:
            continue
        render = _META_FORMS.get(kind)
        if kind == "Table":
            render = _table_form(clock, include or "Metadata")
        if render is not None:
            is_brief = kind != "Table" or include != "Object"
            return Shape(_versioned(render, version), is_brief=is_brief)
    raise NotAcceptable(accept=accept, served=JSON)


def shape_of(request: Request, clock: Clock) -> Shape:
    """Return the form of one request's answer.

    Raises:
        NotAcceptable: none of the forms that it takes is served.
        ParameterInvalid: `includeObject` is unknown.
    """
    include = request.query.get("includeObject") or ""
    if include not in _INCLUDES:
        reason = "use None, Metadata or Object"
        raise ParameterInvalid(parameter="includeObject", value=include, reason=reason)
    return negotiated(request.headers.get("Accept", ""), clock, include=include)


def _as_it_is(document: Document) -> Document:
    return document


def _table_form(clock: Clock, include: str) -> Render:
    def render(document: Document) -> Document:
        if document.get("kind") == "Status":
            return document
        columns = columns_of(str(document.get("kind", "")))
        return render_table(columns, document, clock.now(), include=include)

    return render


def _versioned(render: Render, version: str) -> Render:
    def versioned(document: Document) -> Document:
        shaped = render(document)
        if shaped is not document:
            shaped["apiVersion"] = f"{_META_GROUP}/{version}"
        return shaped

    return versioned


def _metadata(document: Document) -> Document:
    if document.get("kind") == "Status":
        return document
    return partial_metadata_list(document) if is_list(document) else partial_metadata(document)


_META_FORMS: dict[str, Render] = {
    "PartialObjectMetadata": _metadata,
    "PartialObjectMetadataList": _metadata,
}


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
