"""Image streams and their tags: the part of them that clients write, and how it is shown.

Source: OpenShift API, group `image.openshift.io/v1`.
"""

from typing import ClassVar

import msgspec

from atomic_registry.content.streams import STREAM_TAG, StreamSpec, TagReference
from atomic_registry.kube.objects import KubeObject
from atomic_registry.resources.strategies import Document, Strategy


class StreamTagForm(KubeObject, rename="camel", omit_defaults=True, kw_only=True):
    """What clients write of a tag: its annotations, and what it is made from."""

    plural: ClassVar[str] = "imagestreamtags"
    kind: ClassVar[str] = STREAM_TAG
    namespaced: ClassVar[bool] = True

    tag: TagReference | None = None


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
