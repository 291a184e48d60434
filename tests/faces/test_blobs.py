"""What brings blobs in and takes them out: mounts, sessions, ranges, deletes."""

import json

import pytest

from atomic_registry.oci.digest import Digest
from atomic_registry.web.messages import Response
from tests.faces.conftest import FaceClient

CONTENT = b"a layer"
DIGEST = str(Digest.of(CONTENT))
UNKNOWN = str(Digest.of(b"never pushed"))
SOURCE = "/v2/demo/source"
TARGET = "/v2/demo/target"


async def push(client: FaceClient, repository: str = SOURCE, content: bytes = CONTENT) -> None:
    digest = Digest.of(content)
    path = f"{repository}/blobs/uploads/?digest={digest}"
    assert (await client.call("POST", path, body=content)).status == 201


async def is_there(client: FaceClient, repository: str, digest: str = DIGEST) -> bool:
    return (await client.call("HEAD", f"{repository}/blobs/{digest}")).status == 200


def codes(response: Response) -> list[str]:
    assert isinstance(response.body, bytes)
    return [error["code"] for error in json.loads(response.body)["errors"]]


@pytest.mark.parametrize("source", ["&from=demo/source", "", "&from="])
async def test_a_blob_of_another_repository_is_mounted(client: FaceClient, source: str) -> None:
    await push(client)

    answer = await client.call("POST", f"{TARGET}/blobs/uploads/?mount={DIGEST}{source}")

    assert answer.status == 201
    assert f"{TARGET}/blobs/{DIGEST}" == answer.headers["Location"]
    assert DIGEST == answer.headers["Docker-Content-Digest"]
    assert await is_there(client, TARGET)


@pytest.mark.parametrize(
    "query",
    [
        f"mount={DIGEST}&from=demo/elsewhere",
        f"mount={DIGEST}&from=library",
        f"mount={DIGEST}&from=quay.io:443/Other/Registry",
        f"mount={UNKNOWN}&from=demo/source",
        f"mount={UNKNOWN}",
    ],
)
async def test_a_mount_that_cannot_be_becomes_an_upload(client: FaceClient, query: str) -> None:
    await push(client)

    answer = await client.call("POST", f"{TARGET}/blobs/uploads/?{query}")

    assert answer.status == 202
    assert not await is_there(client, TARGET)
    location = answer.headers["Location"]
    done = await client.call("PUT", f"{location}?digest={DIGEST}", body=CONTENT)
    assert done.status == 201


async def test_a_mounted_blob_outlives_its_source(client: FaceClient) -> None:
    await push(client)
    await client.call("POST", f"{TARGET}/blobs/uploads/?mount={DIGEST}&from=demo/source")

    assert (await client.call("DELETE", f"{SOURCE}/blobs/{DIGEST}")).status == 202

    assert not await is_there(client, SOURCE)
    assert await is_there(client, TARGET)
    assert (await client.call("DELETE", f"{SOURCE}/blobs/{DIGEST}")).status == 404


async def test_a_session_tells_how_far_it_is_until_it_is_cancelled(client: FaceClient) -> None:
    location = (await client.call("POST", f"{TARGET}/blobs/uploads/")).headers["Location"]
    sent = await client.call("PATCH", location, body=b"0123456789", Content_Range="0-9")
    status = await client.call("GET", location)
    assert (202, 204) == (sent.status, status.status)
    assert "0-9" == sent.headers["Range"] == status.headers["Range"]

    assert (await client.call("DELETE", location)).status == 204

    for method in ("GET", "PATCH", "DELETE"):
        gone = await client.call(method, location)
        assert (404, ["BLOB_UPLOAD_UNKNOWN"]) == (gone.status, codes(gone))


@pytest.mark.parametrize("header", ["0-4", "5-2", "abc"])
async def test_a_content_range_that_contradicts_the_body_adds_nothing(
    client: FaceClient, header: str
) -> None:
    location = (await client.call("POST", f"{TARGET}/blobs/uploads/")).headers["Location"]

    refused = await client.call("PATCH", location, body=b"0123456789", Content_Range=header)

    assert refused.status == 400
    assert "0-0" == (await client.call("GET", location)).headers["Range"]


async def test_a_chunk_elsewhere_is_told_the_true_offset(client: FaceClient) -> None:
    location = (await client.call("POST", f"{TARGET}/blobs/uploads/")).headers["Location"]
    await client.call("PATCH", location, body=b"01234", Content_Range="0-4")

    refused = await client.call("PATCH", location, body=b"56789", Content_Range="7-11")

    assert (416, "0-4") == (refused.status, refused.headers["Range"])
    assert location == refused.headers["Location"]


async def test_an_upload_cannot_end_without_its_digest(client: FaceClient) -> None:
    location = (await client.call("POST", f"{TARGET}/blobs/uploads/")).headers["Location"]

    assert (await client.call("PUT", location, body=CONTENT)).status == 400

    assert (await client.call("PUT", f"{location}?digest={DIGEST}", body=CONTENT)).status == 201


async def test_a_blob_that_the_client_holds_is_not_sent_again(client: FaceClient) -> None:
    await push(client)

    answer = await client.call("GET", f"{SOURCE}/blobs/{DIGEST}", If_None_Match=f'"{DIGEST}"')

    assert answer.status == 304


@pytest.mark.parametrize("path", ["/v2/_catalog", f"{SOURCE}/tags/list"])
@pytest.mark.parametrize("number", ["-1", "ten", "1e3", "٣"])
async def test_a_page_size_that_is_no_number_is_refused(
    client: FaceClient, path: str, number: str
) -> None:
    await push(client)

    answer = await client.call("GET", f"{path}?n={number}")

    assert answer.status == 400
