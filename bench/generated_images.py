"""The images of generated streams: manifests of their own over a pool of blobs that all share."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from atomic_registry.oci.digest import Digest
from bench.data import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE

_CONFIGS = 64
_LAYERS = 256
_LAYERS_OF_IMAGE = 3
_LAYER_BYTES = 2048
_MOST_TAGS = 3
_TAGS_OF_IMAGE = 10
WIDEST = "widest"
"""The stream with the most tags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A config or a layer, with its descriptor as JSON."""

    digest: Digest
    data: bytes
    descriptor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedImage:
    """A manifest, the blobs that it names, and the tags that point at it."""

    manifest: bytes
    blobs: tuple[Digest, ...]
    tags: tuple[str, ...]


class ImagePool:
    """The same blobs and the same images each time."""

    def __init__(self) -> None:
        self.configs = [_blob(CONFIG_TYPE, _config(number)) for number in range(_CONFIGS)]
        self.layers = [_blob(LAYER_TYPE, _noise(number)) for number in range(_LAYERS)]

    def images_of(self, repository: str, number: int) -> Iterator[TaggedImage]:
        """Yield one to three images with a tag each."""
        for version in range(1 + number % _MOST_TAGS):
            yield self.image(repository, number + version, (f"v{version}",))

    def images_of_widest(self, repository: str, tags: int) -> Iterator[TaggedImage]:
        """Yield images with ten tags each."""
        for first in range(0, tags, _TAGS_OF_IMAGE):
            names = range(first, min(first + _TAGS_OF_IMAGE, tags))
            yield self.image(repository, first, tuple(f"build-{name:06d}" for name in names))

    def image(self, repository: str, number: int, tags: tuple[str, ...]) -> TaggedImage:
        """Return one image; no other has the same digest."""
        config = self.configs[number % _CONFIGS]
        layers = [self.layers[(number + it) % _LAYERS] for it in range(_LAYERS_OF_IMAGE)]
        named = ",".join(layer.descriptor for layer in layers)
        manifest = (
            f'{{"schemaVersion":2,"mediaType":"{MANIFEST_TYPE}","config":{config.descriptor},'
            f'"layers":[{named}],"annotations":{{"org.opencontainers.image.ref.name":'
            f'"{repository}:{tags[0]}"}}}}'
        )
        blobs = (config.digest, *(layer.digest for layer in layers))
        return TaggedImage(manifest=manifest.encode(), blobs=blobs, tags=tags)


def _blob(media_type: str, data: bytes) -> Blob:
    digest = Digest.of(data)
    described = {"mediaType": media_type, "digest": str(digest), "size": len(data)}
    return Blob(digest=digest, data=data, descriptor=json.dumps(described))


def _config(number: int) -> bytes:
    config = {
        "architecture": "amd64" if number % 2 else "arm64",
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": {"Cmd": ["/bin/true"], "Labels": {"number": str(number)}},
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    return json.dumps(config).encode()


def _noise(number: int) -> bytes:
    blocks = (sha256(f"{number}/{block}".encode()).digest() for block in range(_LAYER_BYTES // 32))
    return b"".join(blocks)
