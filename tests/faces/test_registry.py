"""Answers of the registry's face: what clients rely on beyond the conformance suite."""

import json

from atomic_registry.oci import media_types
from atomic_registry.oci.digest import Digest
from atomic_registry.web.messages import Response
from tests.faces.conftest import FaceClient

CONFIG = b"{}"


async def push_blob(client: FaceClient, content: bytes, repository: str = "demo/app") -> Digest:
    digest = Digest.of(content)
    path = f"/v2/{repository}/blobs/uploads/?digest={digest}"
    response = await client.call("POST", path, body=content)
    assert 201 == response.status, response.body
    return digest


def image(config: Digest, **more: object) -> bytes:
    descriptor = {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": str(config),
        "size": len(CONFIG),
    }
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": descriptor,
        "layers": [],
        **more,
    }
    return json.dumps(document).encode()


async def push_image(client: FaceClient, reference: str, **more: object) -> bytes:
    body = image(await push_blob(client, CONFIG), **more)
    response = await put(client, reference, body)
    assert 201 == response.status, response.body
    return body


async def put(client: FaceClient, reference: str, body: bytes) -> Response:
    path = f"/v2/demo/app/manifests/{reference}"
    return await client.call("PUT", path, body=body, Content_Type=media_types.OCI_MANIFEST)


def codes(response: Response) -> list[str]:
    assert isinstance(response.body, bytes)
    return [error["code"] for error in json.loads(response.body)["errors"]]


async def test_a_manifest_is_served_as_pushed_whatever_the_client_accepts(
    client: FaceClient,
) -> None:
    body = await push_image(client, "v1")

    response = await client.call(
        "GET", "/v2/demo/app/manifests/v1", Accept=media_types.DOCKER_MANIFEST
    )

    assert body == response.body
    assert media_types.OCI_MANIFEST == response.headers["Content-Type"]
    assert str(Digest.of(body)) == response.headers["Docker-Content-Digest"]


async def test_a_manifest_that_the_client_holds_is_not_sent_again(client: FaceClient) -> None:
    body = await push_image(client, "v1")

    response = await client.call(
        "GET", "/v2/demo/app/manifests/v1", If_None_Match=f'"{Digest.of(body)}"'
    )

    assert 304 == response.status
    assert b"" == response.body


async def test_several_tags_move_with_one_push_or_none_does(client: FaceClient) -> None:
    body = image(await push_blob(client, CONFIG))
    reference = f"{Digest.of(body)}?" + "&".join(f"tag=t{n}" for n in range(12))

    refused = await put(client, f"{reference}&tag=.bad", body)
    tags_before = await client.call("GET", "/v2/demo/app/tags/list")
    taken = await put(client, reference, body)
    tags_after = await client.call("GET", "/v2/demo/app/tags/list")

    assert ["TAG_INVALID"] == codes(refused)
    assert isinstance(tags_before.body, bytes)
    assert isinstance(tags_after.body, bytes)
    assert [] == json.loads(tags_before.body)["tags"]
    assert 201 == taken.status
    assert sorted(f"t{n}" for n in range(12)) == json.loads(tags_after.body)["tags"]


async def test_a_manifest_whose_blobs_are_missing_is_refused_and_says_which(
    client: FaceClient,
) -> None:
    response = await put(client, "v1", image(Digest.of(CONFIG)))

    assert 404 == response.status
    assert ["MANIFEST_BLOB_UNKNOWN"] == codes(response)
    assert str(Digest.of(CONFIG)).encode() in bytes(response.body)  # type: ignore[arg-type]


async def test_knowing_a_digest_gives_no_blob_of_another_repository(client: FaceClient) -> None:
    digest = await push_blob(client, b"secret", "demo/private")

    response = await client.call("GET", f"/v2/demo/app/blobs/{digest}")

    assert ["BLOB_UNKNOWN"] == codes(response)


async def test_a_name_of_one_component_is_told_what_to_do(client: FaceClient) -> None:
    response = await client.call("GET", "/v2/app/tags/list")

    assert ["NAME_INVALID"] == codes(response)
    assert b"<project>/app" in bytes(response.body)  # type: ignore[arg-type]


async def test_a_blob_in_use_cannot_be_deleted(client: FaceClient) -> None:
    await push_image(client, "v1")
    path = f"/v2/demo/app/blobs/{Digest.of(CONFIG)}"

    refused = await client.call("DELETE", path)
    await client.call("DELETE", f"/v2/demo/app/manifests/{Digest.of(image(Digest.of(CONFIG)))}")
    taken = await client.call("DELETE", path)

    assert 409 == refused.status
    assert 202 == taken.status
    assert 404 == (await client.call("HEAD", path)).status


async def test_a_fallback_tag_index_lists_what_the_referrers_api_lists(client: FaceClient) -> None:
    subject = Digest.of(b"a subject that is not there")
    body = await push_image(
        client,
        "signature",
        subject={"mediaType": media_types.OCI_MANIFEST, "digest": str(subject), "size": 1},
    )
    entry = {
        "mediaType": media_types.OCI_MANIFEST,
        "digest": str(Digest.of(body)),
        "size": len(body),
    }
    index = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [entry]}
    pushed = await client.call(
        "PUT",
        f"/v2/demo/app/manifests/sha256-{subject.encoded}",
        body=json.dumps(index).encode(),
        Content_Type=media_types.OCI_INDEX,
    )

    response = await client.call("GET", f"/v2/demo/app/referrers/{subject}")

    assert 201 == pushed.status
    assert isinstance(response.body, bytes)
    listed = json.loads(response.body)["manifests"]
    assert [str(Digest.of(body))] == [item["digest"] for item in listed]


async def test_an_index_nested_fifty_deep_is_no_more_work_than_one(client: FaceClient) -> None:
    body, media_type = await push_image(client, "v0"), media_types.OCI_MANIFEST
    for depth in range(50):
        child = {"mediaType": media_type, "digest": str(Digest.of(body)), "size": len(body)}
        index = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_INDEX,
            "manifests": [child, child],
        }
        body, media_type = json.dumps(index).encode(), media_types.OCI_INDEX
        path = f"/v2/demo/app/manifests/deep-{depth}"
        response = await client.call("PUT", path, body=body, Content_Type=media_type)
        assert 201 == response.status


async def test_readiness_names_what_was_tried(client: FaceClient) -> None:
    response = await client.call("GET", "/readyz")

    assert isinstance(response.body, bytes)
    assert {"database": "ok", "storage": "ok"} == json.loads(response.body)


async def test_metrics_count_requests_and_open_uploads(client: FaceClient) -> None:
    await client.call("POST", "/v2/demo/app/blobs/uploads/")

    response = await client.call("GET", "/metrics")

    assert isinstance(response.body, bytes)
    assert b"atomic_registry_uploads_open 1.0" in response.body
    assert b'method="POST",route="/v2/{repository}/blobs/uploads/",status="202"' in response.body
