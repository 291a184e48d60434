"""What each sort of write makes of a document, and of the entries of its managers."""

import msgspec

from atomic_registry.errors import (
    ObjectInvalid,
    ParameterInvalid,
    PatchFailed,
    TooLarge,
)
from atomic_registry.kube.apply import (
    compare,
    merge_applied,
    own_applied,
    owned_before,
    refuse_conflicts,
    track,
)
from atomic_registry.kube.managed_fields import (
    APPLY,
    UPDATE,
    FieldSet,
    ManagedEntry,
    field_set,
    read_managed,
    show_managed,
)
from atomic_registry.kube.patch import MAX_RESULT, json_patch, merge_patch
from atomic_registry.kube.shapes import Document
from atomic_registry.kube.strategic import strategic_merge
from atomic_registry.resources.documents import without_nulls
from atomic_registry.resources.fields import (
    says_the_same,
    stored_form,
    unknown_fields,
)
from atomic_registry.resources.kinds import Place
from atomic_registry.resources.writes import (
    FieldValidation,
    Patch,
    PatchType,
    Target,
    metadata_of,
)

_KUBECTL = "kubectl"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_FORGET: list[Document] = [{}]


def tracked(
    target: Target, live: Document, document: Document
) -> tuple[Document, list[ManagedEntry]]:
    entries = _entries_given(document)
    if entries is None:
        entries = stored_entries(live)
    change = compare(target.kind, live, stored_form(target.place, document))
    return document, track(entries, change, target.manager(UPDATE), target.now)


def applied(
    target: Target, live: Document, config: Document
) -> tuple[Document, list[ManagedEntry]]:
    kind, manager = target.kind, target.manager(APPLY)
    entries = stored_entries(live) or owned_before(kind, live, target.place.api_version, target.now)
    merged = merge_applied(kind, live, config, entries, manager)
    change = compare(kind, live, stored_form(target.place, merged))
    if not target.options.force:
        refuse_conflicts(entries, manager, change.written, _moved_from_annotation(target, live))
    return merged, own_applied(entries, manager, field_set(kind, config), change, target.now)


def _moved_from_annotation(target: Target, live: Document) -> FieldSet:
    """Return the fields that kubectl's own applies have set and nobody has changed since.

    Its server-side apply may take them over from its client-side apply.
    """
    annotations = metadata_of(live).get("annotations")
    text = annotations.get(_LAST_APPLIED) if isinstance(annotations, dict) else None
    if target.options.manager != _KUBECTL or not isinstance(text, str):
        return frozenset()
    try:
        last = msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return frozenset()
    change = compare(target.kind, live, last)
    return field_set(target.kind, last) - change.written


def patched(target: Target, patch: Patch, live: Document) -> Document:
    try:
        document = _patched_freely(target.kind, patch, live)
        size = len(msgspec.json.encode(document))
        # It also refuses what is nested more deeply than an object may be.
        without_nulls(document)
    except RecursionError:
        reason = "the document is nested too deeply"
        raise PatchFailed(operation="the patch", reason=reason) from None
    if size > MAX_RESULT:
        raise TooLarge(what="the patched object", limit=MAX_RESULT)
    return document


def _patched_freely(kind: str, patch: Patch, live: Document) -> Document:
    if patch.type is PatchType.JSON:
        return json_patch(live, patch.body)
    if not isinstance(patch.body, dict):
        raise ParameterInvalid(parameter="the patch", value="JSON", reason="it must be an object")
    if patch.type is PatchType.STRATEGIC:
        return strategic_merge(kind, live, patch.body)
    merged = merge_patch(live, patch.body)
    assert isinstance(merged, dict)  # noqa: S101 - both were objects
    return merged


def checked_config(target: Target, body: object) -> Document:
    """Return what is applied, without nulls: nobody can own what is not there."""
    config = without_nulls(body)
    if not isinstance(config, dict):
        raise ParameterInvalid(parameter="the patch", value="YAML", reason="it must be an object")
    causes = []
    if config.get("kind") != target.kind:
        causes.append(("kind", f"it must be {target.kind}"))
    if config.get("apiVersion") != target.place.api_version:
        causes.append(("apiVersion", f"it must be {target.place.api_version}"))
    if metadata_of(config).get("name", target.name) != target.name:
        causes.append(("metadata.name", "it must be the name in the path"))
    if metadata_of(config).get("managedFields"):
        causes.append(("metadata.managedFields", "it may not be applied; leave it out"))
    if causes:
        raise ObjectInvalid(kind=target.kind, name=target.name, causes=causes)
    return config


def validate(place: Place, document: Document, validation: FieldValidation) -> tuple[str, ...]:
    """Return the warnings about unknown fields.

    Raises:
        ParameterInvalid: there are some, and they are to be refused.
    """
    if validation is FieldValidation.IGNORE:
        return ()
    found = tuple(f'unknown field "{path}"' for path in unknown_fields(place, document))
    if found and validation is FieldValidation.STRICT:
        reason = f"strict decoding error: {', '.join(found)}"
        raise ParameterInvalid(parameter="the document", value=place.resource.kind, reason=reason)
    return found


def stored_entries(live: Document) -> list[ManagedEntry]:
    try:
        return read_managed(metadata_of(live).get("managedFields", []))
    except ValueError:
        return []


def _entries_given(document: Document) -> list[ManagedEntry] | None:
    """Return the entries that a client wrote itself, None if it wrote none that can be read."""
    given = metadata_of(document).get("managedFields")
    if not given:
        return None
    try:
        return read_managed(given)
    except ValueError:
        return None


def is_unchanged(
    place: Place, live: Document, document: Document, entries: list[ManagedEntry]
) -> bool:
    given = metadata_of(document).get("resourceVersion", "")
    if given not in {"", metadata_of(live).get("resourceVersion", "")}:
        return False
    if show_managed(entries) != show_managed(stored_entries(live)):
        return False
    uid, name = (metadata_of(document).get(key, "") for key in ("uid", "name"))
    is_it = uid in {"", metadata_of(live).get("uid")} and name in {
        "",
        metadata_of(live).get("name"),
    }
    return is_it and says_the_same(place, live, document)


def with_entries(document: Document, entries: list[ManagedEntry]) -> Document:
    # An empty list would mean that what is stored stays.
    return with_metadata(document, {"managedFields": show_managed(entries) or _FORGET})


def pinned(document: Document, live: Document) -> Document:
    """Let the write succeed only on the version that it was computed from."""
    version = metadata_of(live).get("resourceVersion")
    if metadata_of(document).get("resourceVersion") or not version:
        return document
    return with_metadata(document, {"resourceVersion": version})


def with_metadata(document: Document, values: Document) -> Document:
    return document | {"metadata": metadata_of(document) | values}


def is_pinned(document: object) -> bool:
    return isinstance(document, dict) and bool(metadata_of(document).get("resourceVersion"))
