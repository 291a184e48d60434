"""Image streams and their tags: the part of them that clients write, and how it is shown.

Source: OpenShift API, group `image.openshift.io/v1`.
"""

from typing import ClassVar

import msgspec

from atomic_registry.content.streams import STREAM_TAG, ImageRecord, StreamSpec, TagReference
from atomic_registry.kube.objects import KubeObject, ObjectMeta
from atomic_registry.resources.strategies import Cause, Document, Strategy

MANAGED = "openshift.io/image.managed"
"""The annotation of every image that the registry itself holds."""
_YES = "true"
_OF_CONTENT = "it is what was pushed and cannot be changed; labels and annotations can"
_OF_SIGNATURES = "create and delete imagesignatures instead"


class StreamTagForm(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """What clients write of a tag: its annotations, and what it is made from."""

    plural: ClassVar[str] = "imagestreamtags"
    kind: ClassVar[str] = STREAM_TAG
    namespaced: ClassVar[bool] = True

    tag: TagReference | None = None


class LayerForm(msgspec.Struct, rename="camel"):
    """A layer of an image."""

    name: str = ""
    size: int = 0
    media_type: str = ""


class ImageForm(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """An image, named by the digest of its manifest."""

    plural: ClassVar[str] = ImageRecord.plural
    kind: ClassVar[str] = ImageRecord.kind

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    docker_image_reference: str = ""
    docker_image_metadata: dict[str, object] = msgspec.field(default_factory=dict)
    docker_image_metadata_version: str = ""
    docker_image_manifest: str = ""
    docker_image_manifest_media_type: str = ""
    docker_image_manifests: list[dict[str, object]] = msgspec.field(default_factory=list)
    docker_image_config: str = ""
    docker_image_layers: list[LayerForm] = msgspec.field(default_factory=list)
    signatures: list[dict[str, object]] = msgspec.field(default_factory=list)


class ImageStrategy(Strategy):
    """Labels and annotations are anybody's who may; everything else is the content's."""

    def causes(self, item: KubeObject, old: KubeObject | None) -> list[Cause]:
        if not isinstance(item, ImageForm) or not isinstance(old, ImageForm):
            return []
        given, live = msgspec.to_builtins(item), msgspec.to_builtins(old)
        # Lists leave the raw documents out, and what is left out is not asked to change.
        causes = [
            (field, _OF_SIGNATURES if field == "signatures" else _OF_CONTENT)
            for field in given
            if field != "metadata" and given[field] != live.get(field)
        ]
        if item.metadata.annotations.get(MANAGED, _YES) != _YES:
            causes.append((f"metadata.annotations[{MANAGED}]", "it is always true here"))
        return causes


class StreamStrategy(Strategy):
    """The status comes from the content; who writes it writes nothing."""

    def read(self, document: Document, group: str) -> Document:
        document.pop("status", None)
        return document

    def show(self, document: Document, group: str) -> Document:
        spec = msgspec.convert(document.get("spec", {}), StreamSpec)
        return document | {"spec": show_spec(spec)}


class StreamTagStrategy(Strategy):
    """The image and what the stream says come from elsewhere."""

    def read(self, document: Document, group: str) -> Document:
        for name in ("image", "generation", "lookupPolicy", "conditions"):
            document.pop(name, None)
        return document


def show_spec(spec: StreamSpec) -> Document:
    """Return a spec with what clients expect to be there."""
    shown: Document = {"lookupPolicy": {"local": spec.lookup_policy.local}}
    if spec.docker_image_repository:
        shown["dockerImageRepository"] = spec.docker_image_repository
    if spec.tags:
        shown["tags"] = [show_tag_reference(tag) for tag in spec.tags]
    return shown


def show_tag_reference(tag: TagReference) -> Document:
    """Return one tag of a spec with what clients expect to be there."""
    document: Document = msgspec.to_builtins(tag)
    defaults: Document = {
        "importPolicy": {},
        "referencePolicy": {"type": tag.reference_policy.type},
    }
    return defaults | document
