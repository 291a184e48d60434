"""What limit ranges and quotas of a project allow; rules without any I/O.

Sources: Kubernetes `v1` LimitRange and ResourceQuota; the names of resources are OpenShift
Origin's, but for the bytes of a project, which it could not limit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from atomic_registry.errors import QuotaExceeded
from atomic_registry.identity.records import LimitRange, ResourceQuota
from atomic_registry.kube.quantity import parse_amount
from atomic_registry.oci.digest import Digest

IMAGE_LIMIT = "openshift.io/Image"
STREAM_LIMIT = "openshift.io/ImageStream"
STORAGE = "storage"
"""Bytes of the config and the layers of one image."""
IMAGES = "openshift.io/images"
"""Manifests in one repository."""
TAGS = "openshift.io/image-tags"
"""Tags of one stream, with those that are only described."""
STREAMS = "openshift.io/imagestreams"
"""Streams of a project."""
BYTES = "atomic-registry/bytes"
"""Bytes of a project: each blob in its repositories counts once."""

LIMITED: dict[str, frozenset[str]] = {
    IMAGE_LIMIT: frozenset({STORAGE}),
    STREAM_LIMIT: frozenset({IMAGES, TAGS}),
}
"""Type of a limit range's entry -> the resources that it may limit."""
QUOTAS = frozenset({STREAMS, BYTES})
"""Resources that a quota may limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The most of one resource; `by` is the object that says so, such as `resourcequota team`.

    `written` is the amount as the object has it.
    """

    by: str
    resource: str
    most: int
    written: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectLimits:
    """Everything that binds a project; where several objects bind a resource, all of them do."""

    project: str
    bounds: tuple[Bound, ...] = ()

    def binds(self, *resources: str) -> bool:
        """Tell whether any of the resources is limited."""
        return any(bound.resource in resources for bound in self.bounds)

    def require(self, resource: str, *, used: int, added: int) -> None:
        """Return if there may be so much more; what is there already is never refused.

        Raises:
            QuotaExceeded: it would be more than an object allows.
        """
        if added <= 0:
            return
        for bound in self.bounds:
            if bound.resource == resource and used + added > bound.most:
                raise QuotaExceeded(
                    project=self.project,
                    by=bound.by,
                    resource=resource,
                    requested=str(added),
                    used=str(used),
                    limited=bound.written,
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How large a blob may get that is on its way into a project."""

    limits: ProjectLimits
    used: int

    @property
    def most(self) -> int:
        """The greatest size."""
        return min(
            max(bound.most - (self.used if bound.resource == BYTES else 0), 0)
            for bound in self.limits.bounds
        )

    def require(self, size: int) -> None:
        """Return if the blob may have so many bytes.

        Raises:
            QuotaExceeded: it may not.
        """
        self.limits.require(STORAGE, used=0, added=size)
        self.limits.require(BYTES, used=self.used, added=size)


class Usage(Protocol):
    """How much there is of what can be limited, counted now, and what limits it."""

    def limits(self, project: str, *, lock: bool) -> list[LimitRange | ResourceQuota]:
        """Return the project's limit ranges and quotas.

        With a lock nobody else gets them locked until the transaction ends; repositories are
        locked before, never after.
        """
        ...

    def count_streams(self, project: str) -> int:
        """Return how many streams of the project show."""
        ...

    def count_bytes(self, project: str) -> int:
        """Return the size of all blobs that the project's repositories link, each once."""
        ...

    def linked(self, project: str, digests: Sequence[Digest]) -> set[Digest]:
        """Return those of the blobs that a repository of the project links."""
        ...

    def count_images(self, repository_id: int) -> int:
        """Return how many manifests the repository holds."""
        ...

    def count_tags(self, repository_id: int) -> int:
        """Return how many tags of the repository point at a manifest."""
        ...

    def tags_among(self, repository_id: int, names: Sequence[str]) -> set[str]:
        """Return those of the names that are tags pointing at a manifest."""
        ...


def limits_of(project: str, objects: Iterable[LimitRange | ResourceQuota]) -> ProjectLimits:
    """Return what the objects of a project say."""
    bounds: list[Bound] = []
    for item in objects:
        if isinstance(item, ResourceQuota):
            parts = [item.spec.hard]
        else:
            parts = [entry.max for entry in item.spec.limits]
        bounds += [
            Bound(
                by=f"{item.kind.lower()} {item.metadata.name}",
                resource=resource,
                # Whatever cannot be read was refused when the object was written.
                most=parse_amount(value) or 0,
                written=str(value),
            )
            for part in parts
            for resource, value in part.items()
        ]
    return ProjectLimits(project=project, bounds=tuple(bounds))
