"""Reads the binary form in which typed clients of Go send objects of Kubernetes' own kinds.

`kubectl create` and `kubectl auth can-i` send it whatever the server says it takes. Answers are
always JSON, which the same clients take as well. Unknown fields are skipped.
Sources: Kubernetes API concepts, "Kubernetes Protobuf encoding"; the `generated.proto` files of
`k8s.io/api` and `k8s.io/apimachinery`; protobuf, "Encoding".
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from atomic_registry.kube.objects import timestamp

Document = dict[str, object]

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10
_MAX_SECONDS = 253_402_300_799

# Message -> its fields: number, name in JSON, type; `*` before the type is a list, `%` a map from
# texts. Where nothing of a message matters here it has no fields.
_MESSAGES = {
    "Unknown": "1 typeMeta Type, 2 raw raw",
    "Type": "1 apiVersion string, 2 kind string",
    "ObjectMeta": (
        "1 name string, 2 generateName string, 3 namespace string, 5 uid string, "
        "6 resourceVersion string, 7 generation int, 8 creationTimestamp time, "
        "9 deletionTimestamp time, 11 labels %string, 12 annotations %string, 14 finalizers *string"
    ),
    "Finalizers": "1 finalizers *string",
    "Phase": "1 phase string",
    "Namespace": "1 metadata ObjectMeta, 2 spec Finalizers, 3 status Phase",
    "Secret": (
        "1 metadata ObjectMeta, 2 data %bytes, 3 type string, 4 stringData %string, "
        "5 immutable bool"
    ),
    "Reference": "3 name string",
    "LocalReference": "1 name string",
    "ServiceAccount": (
        "1 metadata ObjectMeta, 2 secrets *Reference, 3 imagePullSecrets *LocalReference, "
        "4 automountServiceAccountToken bool"
    ),
    "LimitRangeItem": "1 type string, 2 max %quantity, 3 min %quantity",
    "LimitRangeSpec": "1 limits *LimitRangeItem",
    "LimitRange": "1 metadata ObjectMeta, 2 spec LimitRangeSpec",
    "ResourceQuotaSpec": "1 hard %quantity",
    "ResourceQuota": "1 metadata ObjectMeta, 2 spec ResourceQuotaSpec",
    "PolicyRule": (
        "1 verbs *string, 2 apiGroups *string, 3 resources *string, 4 resourceNames *string, "
        "5 nonResourceURLs *string"
    ),
    "Subject": "1 kind string, 2 apiGroup string, 3 name string, 4 namespace string",
    "RoleRef": "1 apiGroup string, 2 kind string, 3 name string",
    "Role": "1 metadata ObjectMeta, 2 rules *PolicyRule",
    "ClusterRole": "1 metadata ObjectMeta, 2 rules *PolicyRule",
    "RoleBinding": "1 metadata ObjectMeta, 2 subjects *Subject, 3 roleRef RoleRef",
    "ClusterRoleBinding": "1 metadata ObjectMeta, 2 subjects *Subject, 3 roleRef RoleRef",
    "BoundObject": "1 kind string, 2 apiVersion string, 3 name string, 4 uid string",
    "TokenRequestSpec": (
        "1 audiences *string, 3 boundObjectRef BoundObject, 4 expirationSeconds int"
    ),
    "TokenRequest": "1 metadata ObjectMeta, 2 spec TokenRequestSpec",
    "TokenReviewSpec": "1 token string, 2 audiences *string",
    "TokenReview": "1 metadata ObjectMeta, 2 spec TokenReviewSpec",
    "SelfSubjectReview": "1 metadata ObjectMeta",
    "ResourceAttributes": (
        "1 namespace string, 2 verb string, 3 group string, 4 version string, 5 resource string, "
        "6 subresource string, 7 name string"
    ),
    "PathAttributes": "1 path string, 2 verb string",
    "SelfSpec": "1 resourceAttributes ResourceAttributes, 2 nonResourceAttributes PathAttributes",
    "Spec": (
        "1 resourceAttributes ResourceAttributes, 2 nonResourceAttributes PathAttributes, "
        "3 user string, 4 groups *string, 6 uid string"
    ),
    "SelfSubjectAccessReview": "1 metadata ObjectMeta, 2 spec SelfSpec",
    "SubjectAccessReview": "1 metadata ObjectMeta, 2 spec Spec",
    "LocalSubjectAccessReview": "1 metadata ObjectMeta, 2 spec Spec",
    "RulesSpec": "1 namespace string",
    "SelfSubjectRulesReview": "1 metadata ObjectMeta, 2 spec RulesSpec",
    "Preconditions": "1 uid string, 2 resourceVersion string",
    "DeleteOptions": (
        "1 gracePeriodSeconds int, 2 preconditions Preconditions, 3 orphanDependents bool, "
        "4 propagationPolicy string, 5 dryRun *string"
    ),
    "Time": "1 seconds int, 2 nanos int",
    "Quantity": "1 string string",
}
_KINDS = frozenset(
    {
        *("Namespace", "Secret", "ServiceAccount", "LimitRange", "ResourceQuota"),
        *("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "DeleteOptions"),
        *("TokenRequest", "TokenReview", "SelfSubjectReview", "SelfSubjectAccessReview"),
        *("SubjectAccessReview", "LocalSubjectAccessReview", "SelfSubjectRulesReview"),
    }
)
_GROUPS = frozenset(
    {
        *("v1", "meta.k8s.io/v1", "rbac.authorization.k8s.io/v1"),
        *("authentication.k8s.io/v1", "authorization.k8s.io/v1"),
    }
)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    type: str
    is_list: bool
    is_map: bool


def _parsed(text: str) -> dict[int, _Field]:
    fields = {}
    for part in text.split(", "):
        number, name, kind = part.split(" ")
        fields[int(number)] = _Field(name, kind.lstrip("*%"), "*" in kind, "%" in kind)
    return fields


_FIELDS = {name: _parsed(text) for name, text in _MESSAGES.items()}


def decode(content: bytes) -> Document:
    """Return the document that an object in the binary form stands for.

    Raises:
        ValueError: it is not well-formed, or of a kind that has no such form here.
    """
    if not content.startswith(_MAGIC):
        raise ValueError("it does not begin as Kubernetes' binary form does")
    outer = _message(memoryview(content)[len(_MAGIC) :], "Unknown")
    head, raw = outer.get("typeMeta", {}), outer.get("raw", memoryview(b""))
    assert isinstance(head, dict)  # noqa: S101 - by its type
    assert isinstance(raw, memoryview)  # noqa: S101 - by its type
    kind, version = head.get("kind", ""), head.get("apiVersion", "")
    if kind not in _KINDS or version not in _GROUPS:
        raise ValueError("objects of this kind are taken as JSON only")
    return {"kind": kind, "apiVersion": version} | _message(raw, str(kind))


def _message(content: memoryview, name: str) -> Document:
    fields, document = _FIELDS[name], Document()
    for number, wire, value in _entries(content):
        field = fields.get(number)
        if field is None:
            continue
        if field.is_map:
            members = document.setdefault(field.name, {})
            assert isinstance(members, dict)  # noqa: S101 - made so
            members.update(_member(_content(wire, value), field.type))
        elif field.is_list:
            items = document.setdefault(field.name, [])
            assert isinstance(items, list)  # noqa: S101 - made so
            items.append(_value(wire, value, field.type))
        else:
            document[field.name] = _value(wire, value, field.type)
    # What typed clients leave empty stands there as an empty text; in JSON they leave it out.
    return {key: value for key, value in document.items() if value not in ("", None)}


def _member(content: memoryview, kind: str) -> dict[str, object]:
    key, value = "", _EMPTY.get(kind, "")
    for number, wire, part in _entries(content):
        if number == 1:
            key = _text(_content(wire, part))
        elif number == 2:
            value = _value(wire, part, kind)
    return {key: value}


_EMPTY: dict[str, object] = {"quantity": "0"}


def _value(wire: int, value: int | memoryview, kind: str) -> object:
    match kind:
        case "int":
            return _signed(_number(wire, value))
        case "bool":
            return _number(wire, value) != 0
        case "string":
            return _text(_content(wire, value))
        case "bytes":
            return base64.b64encode(_content(wire, value)).decode()
        case "raw":
            return _content(wire, value)
        case _:
            return _structured(_content(wire, value), kind)


def _structured(content: memoryview, kind: str) -> object:
    if kind == "quantity":
        return _message(content, "Quantity").get("string", "0")
    if kind == "time":
        seconds = _message(content, "Time").get("seconds", 0)
        if not isinstance(seconds, int) or not 0 < seconds <= _MAX_SECONDS:
            return None
        return timestamp(datetime.fromtimestamp(seconds, UTC))
    return _message(content, kind)


def _entries(content: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Yield number, wire type and value of each field."""
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        wire = tag & 7
        if wire == _VARINT:
            number, at = _varint(content, at)
            yield tag >> 3, wire, number
            continue
        if wire == _BYTES:
            length, at = _varint(content, at)
        elif wire in {_FIXED32, _FIXED64}:
            length = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError("a field has a type that is not in use")
        if length > len(content) - at:
            raise ValueError("it ends in the middle of a field")
        yield tag >> 3, wire, content[at : at + length]
        at += length


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    number = 0
    for position, byte in enumerate(content[at : at + _MAX_VARINT_BYTES]):
        number |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            return number, at + position + 1
    raise ValueError("a number does not end")


def _number(wire: int, value: int | memoryview) -> int:
    if wire != _VARINT or not isinstance(value, int):
        raise ValueError("a field that is a number holds something else")
    return value


def _signed(number: int) -> int:
    number &= 2**64 - 1
    return number - 2**64 if number >= 2**63 else number


def _content(wire: int, value: int | memoryview) -> memoryview:
    if wire != _BYTES or not isinstance(value, memoryview):
        raise ValueError("a field that is a text holds something else")
    return value


def _text(content: memoryview) -> str:
    text = str(content, "utf-8")
    if "\0" in text:
        raise ValueError("a text has the character U+0000")
    return text
