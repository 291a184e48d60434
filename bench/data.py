"""What is pushed and pulled: small images, a tree of repositories and tags, large blobs."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.client import Connection, location, together
from bench.servers import Server

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST_HEADER = f"Content-Type: {MANIFEST_TYPE}\r\n"
BLOB_HEADER = "Content-Type: application/octet-stream\r\n"
TAGS_A_REQUEST = 10


def digest_of(data: bytes) -> str:
    """The sha256 digest."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallImage:
    """Blobs and a manifest, with the place where they go."""

    repository: str
    blobs: tuple[tuple[str, bytes], ...]
    manifest: bytes
    tags: tuple[str, ...]


def manifest_of(blobs: tuple[tuple[str, bytes], ...], note: str) -> bytes:
    """An OCI manifest; the first blob is the config."""
    described = [
        {"mediaType": CONFIG_TYPE if not n else LAYER_TYPE, "digest": digest, "size": len(data)}
        for n, (digest, data) in enumerate(blobs)
    ]
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": described[0],
        "layers": described[1:],
        "annotations": {"org.example.bench": note},
    }
    return json.dumps(value).encode()


def small_image(repository: str, *, layers: int = 8, size: int = 2048) -> SmallImage:
    """A config and `layers` random layers, all new."""
    contents = [json.dumps({"architecture": "amd64", "os": "linux", "id": os.urandom(16).hex()})]
    data = [contents[0].encode(), *(os.urandom(size) for _ in range(layers))]
    blobs = tuple((digest_of(blob), blob) for blob in data)
    manifest = manifest_of(blobs, repository)
    return SmallImage(repository=repository, blobs=blobs, manifest=manifest, tags=("v1",))


def expect(status: int, wanted: int, what: str) -> None:
    """Fails loudly: a benchmark of errors is worthless."""
    if status != wanted:
        raise RuntimeError(f"{what}: {status} instead of {wanted}")


def push_blob(
    connection: Connection, repository: str, digest: str, data: bytes, authorization: str = ""
) -> None:
    """POST and PUT."""
    start = f"/v2/{repository}/blobs/uploads/"
    status, headers, _ = connection.request("POST", start, b"", authorization)
    expect(status, 202, "POST upload")
    path = location(headers)
    path += f"{'&' if '?' in path else '?'}digest={digest}"
    given = authorization + BLOB_HEADER
    expect(connection.request("PUT", path, data, given)[0], 201, "PUT upload")


def push_small(connection: Connection, image: SmallImage) -> None:
    """All blobs, then the manifest under each tag."""
    for digest, data in image.blobs:
        push_blob(connection, image.repository, digest, data)
    for tag in image.tags:
        path = f"/v2/{image.repository}/manifests/{tag}"
        expect(connection.request("PUT", path, image.manifest, MANIFEST_HEADER)[0], 201, "PUT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """R repositories x T tags; each tag has a manifest of its own."""

    repositories: int
    tags: int
    blobs: tuple[tuple[str, bytes], ...]

    def manifests(self, number: int) -> list[tuple[str, str, bytes]]:
        """(repository, tag, manifest) of one repository."""
        name = f"bench/repository-{number:04d}"
        return [
            (name, f"v{tag}", manifest_of(self.blobs, f"{name}:{tag}")) for tag in range(self.tags)
        ]

    def paths(self, by: str) -> list[str]:
        """The path of every manifest by tag or by digest."""
        return [
            f"/v2/{name}/manifests/{tag if by == 'tag' else digest_of(manifest)}"
            for number in range(self.repositories)
            for name, tag, manifest in self.manifests(number)
        ]


def make_tree(repositories: int, tags: int) -> Tree:
    """A tree over the blobs of one small image."""
    blobs = ((digest_of(b"{}"), b"{}"), (digest_of(b"layer" * 400), b"layer" * 400))
    return Tree(repositories=repositories, tags=tags, blobs=blobs)


def _push_repository(connection: Connection, item: tuple[Tree, int]) -> None:
    tree, number = item
    manifests = tree.manifests(number)
    for digest, data in tree.blobs:
        push_blob(connection, manifests[0][0], digest, data)
    for name, tag, manifest in manifests:
        path = f"/v2/{name}/manifests/{tag}"
        expect(connection.request("PUT", path, manifest, MANIFEST_HEADER)[0], 201, "PUT manifest")


def prepare_tree(server: Server, tree: Tree, work: Path) -> float:
    """Pushes the tree, or writes it as files for nginx; the seconds taken."""
    if server.name != "nginx":
        items = [(tree, number) for number in range(tree.repositories)]
        return together(_push_repository, server.port, tls=server.tls, items=items, connections=8)
    for number in range(tree.repositories):
        for name, tag, manifest in tree.manifests(number):
            directory = work / "nginx" / "v2" / name / "manifests"
            directory.mkdir(parents=True, exist_ok=True)
            (directory / tag).write_bytes(manifest)
            os.link(directory / tag, directory / digest_of(manifest))
    return 0.0


def prepare_blob(server: Server, work: Path, repository: str, digest: str, data: bytes) -> None:
    """One blob to pull."""
    if server.name == "nginx":
        directory = work / "nginx" / "v2" / repository / "blobs"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / digest).write_bytes(data)
        return
    connection = Connection(server.port, tls=server.tls)
    push_blob(connection, repository, digest, data)
    connection.close()


def _push_tags(connection: Connection, item: tuple[str, bytes, list[str]]) -> None:
    repository, manifest, tags = item
    path = f"/v2/{repository}/manifests/{digest_of(manifest)}?" + "&".join(
        f"tag={tag}" for tag in tags
    )
    expect(connection.request("PUT", path, manifest, MANIFEST_HEADER)[0], 201, "PUT tags")


def prepare_tags(server: Server, work: Path, count: int) -> str:
    """A repository of `count` tags; docker-registry gets its own files written."""
    repository = "bench/tags"
    image = small_image(repository, layers=1)
    connection = Connection(server.port, tls=server.tls)
    push_small(connection, image)
    connection.close()
    names = [f"t{number:06d}" for number in range(count - 1)]
    if server.name == "docker-registry":
        base = work / "docker-registry/docker/registry/v2/repositories" / repository
        for name in names:
            link = base / "_manifests" / "tags" / name / "current"
            link.mkdir(parents=True)
            (link / "link").write_text(digest_of(image.manifest))
        return repository
    items: list[Any] = [
        (repository, image.manifest, names[start : start + TAGS_A_REQUEST])
        for start in range(0, len(names), TAGS_A_REQUEST)
    ]
    together(_push_tags, server.port, tls=server.tls, items=items, connections=8)
    return repository
