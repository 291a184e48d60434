"""Schemas of objects from their types, with plain names in `$ref`.

`kube/openapi.py` turns them into the form of each version. Source: the `x-kubernetes-` extensions
that `kubectl explain` and `kubectl apply` read.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import inspect as types

from atomic_registry.kube.objects import ObjectMeta

Document = dict[str, object]

META_PREFIX = "io.k8s.apimachinery.pkg.apis.meta.v1"
OBJECT_META = f"{META_PREFIX}.ObjectMeta"
LIST_META = f"{META_PREFIX}.ListMeta"
STATUS = f"{META_PREFIX}.Status"
DELETE_OPTIONS = f"{META_PREFIX}.DeleteOptions"
PATCH = f"{META_PREFIX}.Patch"
WATCH_EVENT = f"{META_PREFIX}.WatchEvent"
RESOURCE_LIST = f"{META_PREFIX}.APIResourceList"
GVK = "x-kubernetes-group-version-kind"
REF = "$ref"
_API_VERSION = "The version of the schema that the object keeps to."
_KIND = "The kind of the object."
_PLAIN_TYPES: Mapping[type[types.Type], Document] = {
    types.StrType: {"type": "string"},
    types.BoolType: {"type": "boolean"},
    types.IntType: {"type": "integer", "format": "int64"},
    types.FloatType: {"type": "number"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What types do not say: descriptions, and how lists merge.

    Keys are `Type.field`, or `field` alone for all types; values of `lists` are the merge keys
    of a list that is a map, `set`, or `atomic`.
    """

    descriptions: Mapping[str, str]
    lists: Mapping[str, str] = field(default_factory=dict)


class SchemaBuilder:
    """Collects the schemas of one group: `definitions`, by their full names."""

    def __init__(self, prefix: str, words: Words) -> None:
        self.definitions: dict[str, Document] = {}
        self._prefix = prefix
        self._words = words

    def add_kind(self, form: type[msgspec.Struct], kind: str, gvks: Sequence[Document]) -> str:
        """Add an object that has a kind of its own; return the name of its schema."""
        name = f"{self._prefix}.{kind}"
        schema = self._struct(form, kind)
        properties = {
            "apiVersion": {"type": "string", "description": _API_VERSION},
            "kind": {"type": "string", "description": _KIND},
        }
        own = schema.get("properties")
        assert isinstance(own, dict)  # noqa: S101 - as it is made
        schema["properties"] = properties | own
        schema[GVK] = list(gvks)
        self.definitions[name] = schema
        return name

    def add_list(self, kind: str, item: str, gvks: Sequence[Document]) -> str:
        """Add the list of a kind; return the name of its schema."""
        name = f"{self._prefix}.{kind}List"
        self.definitions[name] = {
            "type": "object",
            "description": f"A list of objects of kind {kind}.",
            "required": ["items"],
            "properties": {
                "apiVersion": {"type": "string", "description": _API_VERSION},
                "kind": {"type": "string", "description": _KIND},
                "metadata": {REF: LIST_META},
                "items": {"type": "array", "items": {REF: item}},
            },
            GVK: list(gvks),
        }
        return name

    def _struct(self, form: type[msgspec.Struct], name: str) -> Document:
        info = types.type_info(form)
        assert isinstance(info, types.StructType)  # noqa: S101 - a struct's
        schema: Document = {
            "type": "object",
            "description": _first_sentences(form),
            "properties": {
                each.encode_name: self._property(name, each.encode_name, each.type)
                for each in info.fields
            },
        }
        required = [each.encode_name for each in info.fields if each.required]
        required = [each for each in required if each != "metadata"]
        return schema | {"required": required} if required else schema

    def _property(self, owner: str, name: str, kind: types.Type) -> Document:
        schema = self._schema(kind)
        descriptions, lists = self._words.descriptions, self._words.lists
        text = descriptions.get(f"{owner}.{name}") or descriptions.get(name)
        if text:
            schema = schema | {"description": text}
        if schema.get("type") == "array":
            schema = schema | _merging(lists.get(f"{owner}.{name}") or lists.get(name, "atomic"))
        return schema

    def _schema(self, kind: types.Type) -> Document:
        match kind:
            case types.ListType() | types.VarTupleType():
                return {"type": "array", "items": self._schema(kind.item_type)}
            case types.DictType():
                return {"type": "object", "additionalProperties": self._schema(kind.value_type)}
            case types.UnionType():
                return self._union(kind)
            case types.StructType():
                return {REF: self._reference(kind.cls)}
            case _:
                plain = _PLAIN_TYPES.get(type(kind))
                return dict(plain or {"x-kubernetes-preserve-unknown-fields": True})

    def _union(self, kind: types.UnionType) -> Document:
        members = [each for each in kind.types if not isinstance(each, types.NoneType)]
        if len(members) == 1:
            return self._schema(members[0])
        return {"oneOf": [self._schema(each) for each in members]}

    def _reference(self, form: type[msgspec.Struct]) -> str:
        plain = form.__name__.lstrip("_").removesuffix("Form")
        name = OBJECT_META if form is ObjectMeta else f"{self._prefix}.{plain}"
        if name not in self.definitions:
            # Types may refer to themselves.
            self.definitions[name] = {}
            self.definitions[name] = self._struct(form, plain)
        return name


def common_definitions(words: Words) -> dict[str, Document]:
    """Return the schemas that every group uses."""
    builder = SchemaBuilder(META_PREFIX, words)
    holder = msgspec.defstruct("Holder", [("metadata", ObjectMeta)])
    builder.add_kind(holder, "Holder", ())
    del builder.definitions[f"{META_PREFIX}.Holder"]
    for name, (description, properties, required) in _FIXED.items():
        shown: Document = {
            "type": "object",
            "description": description,
            "properties": properties,
        }
        builder.definitions[name] = shown | ({"required": list(required)} if required else {})
    # A JSON patch is a list, and the object of an event is of any kind.
    builder.definitions[PATCH] = {
        "description": "A change of an object, in the form that the media type names."
    }
    return builder.definitions


_TEXT: Document = {"type": "string"}
_TEXTS: Document = {"type": "array", "items": _TEXT}
_FLAG: Document = {"type": "boolean"}
_NUMBER: Document = {"type": "integer"}


def _object(**properties: Document) -> Document:
    return {"type": "object", "properties": properties}


_CAUSES: Document = {"type": "array", "items": _object(reason=_TEXT, message=_TEXT, field=_TEXT)}
_RESOURCE = _object(
    name=_TEXT, singularName=_TEXT, namespaced=_FLAG, kind=_TEXT, group=_TEXT, version=_TEXT,
    verbs=_TEXTS, shortNames=_TEXTS, categories=_TEXTS, storageVersionHash=_TEXT,
)  # fmt: skip
_FIXED: Mapping[str, tuple[str, Mapping[str, Document], Sequence[str]]] = {
    LIST_META: (
        "Metadata of a list.",
        {"resourceVersion": _TEXT, "continue": _TEXT, "remainingItemCount": _NUMBER},
        (),
    ),
    STATUS: (
        "What became of a request that returns no object.",
        {
            "apiVersion": _TEXT,
            "kind": _TEXT,
            "metadata": {"type": "object"},
            "status": _TEXT,
            "message": _TEXT,
            "reason": _TEXT,
            "details": _object(
                name=_TEXT, group=_TEXT, kind=_TEXT, uid=_TEXT, causes=_CAUSES,
                retryAfterSeconds=_NUMBER,
            ),
            "code": _NUMBER,
        },
        ("status", "code"),
    ),
    DELETE_OPTIONS: (
        "What holds for a deletion.",
        {
            "apiVersion": _TEXT,
            "kind": _TEXT,
            "gracePeriodSeconds": _NUMBER,
            "propagationPolicy": _TEXT,
            "orphanDependents": _FLAG,
            "preconditions": _object(uid=_TEXT, resourceVersion=_TEXT),
            "dryRun": _TEXTS,
        },
        (),
    ),
    WATCH_EVENT: (
        "A change that a watch tells of.",
        {"type": _TEXT, "object": {"type": "object"}},
        ("type", "object"),
    ),
    RESOURCE_LIST: (
        "The resources of a group.",
        {
            "apiVersion": _TEXT,
            "kind": _TEXT,
            "groupVersion": _TEXT,
            "resources": {"type": "array", "items": _RESOURCE},
        },
        ("groupVersion", "resources"),
    ),
}  # fmt: skip


def _merging(kind: str) -> Document:
    if kind in {"atomic", "set"}:
        return {"x-kubernetes-list-type": kind}
    keys = kind.split(",")
    return {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": keys,
        "x-kubernetes-patch-strategy": "merge",
        "x-kubernetes-patch-merge-key": keys[0],
    }


def _first_sentences(form: type[msgspec.Struct]) -> str:
    text = inspect.getdoc(form) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("`", "")
