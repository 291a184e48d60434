"""Images are described whatever their manifests and configs hold."""

import json
from pathlib import Path

import pytest
from tests.kit.databases import new_sqlite
from tests.kit.images import OCI_INDEX, OCI_MANIFEST, Content, Image, document, image
from tests.kit.pushes import push

from atomic_registry.clock import SystemClock
from atomic_registry.identity.policy import OpenPolicy
from atomic_registry.resources.images.services import ImageServices, image_services
from atomic_registry.resources.images.surroundings import Surroundings
from atomic_registry.resources.kinds import IMAGES, Place
from atomic_registry.store.blobs.memory import MemoryBlobStore
from atomic_registry.store.metadata import MetadataDatabase, open_metadata

PLACE = Place(resource=IMAGES, group="image.openshift.io")


def services(metadata: MetadataDatabase, blobs: MemoryBlobStore) -> ImageServices:
    around = Surroundings(
        metadata=metadata, policy=OpenPolicy(), clock=SystemClock(), host="registry.test:5000"
    )
    return image_services(around, blobs)


def with_config(data: bytes) -> Image:
    config = Content(media_type="application/vnd.oci.image.config.v1+json", data=data)
    value = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.descriptor(),
        "layers": [],
    }
    return Image(manifest=document(OCI_MANIFEST, value), blobs=(config,))


def strange_index() -> Image:
    child = image("child")
    listed = child.manifest.descriptor(platform={"architecture": 7, "os": None, "more": []})
    value = {
        "schemaVersion": 2, "mediaType": OCI_INDEX, "layers": None, "config": None,
        "manifests": [listed, child.manifest.descriptor(platform="none")],
    }  # fmt: skip
    return Image(manifest=document(OCI_INDEX, value), children=(child,))


_NULLS = {"Env": None, "Cmd": ["/x"], "Labels": None, "ExposedPorts": None, "User": None}


@pytest.mark.parametrize(
    ("one", "command"),
    [
        (with_config(json.dumps({"config": _NULLS, "author": None}).encode()), ["/x"]),
        (with_config(b"{}"), None),
        (with_config(b"\xff not json"), None),
        (with_config(b"[" * 3000), None),
        (with_config(b'{"config": 5}'), None),
        (with_config(b'"' + b"x" * (1 << 20) + b'"'), None),
        (strange_index(), None),
    ],
    ids=["nulls", "empty", "bytes", "deep", "wrong type", "huge", "index"],
)
async def test_any_image_is_described(tmp_path: Path, one: Image, command: object) -> None:
    url = new_sqlite(tmp_path)
    metadata, blobs = open_metadata(url, SystemClock()), MemoryBlobStore()
    try:
        digest = await push(metadata, blobs, "demo/web", one, "v1")
        shown = await services(metadata, blobs).images.get(PLACE, str(digest))
    finally:
        await metadata.close()
    described = shown["dockerImageMetadata"]
    assert isinstance(described, dict)
    assert command == described.get("Config", {}).get("Cmd")
