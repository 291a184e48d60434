"""The services of this package, built on one store."""

from dataclasses import dataclass

from atomic_registry.content.ports import BlobStore
from atomic_registry.resources.images.descriptions import ImageDescriber
from atomic_registry.resources.images.images import ImageService
from atomic_registry.resources.images.registry_images import RegistryImageService
from atomic_registry.resources.images.signatures import SignatureService
from atomic_registry.resources.images.stream_status import StreamStatusService
from atomic_registry.resources.images.stream_tags import StreamTagService
from atomic_registry.resources.images.streams import StreamService
from atomic_registry.resources.images.surroundings import Surroundings


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageServices:
    """What is offered for streams, tags, images and signatures."""

    streams: StreamService
    statuses: StreamStatusService
    tags: StreamTagService
    images: RegistryImageService
    stream_images: ImageService
    signatures: SignatureService
    describer: ImageDescriber


def image_services(around: Surroundings, blobs: BlobStore) -> ImageServices:
    """Build them; configs are read from the blob store."""
    describer = ImageDescriber(around.metadata, blobs, host=around.host)
    return ImageServices(
        streams=StreamService(around),
        statuses=StreamStatusService(around),
        tags=StreamTagService(around, describer),
        images=RegistryImageService(around, describer),
        stream_images=ImageService(around, describer),
        signatures=SignatureService(around),
        describer=describer,
    )
