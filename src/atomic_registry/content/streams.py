"""Repositories as image streams: what is kept beside the content, and what can be read of both.

A stream is a view of a repository: `team/app` of project `demo` is the stream `team~app`, since
names of objects have no slash. A repository shows as a stream from its first entry in the change
log on; `revision` is that of its newest entry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal, Protocol

import msgspec

from atomic_registry.kube.objects import KubeObject
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import Reference, RepositoryName

STREAM_TAG = "ImageStreamTag"
STREAM_IMAGE = "ImageStreamImage"
DOCKER_IMAGE = "DockerImage"


class ObjectReference(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """What a tag was made from, by kind and name; an empty namespace is the stream's own."""

    kind: str = ""
    name: str = ""
    namespace: str = ""


class ImportPolicy(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """How a tag of another registry is to be imported."""

    insecure: bool = False
    scheduled: bool = False


class ReferencePolicy(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Which address clients are given for a tag: `Source` or `Local`."""

    type: str = "Source"


class LookupPolicy(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Whether short image names of the project may mean this stream."""

    local: bool = False


class TagReference(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """What is wanted of one tag. From another tag of its stream it follows that one."""

    name: str = ""
    annotations: dict[str, str] = {}
    source: ObjectReference | None = msgspec.field(default=None, name="from")
    reference: bool = False
    generation: int | None = None
    import_policy: ImportPolicy = msgspec.field(default_factory=ImportPolicy)
    reference_policy: ReferencePolicy = msgspec.field(default_factory=ReferencePolicy)


class StreamSpec(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """What is wanted of a stream."""

    lookup_policy: LookupPolicy = msgspec.field(default_factory=LookupPolicy)
    docker_image_repository: str = ""
    tags: list[TagReference] = []


class StreamRecord(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """What a stream has that is not content; absent where nobody gave it any."""

    plural: ClassVar[str] = "imagestreams"
    kind: ClassVar[str] = "ImageStream"
    namespaced: ClassVar[bool] = True

    spec: StreamSpec = msgspec.field(default_factory=StreamSpec)


class ImageSignature(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """A signature of an image, named `<digest>@<name>`; `content` is in base64."""

    plural: ClassVar[str] = "imagesignatures"
    kind: ClassVar[str] = "ImageSignature"

    type: str = ""
    content: str = ""


class ImageRecord(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """Labels and annotations of an image, named by its digest; absent where nobody gave it any.

    It goes with the image: when no repository holds that any more.
    """

    plural: ClassVar[str] = "images"
    kind: ClassVar[str] = "Image"


KINDS: tuple[type[KubeObject], ...] = (StreamRecord, ImageSignature, ImageRecord)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A repository as a stream; `record` is the caller's to change."""

    id: int
    name: RepositoryName
    created_at: datetime
    revision: int
    record: StreamRecord | None

    @property
    def namespace(self) -> str:
        """The project."""
        return self.name.project

    @property
    def stream_name(self) -> str:
        """The name of the object."""
        return stream_name_of(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class TagEvent:
    """One move of a tag; `digest` is None where it was removed."""

    id: int
    repository_id: int
    tag: str
    digest: Digest | None
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedDigest:
    """Where a tag of a repository points, since when."""

    repository_id: int
    tag: str
    digest: Digest
    moved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldManifest:
    """A manifest and one repository that holds it."""

    repository: RepositoryName
    digest: Digest
    media_type: str
    body: bytes
    pushed_at: datetime


Lock = Literal["none", "exclusive"]


class Streams(Protocol):
    """Streams by pages and sets; `project` None means all of them."""

    def find(self, name: RepositoryName, *, lock: Lock = "none") -> Stream | None:
        """Return the stream, also one that does not show yet: its revision is 0."""
        ...

    def find_all(self, names: Sequence[RepositoryName]) -> list[Stream]:
        """Return those of the streams that are there."""
        ...

    def list_streams(self, *, project: str | None, after: str, limit: int) -> list[Stream]:
        """Return streams that show, in byte order of the repository's name, after a name."""
        ...

    def list_tags(self, ids: Sequence[int], *, limit: int) -> list[TaggedDigest]:
        """Return tags of these repositories, ordered by repository and tag."""
        ...

    def find_tag(self, repository_id: int, tag: str) -> tuple[TaggedDigest, HeldManifest] | None:
        """Return where the tag points, and what it points at."""
        ...

    def list_tagged(
        self, *, project: str | None, after: tuple[str, str], limit: int
    ) -> list[tuple[TaggedDigest, HeldManifest]]:
        """Return tags in byte order of repository and tag, after a pair."""
        ...

    def list_histories(self, ids: Sequence[int], *, limit: int) -> list[TagEvent]:
        """Return up to `limit` of the newest moves of each tag of these repositories.

        Newest first; what is left of tags that are gone is left out.
        """
        ...

    def list_history(
        self, repository_id: int, tags: Sequence[str], *, limit: int
    ) -> list[TagEvent]:
        """Return up to `limit` of the newest moves of each of the tags, newest first."""
        ...

    def list_removals(self, repository_id: int, *, limit: int) -> list[TagEvent]:
        """Return the newest removals of tags that are still absent."""
        ...

    def list_manifests(self, repository_id: int, *, prefix: str, limit: int) -> list[HeldManifest]:
        """Return manifests of the repository whose digests begin so, in order of digest."""
        ...

    def list_images(self, *, after: str, limit: int) -> list[HeldManifest]:
        """Return each manifest of the registry once, in order of digest, after a digest."""
        ...

    def find_image(self, digest: Digest) -> HeldManifest | None:
        """Return the manifest from one of the repositories that hold it."""
        ...


class Images(Protocol):
    """Manifests by digest, wherever they are held."""

    def list_holders(self, digest: Digest, *, limit: int) -> list[RepositoryName]:
        """Return repositories that hold the manifest, the one that has held it longest first."""
        ...

    def list_uses(self, repository_id: int, digest: Digest, *, limit: int) -> list[Reference]:
        """Return tags of the repository that point at the manifest, and indexes that list it."""
        ...

    def list_digests(self, repository_id: int, *, limit: int) -> list[Digest]:
        """Return manifests of the repository in order of digest."""
        ...

    def list_described(self, digests: Sequence[Digest]) -> list[Digest]:
        """Return those of the digests that have a record."""
        ...


def stream_name_of(repository: RepositoryName) -> str:
    """Return what the repository is called as an object of its project."""
    return repository.value.partition("/")[2].replace("/", "~")


def repository_of(namespace: str, stream: str) -> RepositoryName:
    """Return the repository of a stream.

    Raises:
        NameInvalid: no repository can have the name.
    """
    return RepositoryName.parse(f"{namespace}/{stream.replace('~', '/')}")
