"""What every Kubernetes-style object has in common.

Source: Kubernetes API conventions, "Objects" and "Metadata".
"""

from datetime import UTC, datetime
from typing import ClassVar

import msgspec

_TO_SECONDS = len("2026-01-01T00:00:00")


class ObjectMeta(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Metadata of one object; `resource_version` is the revision of its last change."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    managed_fields: list[dict[str, object]] = []


class KubeObject(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A stored object. `plural` names its kind in the store and in URLs, `kind` in documents."""

    plural: ClassVar[str]
    kind: ClassVar[str]
    namespaced: ClassVar[bool] = False

    metadata: ObjectMeta


def timestamp(moment: datetime) -> str:
    """Return a time as documents carry it: RFC 3339, UTC, whole seconds."""
    # A list has thousands, and `strftime` takes three times as long.
    return f"{moment.astimezone(UTC).isoformat()[:_TO_SECONDS]}Z"
