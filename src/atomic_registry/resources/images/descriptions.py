"""Images as documents: what a manifest names, and what its config says of it.

Source: OpenShift API, `Image` of `image.openshift.io/v1`; OCI image specification, config.md.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import msgspec

from atomic_registry.content.ports import BlobStore, StoredBlob, Transaction
from atomic_registry.content.streams import HeldManifest, ImageRecord, ImageSignature
from atomic_registry.errors import DigestInvalid, StorageFailed
from atomic_registry.kube.objects import timestamp
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.media_types import INDEXES
from atomic_registry.resources.image_strategies import MANAGED
from atomic_registry.resources.images.surroundings import Transactions
from atomic_registry.resources.images.views import uid_of
from atomic_registry.resources.strategies import Document

# A config beyond this is not read for its description.
_MAX_CONFIG_BYTES = 1 << 20
_MAX_CACHED_BYTES = 128 * 1024
_MAX_CACHED = 256
_READERS = 8
_MAX_SIGNATURES = 100
# The version of an image that nothing was ever said of.
_UNWRITTEN = "1"


class Part(msgspec.Struct, rename="camel"):
    """A descriptor in a manifest; nobody has looked at its platform yet."""

    digest: str
    size: int
    media_type: str = ""
    platform: object = None


class Parts(msgspec.Struct):
    """What a manifest names, by role."""

    config: Part | None = None
    layers: list[Part] | None = None
    manifests: list[Part] | None = None

    @property
    def blobs(self) -> list[Part]:
        """Layers and config."""
        return [*(self.layers or ()), *([self.config] if self.config else ())]


class _Settings(msgspec.Struct, rename="pascal", omit_defaults=True):
    # Docker writes null for what is empty.
    user: str | None = None
    exposed_ports: dict[str, object] | None = None
    env: list[str] | None = None
    cmd: list[str] | None = None
    entrypoint: list[str] | None = None
    volumes: dict[str, object] | None = None
    working_dir: str | None = None
    labels: dict[str, str] | None = None
    stop_signal: str | None = None


class _Config(msgspec.Struct):
    architecture: str | None = None
    os: str | None = None
    created: str | None = None
    author: str | None = None
    docker_version: str | None = None
    config: _Settings | None = None


def parts_of(body: bytes) -> Parts:
    """Return what a stored manifest names; it was checked when it came in."""
    return msgspec.json.decode(body, type=Parts)


class ImageDescriber:
    """Makes documents of images; remembers configs, which never change."""

    def __init__(self, metadata: Transactions, blobs: BlobStore, *, host: str) -> None:
        self._metadata = metadata
        self._blobs = blobs
        self._host = host
        self._configs: OrderedDict[str, bytes] = OrderedDict()

    async def describe(self, held: HeldManifest) -> Document:
        """Return everything that is known of an image, without kind and version."""
        parts = parts_of(held.body)
        configs = await self._load([parts])
        config = configs.get(parts.config.digest) if parts.config else None
        record, signatures = await self._metadata.read(
            lambda tx: (record_of(tx, held.digest), signatures_of(tx, held.digest))
        )
        shown = self._show(held, parts, config, record)
        shown["dockerImageManifest"] = held.body.decode()
        if config is not None:
            shown["dockerImageConfig"] = config.decode(errors="replace")
        shown["signatures"] = [show_signature(signature) for signature in signatures]
        return shown

    async def describe_all(
        self, found: Sequence[HeldManifest], records: Mapping[str, ImageRecord] | None = None
    ) -> list[Document]:
        """Return the images of a list, without their raw documents; records are by digest."""
        said = records or {}
        all_parts = [parts_of(held.body) for held in found]
        configs = await self._load(all_parts)
        return [
            self._show(
                held,
                parts,
                configs.get(parts.config.digest) if parts.config else None,
                said.get(str(held.digest)),
            )
            for held, parts in zip(found, all_parts, strict=True)
        ]

    def _show(
        self, held: HeldManifest, parts: Parts, config: bytes | None, record: ImageRecord | None
    ) -> Document:
        digest = str(held.digest)
        shown: Document = {
            "metadata": image_metadata(held, record),
            "dockerImageReference": f"{self._host}/{held.repository}@{digest}",
            "dockerImageMetadata": _metadata(digest, parts, config),
            "dockerImageMetadataVersion": "1.0",
            "dockerImageLayers": [
                {"name": part.digest, "size": part.size, "mediaType": part.media_type}
                for part in parts.layers or ()
            ],
            "dockerImageManifestMediaType": held.media_type,
        }
        if held.media_type in INDEXES:
            shown["dockerImageManifests"] = [_show_child(part) for part in parts.manifests or ()]
        return shown

    async def _load(self, all_parts: Sequence[Parts]) -> dict[str, bytes]:
        """Return the bytes of the configs that are held, small enough and readable."""
        wanted = dict.fromkeys(parts.config.digest for parts in all_parts if parts.config)
        found = {digest: self._configs[digest] for digest in wanted if digest in self._configs}
        absent = [digest for digest in wanted if digest not in found]
        if not absent:
            return found
        places = await self._metadata.read(lambda tx: _places(tx, absent))
        limit = asyncio.Semaphore(_READERS)

        async def load(blob: StoredBlob) -> None:
            async with limit:
                content = await self._read(blob)
            if content is not None:
                found[str(blob.digest)] = content
                self._remember(str(blob.digest), content)

        await asyncio.gather(*map(load, places))
        return found

    async def _read(self, blob: StoredBlob) -> bytes | None:
        try:
            reader = await self._blobs.open(blob.key)
            try:
                return b"".join([piece async for piece in reader.read(0, blob.size)])
            finally:
                reader.close()
        except StorageFailed:
            # One lost file must not take the list of all images with it.
            return None

    def _remember(self, digest: str, content: bytes) -> None:
        if len(content) <= _MAX_CACHED_BYTES:
            self._configs[digest] = content
            if len(self._configs) > _MAX_CACHED:
                self._configs.popitem(last=False)


def image_metadata(held: HeldManifest, record: ImageRecord | None) -> Document:
    """Return the metadata of an image, with what is said of it."""
    digest = str(held.digest)
    said: Document = {} if record is None else msgspec.to_builtins(record.metadata)
    annotations = {} if record is None else record.metadata.annotations
    return said | {
        "name": digest,
        "uid": uid_of("image", digest),
        "resourceVersion": (record and record.metadata.resource_version) or _UNWRITTEN,
        "creationTimestamp": timestamp(held.pushed_at),
        "annotations": {**annotations, MANAGED: "true"},
    }


def record_of(tx: Transaction, digest: Digest) -> ImageRecord | None:
    """Return what is said of an image."""
    return tx.objects.find(ImageRecord, str(digest))


def signatures_of(tx: Transaction, digest: Digest) -> list[ImageSignature]:
    """Return the stored signatures of an image."""
    prefix = f"{digest}@"
    found = tx.objects.list(ImageSignature, after=("", prefix), limit=_MAX_SIGNATURES)
    return [signature for signature in found if signature.metadata.name.startswith(prefix)]


def show_signature(signature: ImageSignature) -> Document:
    """Return a signature as part of its image, or by itself."""
    document: Document = msgspec.to_builtins(signature)
    return document


def _places(tx: Transaction, digests: Sequence[str]) -> list[StoredBlob]:
    found = []
    for text in digests:
        try:
            blob = tx.blobs.find(Digest.parse(text))
        except DigestInvalid:
            continue
        if blob is not None and blob.size <= _MAX_CONFIG_BYTES:
            found.append(blob)
    return found


def _metadata(digest: str, parts: Parts, content: bytes | None) -> Document:
    config = _decoded(content)
    shown: Document = {
        "kind": "DockerImage",
        "apiVersion": "1.0",
        "Id": parts.config.digest if parts.config else digest,
        "Size": sum(part.size for part in parts.blobs),
        "Created": config.created,
        "Architecture": config.architecture,
        "Os": config.os,
        "Author": config.author,
        "DockerVersion": config.docker_version,
        "ContainerConfig": {},
    }
    if config.config is not None:
        shown["Config"] = msgspec.to_builtins(config.config)
    return {name: value for name, value in shown.items() if value not in ("", None)}


def _decoded(content: bytes | None) -> _Config:
    if content is None:
        return _Config()
    try:
        return msgspec.json.decode(content, type=_Config)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Any JSON, and even none, may be the config of an artifact.
        return _Config()


def _show_child(part: Part) -> Document:
    shown: Document = {
        "digest": part.digest,
        "mediaType": part.media_type,
        "manifestSize": part.size,
    }
    if isinstance(part.platform, dict):
        names = ("architecture", "os", "variant")
        shown |= {name: part.platform[name] for name in names if name in part.platform}
    return shown
