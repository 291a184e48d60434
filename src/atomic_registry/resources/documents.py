"""Objects in and out: documents of clients become stored objects, and the other way round."""

import msgspec

from atomic_registry.errors import ObjectInvalid
from atomic_registry.kube.objects import KubeObject, ObjectMeta
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.names import label_key_fault, label_value_fault
from atomic_registry.resources.strategies import Cause, Document

_MAX_DEPTH = 50
_MAX_ANNOTATION_BYTES = 256 * 1024
# Everything else in metadata is the system's to write.
_META_FIELDS = (
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "labels",
    "annotations",
    "managedFields",
)


def read_object(place: Place, document: Document) -> KubeObject:
    """Return the object that a client wrote; names are not yet checked.

    Raises:
        ObjectInvalid: it is another kind, of another project, or has fields of the wrong type.
    """
    resource = place.resource
    assert resource.stored is not None  # noqa: S101 - routes exist for stored kinds only
    plain = without_nulls(document)
    assert isinstance(plain, dict)  # noqa: S101 - it was one
    metadata = plain.pop("metadata", {})
    _check_type(place, plain, metadata)
    plain = resource.strategy.read(plain, place.group)
    plain["metadata"] = {key: metadata[key] for key in _META_FIELDS if key in metadata}
    try:
        item = msgspec.convert(plain, resource.stored)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        cause = (path.strip("`.") or "document", message)
        raise ObjectInvalid(kind=resource.kind, name="", causes=[cause]) from error
    item.metadata.namespace = place.namespace
    return item


def show_object(place: Place, item: KubeObject) -> Document:
    """Return the object as clients see it."""
    body = msgspec.to_builtins(item)
    shown = place.resource.strategy.show(body, place.group)
    return {"kind": place.resource.kind, "apiVersion": place.api_version, **shown}


def metadata_causes(meta: ObjectMeta) -> list[Cause]:
    """Return what is wrong with labels and annotations."""
    causes = [
        (f"metadata.labels[{key}]", fault)
        for key, value in meta.labels.items()
        if (fault := label_key_fault(key) or label_value_fault(value))
    ]
    causes += [
        (f"metadata.annotations[{key}]", fault)
        for key in meta.annotations
        if (fault := label_key_fault(key))
    ]
    size = sum(len(key) + len(value.encode()) for key, value in meta.annotations.items())
    if size > _MAX_ANNOTATION_BYTES:
        causes.append(("metadata.annotations", f"at most {_MAX_ANNOTATION_BYTES} bytes in all"))
    return causes


def without_nulls(value: object, depth: int = 0) -> object:
    """Return a copy without null members, which clients of Go send for what is empty.

    Raises:
        ObjectInvalid: it is nested too deeply.
    """
    if depth > _MAX_DEPTH:
        causes = [("document", "it is nested too deeply")]
        raise ObjectInvalid(kind="object", name="", causes=causes)
    if isinstance(value, dict):
        return {
            key: without_nulls(member, depth + 1)
            for key, member in value.items()
            if member is not None
        }
    if isinstance(value, list):
        return [without_nulls(member, depth + 1) for member in value]
    return value


def _check_type(place: Place, document: Document, metadata: object) -> None:
    kind = place.resource.kind
    causes: list[Cause] = []
    if document.pop("kind", kind) != kind:
        causes.append(("kind", f"it must be {kind}"))
    if document.pop("apiVersion", place.api_version) != place.api_version:
        causes.append(("apiVersion", f"it must be {place.api_version}"))
    if not isinstance(metadata, dict):
        causes.append(("metadata", "it must be an object"))
    elif metadata.get("namespace", "") not in {"", place.namespace}:
        causes.append(("metadata.namespace", "it must be the project that the path names"))
    if causes:
        raise ObjectInvalid(kind=kind, name="", causes=causes)
