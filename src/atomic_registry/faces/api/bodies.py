"""Reads what clients send: documents within a limit, each key once; and options of lists."""

import json
from collections.abc import Collection, Sequence
from typing import NoReturn, TypeVar

import msgspec

from atomic_registry.errors import BodyInterrupted, ObjectInvalid, ParameterInvalid, TooLarge
from atomic_registry.errors import Unsupported as UnsupportedForm
from atomic_registry.faces.api.yaml_bodies import parse_yaml
from atomic_registry.kube import protobuf
from atomic_registry.resources.documents import without_nulls
from atomic_registry.resources.paging import ListOptions
from atomic_registry.resources.selectors import parse_field_selector, parse_label_selector
from atomic_registry.resources.writes import Patch, PatchType
from atomic_registry.web.messages import Query, Request

Document = dict[str, object]
T = TypeVar("T")

MAX_BYTES = 3 * 512 * 1024
_JSON_TYPES = ("", "application/json")
_YAML_TYPES = ("application/yaml", "application/x-yaml")
_UNSERVED = ("watch", "fieldSelector", "dryRun")
PATCH_TYPES = {
    "application/json-patch+json": PatchType.JSON,
    "application/merge-patch+json": PatchType.MERGE,
    "application/strategic-merge-patch+json": PatchType.STRATEGIC,
    "application/apply-patch+yaml": PatchType.APPLY,
}


async def read_document(request: Request) -> Document:
    """Return the object of the body, JSON or YAML; an absent body is an empty one.

    Raises:
        Unsupported: the body is announced as something else.
        TooLarge: it is longer than an object may be.
        ParameterInvalid: it is no object, or a key stands twice in one.
    """
    content = await _read_bytes(request)
    if not content:
        return {}
    media_type = _media_type(request)
    if media_type == protobuf.MEDIA_TYPE:
        return _parse_protobuf(content)
    if media_type not in (*_JSON_TYPES, *_YAML_TYPES):
        raise UnsupportedForm(what="a body of this type", hint="send application/json")
    tree = await _parse(content, is_yaml=media_type in _YAML_TYPES)
    if not isinstance(tree, dict):
        raise _bad_body("it must be one JSON object")
    return tree


async def read_patch(request: Request) -> Patch:
    """Return the patch in the body.

    Raises:
        Unsupported: it is no patch of a known type.
        TooLarge: it is longer than an object may be.
        ParameterInvalid: it cannot be read.
    """
    patch_type = PATCH_TYPES.get(_media_type(request))
    if patch_type is None:
        hint = f"send {', '.join(PATCH_TYPES)}"
        raise UnsupportedForm(what="a patch of this type", hint=hint)
    content = await _read_bytes(request)
    body = await _parse(content, is_yaml=patch_type is PatchType.APPLY)
    return Patch(type=patch_type, body=body)


def read_as(document: Document, form: type[T], kind: str) -> T:
    """Return the document as a value of a form.

    Raises:
        ObjectInvalid: a field has the wrong type.
    """
    try:
        return msgspec.convert(without_nulls(document), form)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        cause = (path.strip("`.") or "document", message)
        raise ObjectInvalid(kind=kind, name="", causes=[cause]) from error


def read_list_options(query: Query, fields: Collection[str] = ()) -> ListOptions:
    """Return the options of a list; `fields` are those that the kind is selected by.

    Name and namespace need not be among them.

    Raises:
        ParameterInvalid: one of them is not served or cannot be read.
    """
    refuse_unserved(query, ("watch",))
    return ListOptions(
        limit=read_limit(query),
        continue_token=query.get("continue") or "",
        labels=parse_label_selector(query.get("labelSelector") or ""),
        fields=parse_field_selector(query.get("fieldSelector") or "", fields),
    )


def read_limit(query: Query) -> int:
    """Return how many items are asked for, 0 for no limit.

    Raises:
        ParameterInvalid: it is not a number.
    """
    text = query.get("limit") or "0"
    if not (text.isascii() and text.isdigit()):
        raise ParameterInvalid(
            parameter="limit", value=text, reason="it must be a number, 0 or more"
        )
    return int(text[:9])


async def _parse(content: bytes, *, is_yaml: bool) -> object:
    # What command lines apply is JSON, which is also YAML; our YAML reader is much slower.
    if is_yaml and not content.lstrip().startswith(b"{"):
        return await parse_yaml(content)
    return _parse_json(content)


def _parse_protobuf(content: bytes) -> Document:
    try:
        return protobuf.decode(content)
    except ValueError as error:
        # As above; the decoder's own words name no content, but those of text codecs do.
        raise _bad_body("it is not the binary form of an object that is known here") from error


def _parse_json(content: bytes) -> object:
    try:
        # The strict decoder refuses what the lenient one lets through (bad UTF-8, lone
        # surrogates); only the lenient one can see duplicate keys.
        msgspec.json.decode(content)
        tree: object = json.loads(
            content, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise _bad_body("it is nested too deeply") from None
    except ValueError as error:
        # Parts of the body may be secret, so the message names none of it.
        raise _bad_body("it is not JSON, or a key stands twice") from error
    if "\\u0000" in content.decode():
        raise _bad_body("it may not contain the character U+0000")
    return tree


def _media_type(request: Request) -> str:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def refuse_unserved(query: Query, names: Sequence[str] = _UNSERVED) -> None:
    """Refuse options that change what a request means and would be ignored.

    Raises:
        ParameterInvalid: one of them is there.
    """
    for name in names:
        value = query.get(name)
        if value not in {None, "", "0", "false"}:
            raise ParameterInvalid(
                parameter=name, value=value or "", reason="this server does not offer it"
            )


async def _read_bytes(request: Request) -> bytes:
    body = request.body
    if body.length is not None and body.length > MAX_BYTES:
        raise TooLarge(what="the object", limit=MAX_BYTES)
    pieces, received = [], 0
    async for piece in body:
        received += len(piece)
        if received > MAX_BYTES:
            raise TooLarge(what="the object", limit=MAX_BYTES)
        pieces.append(piece)
    if body.length is not None and received != body.length:
        raise BodyInterrupted(received=received)
    return b"".join(pieces)


def _unique_keys(pairs: list[tuple[str, object]]) -> Document:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return result


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(text)


def _bad_body(reason: str) -> ParameterInvalid:
    return ParameterInvalid(parameter="the body", value="JSON", reason=reason)
