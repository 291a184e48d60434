"""Which fields of a document its kind does not know, and what a document looks like once stored."""

from collections.abc import Iterator

import msgspec
from msgspec import inspect

from atomic_registry.errors import ObjectInvalid
from atomic_registry.resources.documents import read_object, show_object, without_nulls
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.strategies import Document

# Fields of Kubernetes' metadata that are not kept here; clients send them as a matter of course.
_META = frozenset(
    {"selfLink", "finalizers", "ownerReferences", "deletionGracePeriodSeconds", "managedFields"}
)
_MAX_UNKNOWN = 50


def stored_form(place: Place, document: Document) -> Document:
    """Return the document as the API would show it once it is stored.

    Raises:
        ObjectInvalid: it breaks the form of its kind.
    """
    if place.resource.stored is None:
        return document
    return show_object(place, read_object(place, document))


def says_the_same(place: Place, one: Document, other: Document) -> bool:
    """Tell whether storing either leads to the same object; what is never shown counts too."""
    if place.resource.stored is None:
        return one == other
    return _content(place, one) == _content(place, other)


def unknown_fields(place: Place, document: Document) -> list[str]:
    """Return the paths of fields that the kind does not know; they would be dropped."""
    if place.resource.stored is None:
        return []
    plain = without_nulls(document)
    assert isinstance(plain, dict)  # noqa: S101 - it was one
    try:
        shown = stored_form(place, document)
    except ObjectInvalid:
        # The write itself says what is wrong.
        return []
    known = {"kind", "apiVersion"} | _META_PATHS | set(_names(shown, ""))
    known |= _consumed(place, plain)
    found: list[str] = []
    for path, names in _unknown(inspect.type_info(place.resource.stored), plain, "", ""):
        if names not in known and len(found) < _MAX_UNKNOWN:
            found.append(path)
    return found


def without_unknown(document: Document, unknown: list[str]) -> Document:
    """Return the document without these fields, as far as they are not within lists."""
    result = document
    for path in unknown:
        result = _dropped(result, path.split("."))
    return result


_META_PATHS = {f"metadata.{name}" for name in _META}


def _content(place: Place, document: Document) -> object:
    body = msgspec.to_builtins(read_object(place, document))
    metadata = {
        key: value
        for key, value in body["metadata"].items()
        if key not in {"managedFields", "resourceVersion"}
    }
    return body | {"metadata": metadata}


def _consumed(place: Place, document: Document) -> set[str]:
    """Return the fields that the kind's strategy turns into others."""
    before = dict(document)
    after = place.resource.strategy.read(dict(document), place.group)
    return {key for key in before if key not in after}


def _unknown(form: inspect.Type, value: object, path: str, names: str) -> Iterator[tuple[str, str]]:
    """Yield where the fields stand, and the same without positions in lists."""
    match form:
        case inspect.StructType() if isinstance(value, dict):
            members = {field.encode_name: field.type for field in form.fields}
            for key, member in value.items():
                here = f"{path}.{key}" if path else key
                named = f"{names}.{key}" if names else key
                if key not in members:
                    yield here, named
                else:
                    yield from _unknown(members[key], member, here, named)
        case inspect.ListType() | inspect.VarTupleType() if isinstance(value, list):
            for at, item in enumerate(value):
                yield from _unknown(form.item_type, item, f"{path}[{at}]", names)
        case inspect.UnionType():
            for option in form.types:
                yield from _unknown(option, value, path, names)
        case _:
            return


def _names(value: object, names: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, member in value.items():
            here = f"{names}.{key}" if names else key
            yield here
            yield from _names(member, here)
    elif isinstance(value, list):
        for item in value:
            yield from _names(item, names)


def _dropped(document: Document, steps: list[str]) -> Document:
    first, *rest = steps
    if not rest:
        return {key: value for key, value in document.items() if key != first}
    member = document.get(first)
    return document | {first: _dropped(member, rest)} if isinstance(member, dict) else document
