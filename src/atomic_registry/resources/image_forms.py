"""The form on the wire of image streams, tags and images."""

import msgspec

from atomic_registry.content.streams import LookupPolicy, StreamRecord
from atomic_registry.kube.objects import ObjectMeta
from atomic_registry.resources.image_strategies import ImageForm, StreamTagForm


class _Form(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)


class TagEventForm(msgspec.Struct, rename="camel"):
    """An image that a tag has named, newest first."""

    created: str = ""
    docker_image_reference: str = ""
    image: str = ""
    generation: int = 0


class StreamTagsForm(msgspec.Struct, rename="camel"):
    """The history of a tag."""

    tag: str = ""
    items: list[TagEventForm] = []


class RemovedTagForm(msgspec.Struct, rename="camel"):
    """A tag that is gone, and what it was, so that it can be had back."""

    tag: str = ""
    removed: str = ""
    items: list[TagEventForm] = []


class StreamStatus(msgspec.Struct, rename="camel"):
    """The address of a stream, and the history of its tags."""

    docker_image_repository: str = ""
    public_docker_image_repository: str = ""
    tags: list[StreamTagsForm] = []
    removed_tags: list[RemovedTagForm] = []


class StreamForm(StreamRecord, rename="camel", omit_defaults=True, kw_only=True):
    """A repository: its tags, what they are made from, and what they were."""

    status: StreamStatus = msgspec.field(default_factory=StreamStatus)


class StreamImageForm(_Form, rename="camel"):
    """An image as a stream has it, named `<stream>@<digest>`."""

    image: ImageForm = msgspec.field(default_factory=ImageForm)


class StreamTagView(StreamTagForm, rename="camel", omit_defaults=True, kw_only=True):
    """A tag of a stream with its image: what it is made from, and what it is."""

    generation: int = 0
    lookup_policy: LookupPolicy = msgspec.field(default_factory=LookupPolicy)
    image: ImageForm = msgspec.field(default_factory=ImageForm)


class BlobForm(msgspec.Struct, rename="camel"):
    """A layer or a configuration that images of a stream share."""

    size: int = 0
    media_type: str = ""


class BlobReferencesForm(msgspec.Struct, rename="camel"):
    """What one image is made of, by digests."""

    layers: list[str] = []
    config: str = ""
    manifests: list[str] = []


class StreamLayersForm(_Form, rename="camel"):
    """What the images of a stream are made of."""

    blobs: dict[str, BlobForm] = {}
    images: dict[str, BlobReferencesForm] = {}
