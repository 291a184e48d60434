"""What `describe` says of each kind; of those that it does not know, what their documents hold."""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from atomic_registry.cli.documents import Document, document_at, documents_at, text_at, texts_at
from atomic_registry.cli.objects.image_descriptions import image_lines, stream_lines, tag_lines
from atomic_registry.cli.objects.paragraphs import NONE, Pair, aligned, by_key, indented
from atomic_registry.cli.objects.yaml_text import dump_document
from atomic_registry.kube.table import age

Describer = Callable[[Document, datetime], Iterator[Pair | str]]
_KNOWN = frozenset({"apiVersion", "kind", "metadata"})
_DISPLAY_NAME = "openshift.io/display-name"
_DESCRIPTION = "openshift.io/description"
_REQUESTER = "openshift.io/requester"


def described_lines(kind: str, item: Document, now: datetime) -> list[str]:
    """Return the lines that tell of an object."""
    describe = _DESCRIBERS.get(kind, _anything)
    return aligned([*_common(item, now), *describe(item, now)])


def _common(item: Document, now: datetime) -> Iterator[Pair]:
    metadata = document_at(item, "metadata")
    yield "Name", [text_at(metadata, "name")]
    if text_at(metadata, "namespace"):
        yield "Project", [text_at(metadata, "namespace")]
    created = metadata.get("creationTimestamp")
    if created:
        yield "Created", [f"{age(created, now)} ago ({created})"]
    yield "Labels", by_key(document_at(metadata, "labels"))
    yield "Annotations", by_key(document_at(metadata, "annotations"))


def _project(item: Document, _now: datetime) -> Iterator[Pair | str]:
    notes = document_at(item, "metadata", "annotations")
    yield "Display name", [text_at(notes, _DISPLAY_NAME) or NONE]
    yield "Description", [text_at(notes, _DESCRIPTION) or NONE]
    yield "Requested by", [text_at(notes, _REQUESTER) or NONE]
    yield "Status", [text_at(item, "status", "phase") or NONE]


def _secret(item: Document, _now: datetime) -> Iterator[Pair | str]:
    yield "Type", [text_at(item, "type")]
    yield ""
    yield "Data:"
    data = document_at(item, "data")
    yield from indented([(key, [_size(data[key])]) for key in sorted(data)] or [NONE])


def _size(value: object) -> str:
    """Return how long a value is, and nothing else of it."""
    try:
        count = len(base64.b64decode(str(value), validate=True))
    except (binascii.Error, ValueError):
        return "not base64"
    return f"{count} byte{'' if count == 1 else 's'}"


def _role(item: Document, _now: datetime) -> Iterator[Pair | str]:
    yield ""
    yield "Rules:"
    for rule in documents_at(item, "rules"):
        groups = texts_at(rule, "apiGroups")
        named = [f"{it}.{group}" if group else it for it in texts_at(rule, "resources")
                 for group in groups or [""]]  # fmt: skip
        only = texts_at(rule, "resourceNames")
        where = [*named, *texts_at(rule, "nonResourceURLs")]
        suffix = f" (only {', '.join(only)})" if only else ""
        yield f"  {', '.join(texts_at(rule, 'verbs'))}: {', '.join(where)}{suffix}"


def _binding(item: Document, _now: datetime) -> Iterator[Pair | str]:
    role = document_at(item, "roleRef")
    yield "Role", [f"{text_at(role, 'kind')}/{text_at(role, 'name')}"]
    yield ""
    yield "Given to:"
    subjects = documents_at(item, "subjects")
    for subject in subjects:
        within = text_at(subject, "namespace")
        name = text_at(subject, "name")
        yield f"  {text_at(subject, 'kind')} {within}{'/' if within else ''}{name}"
    if not subjects:
        yield f"  {NONE}"


def _quota(item: Document, _now: datetime) -> Iterator[Pair | str]:
    hard = document_at(item, "spec", "hard") or document_at(item, "status", "hard")
    used = document_at(item, "status", "used")
    yield ""
    yield "Used, of what is allowed:"
    rows: list[Pair | str] = [
        (name, [f"{used[name]} of {hard[name]}" if name in used else f"at most {hard[name]}"])
        for name in sorted(hard)
    ]
    yield from indented(rows or [NONE])


def _limits(item: Document, _now: datetime) -> Iterator[Pair | str]:
    yield ""
    yield "Limits:"
    for limit in documents_at(item, "spec", "limits"):
        kind = text_at(limit, "type")
        for edge in ("min", "max", "default"):
            values = document_at(limit, edge)
            for name in sorted(values):
                yield f"  {kind}  {edge} {name}: {values[name]}"


def _robot(item: Document, _now: datetime) -> Iterator[Pair | str]:
    name, project = text_at(item, "metadata", "name"), text_at(item, "metadata", "namespace")
    yield "Known as", [f"system:serviceaccount:{project}:{name}"]
    yield "Disabled", ["yes" if item.get("disabled") is True else "no"]
    yield "Tokens", [f"atomic-registry robots tokens {name} -n {project}"]


def _members(item: Document, _now: datetime) -> Iterator[Pair | str]:
    yield "Users", texts_at(item, "users") or [NONE]


def _user(item: Document, _now: datetime) -> Iterator[Pair | str]:
    yield "Full name", [text_at(item, "fullName") or NONE]
    yield "Identities", texts_at(item, "identities") or [NONE]
    yield "Groups", texts_at(item, "groups") or [NONE]
    yield "Disabled", ["yes" if item.get("disabled") is True else "no"]


def _anything(item: Document, _now: datetime) -> Iterator[Pair | str]:
    rest = {key: value for key, value in item.items() if key not in _KNOWN and value is not None}
    if rest:
        yield ""
        yield from dump_document(rest).splitlines()


_DESCRIBERS: Mapping[str, Describer] = {
    "Project": _project,
    "Namespace": _project,
    "Secret": _secret,
    "Role": _role,
    "ClusterRole": _role,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
    "ResourceQuota": _quota,
    "LimitRange": _limits,
    "ServiceAccount": _robot,
    "Group": _members,
    "User": _user,
    "ImageStream": stream_lines,
    "ImageStreamTag": tag_lines,
    "ImageStreamImage": tag_lines,
    "Image": image_lines,
}
