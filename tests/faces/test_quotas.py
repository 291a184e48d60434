"""Limits in force at the registry's face: what a client is told, and what is left behind."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from atomic_registry.clock import SystemClock
from atomic_registry.content.ports import Transaction
from atomic_registry.content.quota import BYTES, STORAGE, STREAMS, TAGS
from atomic_registry.identity.records import (
    LimitRange,
    LimitRangeItem,
    LimitRangeSpec,
    ResourceQuota,
    ResourceQuotaSpec,
)
from atomic_registry.kube.objects import KubeObject, ObjectMeta
from atomic_registry.oci.digest import Digest
from atomic_registry.store.blobs.filesystem import FilesystemBlobStore
from atomic_registry.store.metadata import MetadataDatabase, open_metadata
from atomic_registry.web.messages import Query, Request, Response
from tests.faces.conftest import FaceClient, make_client
from tests.faces.test_registry import push_blob, push_image, put

UPLOADS = "/v2/demo/app/blobs/uploads/"


class EndlessBody:
    """A body of unknown length that counts what was taken of it."""

    length: int | None = None

    def __init__(self) -> None:
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.taken += 10
            yield b"0123456789"


class UntouchedBody:
    """A body that says how long it is and must not be read."""

    def __init__(self, length: int) -> None:
        self.length: int | None = length

    def __aiter__(self) -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[FaceClient]:
    (tmp_path / "storage").mkdir()
    face = await make_client(tmp_path, None, FilesystemBlobStore(tmp_path / "storage"))
    yield face
    await face.worker.close()


@pytest.fixture
async def metadata(client: FaceClient, tmp_path: Path) -> AsyncIterator[MetadataDatabase]:
    store = open_metadata(f"sqlite:///{tmp_path}/metadata.db", SystemClock())
    yield store
    await store.close()


async def limit(metadata: MetadataDatabase, **most: str) -> None:
    """Set limits of the project `demo`: size and streams of a quota, image and tags of a range."""
    names = {"size": BYTES, "streams": STREAMS}
    hard: dict[str, str | int] = {names[key]: it for key, it in most.items() if key in names}
    meta = ObjectMeta(name="team", namespace="demo")
    items: list[KubeObject] = []
    if hard:
        items.append(ResourceQuota(metadata=meta, spec=ResourceQuotaSpec(hard=hard)))
    entries = [
        LimitRangeItem(type=kind, max={resource: most[key]})
        for key, kind, resource in (
            ("image", "openshift.io/Image", STORAGE),
            ("tags", "openshift.io/ImageStream", TAGS),
        )
        if key in most
    ]
    if entries:
        items.append(LimitRange(metadata=meta, spec=LimitRangeSpec(limits=entries)))

    def add(tx: Transaction) -> None:
        for item in items:
            tx.objects.add(item, actor="admin", now=SystemClock().now())

    await metadata.write(add)


def error_of(response: Response) -> dict[str, Any]:
    assert 403 == response.status, (response.status, response.body)
    assert isinstance(response.body, bytes)
    (error,) = json.loads(response.body)["errors"]
    assert "DENIED" == error["code"]
    return cast("dict[str, Any]", error)


async def send(client: FaceClient, method: str, path: str, body: Any) -> Response:
    target, _, query = path.partition("?")
    pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
    request = Request(
        method=method, path=target, query=Query(pairs), headers={}, body=body, id="request-1"
    )
    return await client.worker.guard.serve(request)


async def new_upload(client: FaceClient) -> str:
    return (await client.call("POST", UPLOADS)).headers["Location"]


async def nothing_is_left(tmp_path: Path, metadata: MetadataDatabase) -> bool:
    """Whether no session is open and the storage has no bytes but those of the project's blobs."""
    sessions = await metadata.read(lambda tx: tx.uploads.count_open())
    used = await metadata.read(lambda tx: tx.usage.count_bytes("demo"))
    stored = sum(it.stat().st_size for it in (tmp_path / "storage").rglob("*") if it.is_file())
    return (sessions, stored) == (0, used)


async def test_a_refusal_names_the_project_the_limit_the_use_and_what_to_do(
    client: FaceClient, metadata: MetadataDatabase, tmp_path: Path
) -> None:
    await limit(metadata, size="10")
    await push_blob(client, b"123456")

    error = error_of(
        await client.call("POST", f"{UPLOADS}?digest={Digest.of(b'x' * 5)}", body=b"x" * 5)
    )

    assert {
        "project": "demo",
        "limit": "resourcequota team",
        "resource": BYTES,
        "requested": "5",
        "used": "6",
        "limited": "10",
    } == error["detail"]
    assert "exceeded quota: team, requested: atomic-registry/bytes=5" in error["message"]
    assert "have its resourcequota team raised" in error["message"]
    assert await nothing_is_left(tmp_path, metadata)


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
async def test_a_body_that_says_it_is_too_long_is_refused_before_its_first_byte(
    client: FaceClient, metadata: MetadataDatabase, tmp_path: Path, method: str
) -> None:
    path = UPLOADS if method == "POST" else await new_upload(client)
    await limit(metadata, size="1Gi")
    digest = f"?digest={Digest.of(b'never sent')}" if method != "PATCH" else ""

    error_of(await send(client, method, path + digest, UntouchedBody(2**30 + 1)))

    assert await nothing_is_left(tmp_path, metadata)


async def test_a_body_without_a_length_is_cut_off_where_it_no_longer_fits(
    client: FaceClient, metadata: MetadataDatabase, tmp_path: Path
) -> None:
    await limit(metadata, size="1000")
    path, body = await new_upload(client), EndlessBody()

    error_of(await send(client, "PATCH", path, body))

    assert 1010 == body.taken
    assert await nothing_is_left(tmp_path, metadata)
    assert 404 == (await client.call("GET", path)).status


async def test_an_upload_in_pieces_is_refused_with_the_piece_that_is_too_much(
    client: FaceClient, metadata: MetadataDatabase, tmp_path: Path
) -> None:
    await limit(metadata, size="10")
    path = await new_upload(client)
    assert 202 == (await client.call("PATCH", path, body=b"123456")).status

    error_of(await client.call("PATCH", path, body=b"12345"))

    assert await nothing_is_left(tmp_path, metadata)


async def test_a_quota_set_while_an_upload_runs_is_in_force_at_its_end(
    client: FaceClient, metadata: MetadataDatabase, tmp_path: Path
) -> None:
    path = await new_upload(client)
    await client.call("PATCH", path, body=b"123456")
    await limit(metadata, size="5")

    error_of(await client.call("PUT", f"{path}?digest={Digest.of(b'123456')}"))

    assert await nothing_is_left(tmp_path, metadata)


async def test_what_the_project_has_can_be_uploaded_again_although_it_is_full(
    client: FaceClient, metadata: MetadataDatabase, tmp_path: Path
) -> None:
    await push_blob(client, b"123456")
    await limit(metadata, size="6")

    await push_blob(client, b"123456", "demo/other")

    assert await nothing_is_left(tmp_path, metadata)


async def test_a_mount_of_another_projects_blob_counts(
    client: FaceClient, metadata: MetadataDatabase
) -> None:
    digest = await push_blob(client, b"123456", "far/app")
    await limit(metadata, size="5")

    error_of(await client.call("POST", f"{UPLOADS}?mount={digest}&from=far/app"))

    assert 404 == (await client.call("GET", f"/v2/demo/app/blobs/{digest}")).status


async def test_a_blob_larger_than_any_image_may_be_is_refused_at_once(
    client: FaceClient, metadata: MetadataDatabase, tmp_path: Path
) -> None:
    await limit(metadata, image="1Mi")

    path = f"{UPLOADS}?digest={Digest.of(b'never sent')}"
    error = error_of(await send(client, "POST", path, UntouchedBody(2**20 + 1)))

    assert "limitrange team" == error["detail"]["limit"]
    assert await nothing_is_left(tmp_path, metadata)


async def test_an_image_whose_parts_are_too_much_together_is_refused(
    client: FaceClient, metadata: MetadataDatabase
) -> None:
    await limit(metadata, image="1")

    assert "storage=2" in error_of(await _put_two_bytes(client, metadata))["message"]


async def _put_two_bytes(client: FaceClient, metadata: MetadataDatabase) -> Response:
    layers = []
    for content in (b"a", b"b"):
        digest = await push_blob(client, content)
        kind = "application/vnd.oci.image.layer.v1.tar"
        layers.append({"mediaType": kind, "digest": str(digest), "size": 1})
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": layers[0],
        "layers": layers,
    }
    return await put(client, "v1", json.dumps(document).encode())


async def test_one_tag_too_many_moves_none_of_a_push(
    client: FaceClient, metadata: MetadataDatabase
) -> None:
    await limit(metadata, tags="2")
    body = await push_image(client, "v1")

    error_of(await put(client, "v2?tag=v3", body))

    assert 404 == (await client.call("GET", "/v2/demo/app/manifests/v2")).status
    assert 201 == (await put(client, "v2", body)).status


async def test_one_stream_too_many_is_refused(
    client: FaceClient, metadata: MetadataDatabase
) -> None:
    await limit(metadata, streams="0")

    config = await push_blob(client, b"{}")
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/x", "digest": str(config), "size": 2},
        "layers": [],
    }
    error_of(await put(client, "v1", json.dumps(document).encode()))

    assert 404 == (await client.call("GET", "/v2/demo/app/manifests/v1")).status
