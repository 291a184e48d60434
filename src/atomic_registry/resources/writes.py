"""What a write is made of: who writes what where, how, and what came of it."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from atomic_registry.identity.actors import Actor
from atomic_registry.kube.managed_fields import Manager
from atomic_registry.kube.shapes import Document
from atomic_registry.resources.kinds import Place


class PatchType(Enum):
    """How a patch says what it changes."""

    JSON = "json"
    MERGE = "merge"
    STRATEGIC = "strategic"
    APPLY = "apply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """What a client sent, parsed; the body is checked against its type when it is applied."""

    type: PatchType
    body: object


class FieldValidation(Enum):
    """What happens when a document has fields that its kind does not know."""

    IGNORE = "Ignore"
    WARN = "Warn"
    STRICT = "Strict"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """Who writes, and how strictly the document is read; `force` is for applies."""

    manager: str = "unknown"
    force: bool = False
    validation: FieldValidation = FieldValidation.WARN


class Documents(Protocol):
    """The part of a collection that writes need."""

    async def get(self, place: Place, name: str) -> Document:
        """Return one object, or raise `ObjectUnknown`."""
        ...

    async def create(self, actor: Actor, place: Place, document: Document) -> Document:
        """Store a new object, or raise `AlreadyExists`."""
        ...

    async def update(self, actor: Actor, place: Place, name: str, document: Document) -> Document:
        """Replace an object of the document's resource version, or raise `StaleRevision`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a write led to; `warnings` are for the person who asked for it."""

    document: Document
    is_new: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The object that a request is about, and who asks how."""

    objects: Documents
    actor: Actor
    place: Place
    name: str
    options: WriteOptions
    now: str

    @property
    def kind(self) -> str:
        return self.place.resource.kind

    def manager(self, operation: str) -> Manager:
        return Manager(
            name=self.options.manager, operation=operation, api_version=self.place.api_version
        )


def metadata_of(document: Document) -> Document:
    """Return the metadata of a document, empty where there is none."""
    metadata = document.get("metadata")
    return metadata if isinstance(metadata, dict) else {}
