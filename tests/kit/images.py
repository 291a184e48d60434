"""Images with real gzip tar layers, made in pure Python: the same seed gives the same bytes."""

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Bytes with their media type: a layer, a config or a manifest."""

    media_type: str
    data: bytes
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", f"sha256:{hashlib.sha256(self.data).hexdigest()}")

    def descriptor(self, **extra: object) -> dict[str, object]:
        """The OCI descriptor of these bytes."""
        return {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": len(self.data),
            **extra,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One manifest with the blobs it names, or an index with the images it names."""

    manifest: Content
    blobs: tuple[Content, ...] = ()
    children: tuple["Image", ...] = ()

    def everything(self) -> list[Content]:
        """All contents, children first, in the order in which a client must push them."""
        contents = [content for child in self.children for content in child.everything()]
        return [*contents, *self.blobs, self.manifest]

    def manifests(self) -> list[Content]:
        """All manifests, children first."""
        below = [manifest for child in self.children for manifest in child.manifests()]
        return [*below, self.manifest]


def document(media_type: str, value: object) -> Content:
    """A JSON document as a content."""
    return Content(media_type=media_type, data=json.dumps(value, indent=1).encode())


def tar_layer(seed: str, size: int) -> bytes:
    """An uncompressed tar with a directory, a file of `size` random bytes and a link to it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        name = hashlib.sha256(seed.encode()).hexdigest()[:12]
        directory = tarfile.TarInfo(f"opt/{name}")
        directory.type, directory.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(directory)
        entry = tarfile.TarInfo(f"opt/{name}/data")
        entry.size, entry.mode = size, 0o644
        tar.addfile(entry, io.BytesIO(random.Random(seed).randbytes(size)))
        link = tarfile.TarInfo(f"opt/{name}/link")
        link.type, link.linkname = tarfile.SYMTYPE, "data"
        tar.addfile(link)
    return stream.getvalue()


def image(
    seed: str,
    *,
    layers: int = 2,
    size: int = 2048,
    architecture: str = "amd64",
    docker: bool = False,
    subject: Content | None = None,
) -> Image:
    """An image with a true config and `layers` true layers; OCI, or Docker schema 2."""
    tars = [tar_layer(f"{seed}/{number}", size) for number in range(layers)]
    kind = DOCKER_LAYER if docker else OCI_LAYER
    packed = [Content(media_type=kind, data=gzip.compress(tar, 6, mtime=0)) for tar in tars]
    config = document(
        DOCKER_CONFIG if docker else OCI_CONFIG,
        {
            "architecture": architecture,
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": {"Cmd": ["/bin/true"], "Labels": {"seed": seed}},
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars],
            },
            "history": [
                {"created": "2026-01-01T00:00:00Z", "created_by": f"layer {number}"}
                for number in range(layers)
            ],
        },
    )
    kind = DOCKER_MANIFEST if docker else OCI_MANIFEST
    value: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": config.descriptor(),
        "layers": [layer.descriptor() for layer in packed],
    }
    if subject is not None:
        value["subject"] = subject.descriptor()
    return Image(manifest=document(kind, value), blobs=(config, *packed))


def index(
    seed: str,
    *,
    architectures: Sequence[str] = ("amd64", "arm64"),
    docker: bool = False,
    subject: Content | None = None,
) -> Image:
    """A multi-platform image: an OCI index or a Docker manifest list."""
    children = tuple(
        image(f"{seed}/{name}", architecture=name, docker=docker) for name in architectures
    )
    value: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": DOCKER_LIST if docker else OCI_INDEX,
        "manifests": [
            child.manifest.descriptor(platform={"architecture": name, "os": "linux"})
            for name, child in zip(architectures, children, strict=True)
        ],
    }
    if subject is not None:
        value["subject"] = subject.descriptor()
    return Image(manifest=document(str(value["mediaType"]), value), children=children)


def artifact(
    seed: str,
    *,
    subject: Content | None = None,
    artifact_type: str = "application/vnd.example.sbom",
    annotations: Mapping[str, str] | None = None,
) -> Image:
    """An artifact of one blob with the empty config, optionally attached to a subject."""
    empty = Content(media_type=OCI_EMPTY, data=b"{}")
    blob = Content(media_type="text/plain", data=f"artifact {seed}\n".encode())
    value: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": empty.descriptor(),
        "layers": [blob.descriptor()],
        "annotations": {"org.example.seed": seed, **(annotations or {})},
    }
    if subject is not None:
        value["subject"] = subject.descriptor()
    return Image(manifest=document(OCI_MANIFEST, value), blobs=(empty, blob))


def write_layout(directory: Path, tagged: Mapping[str, Image]) -> Path:
    """Writes an OCI image layout that clients read as `oci:DIRECTORY:TAG`."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    entries = []
    for tag, one in tagged.items():
        for content in one.everything():
            (blobs / content.digest.removeprefix("sha256:")).write_bytes(content.data)
        names = {"org.opencontainers.image.ref.name": tag}
        entries.append(one.manifest.descriptor(annotations=names))
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    return directory


def layout_blobs(directory: Path) -> dict[str, bytes]:
    """Every blob of a layout by digest, each checked against its name."""
    found = {}
    for path in (directory / "blobs" / "sha256").iterdir():
        data = path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == path.name
        found[f"sha256:{path.name}"] = data
    return found
