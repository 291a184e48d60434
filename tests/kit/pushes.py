"""Pushes without a registry's face: an image goes straight into the stores."""

from atomic_registry.clock import Clock, SystemClock
from atomic_registry.content.admission import Admission
from atomic_registry.content.manifests import ManifestService
from atomic_registry.content.ports import BlobStore, MetadataStore, StoredBlob, Transaction
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.policy import OpenPolicy
from atomic_registry.oci.digest import Digest, PlainHasher
from atomic_registry.oci.reference import RepositoryName, Tag
from tests.kit.images import Content, Image

PUSHER = Actor(name="pusher")


async def push(
    metadata: MetadataStore,
    blobs: BlobStore,
    name: str,
    image: Image,
    *tags: str,
    clock: Clock | None = None,
) -> Digest:
    """Store the blobs and manifests of an image and point the tags at it."""
    clock, repository = clock or SystemClock(), RepositoryName(name)
    for content in image.everything():
        if content not in image.manifests():
            await _upload(metadata, blobs, repository, content, clock)
    service = ManifestService(metadata, Admission(OpenPolicy()), clock)
    for manifest in image.manifests():
        digest = Digest.parse(manifest.digest)
        is_last = manifest is image.manifest
        await service.push(
            PUSHER,
            repository,
            digest,
            content_type=manifest.media_type,
            body=manifest.data,
            tags=[Tag(tag) for tag in tags] if is_last else (),
        )
    return Digest.parse(image.manifest.digest)


async def _upload(
    metadata: MetadataStore,
    blobs: BlobStore,
    repository: RepositoryName,
    content: Content,
    clock: Clock,
) -> None:
    digest, now = Digest.parse(content.digest), clock.now()
    blob = StoredBlob(digest=digest, size=len(content.data), key=f"blobs/{clock.new_id()}")
    writer = await blobs.create(blob.key, PlainHasher("sha256"))
    await writer.write(content.data)
    await writer.finish()

    def link(tx: Transaction) -> None:
        tx.blobs.add(blob, now)
        tx.blobs.link(tx.repositories.ensure(repository, now).id, digest, now)

    await metadata.write(link)
