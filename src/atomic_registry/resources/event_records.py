"""An event as it is shown, and as it is stored where it counts what happened again and again.

Source: Kubernetes API, core group, `Event`.
"""

from typing import ClassVar

import msgspec

from atomic_registry.kube.objects import KubeObject

NORMAL, WARNING = "Normal", "Warning"
PULLED, DENIED = "Pulled", "Denied"
COMPONENT = "atomic-registry"
FIELDS = (
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
)
"""What events are selected by besides their names; those of Kubernetes."""


class InvolvedObject(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """The object that an event is about."""

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


class EventSource(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Who noticed it."""

    component: str = COMPONENT


class Event(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """Something that happened to an object of a project, once or several times."""

    plural: ClassVar[str] = "events"
    kind: ClassVar[str] = "Event"
    namespaced: ClassVar[bool] = True

    involved_object: InvolvedObject = msgspec.field(default_factory=InvolvedObject)
    reason: str = ""
    message: str = ""
    type: str = NORMAL
    source: EventSource = msgspec.field(default_factory=EventSource)
    reporting_component: str = COMPONENT
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    count: int = 0
