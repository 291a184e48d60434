"""Entries of the change log as events: pushes and deletions cost nothing to tell of."""

import msgspec

from atomic_registry.content.streams import StreamRecord
from atomic_registry.events.ports import Change
from atomic_registry.kube.objects import ObjectMeta, timestamp
from atomic_registry.resources.event_records import Event, InvolvedObject
from atomic_registry.resources.images.views import uid_of
from atomic_registry.resources.kinds import IMAGE, api_version

_FACTS = msgspec.json.Decoder(dict[str, str])
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024
_TOLD = {
    "created": ("Created", "Image stream created"),
    "pushed": ("Pushed", "Image {digest}{size} pushed"),
    "tagged": ("Tagged", "Tag {tag} set to image {digest}"),
    "untagged": ("Untagged", "Tag {tag} removed"),
    "deleted": ("Deleted", "Image {digest} deleted"),
    "removed": ("Deleted", "Image stream deleted"),
}
_PUSHED_TAG = ("Pushed", "Tag {tag} with image {digest}{size} pushed")


def event_of(change: Change, *, uid: str = "") -> Event | None:
    """Return the event that a change of a repository is; None if nobody looks for it.

    `uid` is that of the repository's stream, empty where it is gone.
    """
    told = _tell(change)
    if told is None:
        return None
    reason, message = told
    moment = timestamp(change.at)
    return Event(
        metadata=ObjectMeta(
            name=f"{change.name}.{change.revision:016x}",
            namespace=change.namespace,
            uid=uid_of("event", str(change.revision)),
            resource_version=str(change.revision),
            creation_timestamp=moment,
        ),
        involved_object=stream_reference(change.namespace, change.name, uid),
        reason=reason,
        message=f"{message} by {change.actor}",
        first_timestamp=moment,
        last_timestamp=moment,
        count=1,
    )


def stream_reference(namespace: str, name: str, uid: str) -> InvolvedObject:
    """Return the reference to an image stream."""
    return InvolvedObject(
        api_version=api_version(IMAGE),
        kind=StreamRecord.kind,
        namespace=namespace,
        name=name,
        uid=uid,
    )


def _tell(change: Change) -> tuple[str, str] | None:
    facts = _FACTS.decode(change.body)
    is_push = change.verb == "tagged" and "size" in facts
    told = _PUSHED_TAG if is_push else _TOLD.get(change.verb)
    if told is None:
        return None
    reason, template = told
    tag, digest = facts.get("tag", ""), facts.get("digest", "")
    return reason, template.format(tag=tag, digest=digest, size=_size(facts))


def _size(facts: dict[str, str]) -> str:
    """Return the size in words; an index has none of its own."""
    size = float(facts.get("size", "0"))
    if not size:
        return ""
    unit = 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size, unit = size / _STEP, unit + 1
    return f" ({size:.4g} {_UNITS[unit]})"
