"""What the registry does not take, and the corners of what it answers."""

import json
from pathlib import Path

import pytest

from atomic_registry.content.manifests import MAX_TAGS_PER_PUSH
from atomic_registry.errors import MetadataFailed
from atomic_registry.faces.registry.errors import render_internal
from atomic_registry.identity.actors import ANONYMOUS
from atomic_registry.identity.policy import OpenPolicy, Right
from atomic_registry.identity.records import Project
from atomic_registry.oci.digest import Digest
from atomic_registry.web.health import ProbeHandlers
from atomic_registry.web.messages import Query, Request, Response
from tests.faces.asking import ask, basic, document, remove
from tests.faces.conftest import FaceClient
from tests.faces.world import make_world
from tests.kit.bodies import BytesBody

MANIFESTS = "/v2/demo/app/manifests"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


def index(**more: object) -> bytes:
    return json.dumps(
        {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [], **more}
    ).encode()


async def put(client: FaceClient, reference: str, body: bytes, kind: str = INDEX_TYPE) -> Response:
    return await client.call("PUT", f"{MANIFESTS}/{reference}", body=body, Content_Type=kind)


async def test_a_manifest_pushed_by_another_digest_is_refused(client: FaceClient) -> None:
    wrong = Digest.of(b"something else")

    answer = await put(client, str(wrong), index())

    assert (400, "DIGEST_INVALID") == (answer.status, document(answer)["errors"][0]["code"])


async def test_a_push_names_so_many_tags_and_no_more(client: FaceClient) -> None:
    body = index()
    tags = "&".join(f"tag=t{number}" for number in range(MAX_TAGS_PER_PUSH + 1))

    answer = await put(client, f"{Digest.of(body)}?{tags}", body)
    listed = await client.call("GET", "/v2/demo/app/tags/list")

    assert (400, 404) == (answer.status, listed.status)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"schemaVersion": NaN}', INDEX_TYPE),
        (b'{"schemaVersion": 2, "mediaType": "' + INDEX_TYPE.encode() + b'"}', INDEX_TYPE),
        (b"{}", "application/vnd.docker.distribution.manifest.v1+json"),
        (b"{}", "application/vnd.docker.distribution.manifest.v1+prettyjws"),
    ],
)
async def test_a_document_that_is_no_manifest_of_its_type_is_refused(
    client: FaceClient, body: bytes, kind: str
) -> None:
    answer = await put(client, "v1", body, kind)

    assert answer.status in (400, 415)


async def test_a_manifest_that_stops_short_is_not_stored(client: FaceClient) -> None:
    body = BytesBody(index())
    assert body.length is not None
    body.length += 1
    request = Request(
        method="PUT",
        path=f"{MANIFESTS}/v1",
        query=Query(()),
        headers={"Content-Type": INDEX_TYPE},
        body=body,
        id="request-1",
    )

    answer = await client.worker.guard.serve(request)

    assert (400, "BLOB_UPLOAD_INVALID") == (answer.status, document(answer)["errors"][0]["code"])
    assert 404 == (await client.call("GET", f"{MANIFESTS}/v1")).status


async def test_referrers_are_filtered_by_type_and_show_their_annotations(
    client: FaceClient,
) -> None:
    subject = {"mediaType": INDEX_TYPE, "digest": str(Digest.of(index())), "size": 1}
    for kind in ("a/b", "c/d"):
        body = index(subject=subject, artifactType=kind, annotations={"made": kind})
        assert 201 == (await put(client, str(Digest.of(body)), body)).status

    path = f"/v2/demo/app/referrers/{subject['digest']}"
    every = await client.call("GET", path)
    one = await client.call("GET", f"{path}?artifactType=c/d")

    assert "OCI-Filters-Applied" not in every.headers
    assert "artifactType" == one.headers["OCI-Filters-Applied"]
    [shown] = document(one)["manifests"]
    assert ("c/d", {"made": "c/d"}) == (shown["artifactType"], shown["annotations"])
    assert 2 == len(document(every)["manifests"])


async def test_a_registry_without_access_control_has_no_token_endpoint(client: FaceClient) -> None:
    assert 404 == (await client.call("GET", "/openshift/token")).status
    assert 404 == (await client.call("POST", "/openshift/token")).status
    right = Right(verb="get", path="/metrics")
    assert OpenPolicy().grants(ANONYMOUS, right)
    assert OpenPolicy().explain(ANONYMOUS, right).granted


async def test_a_challenge_for_a_mount_from_nowhere_asks_for_the_target_only(
    tmp_path: Path,
) -> None:
    world = await make_world(tmp_path)

    answer = await ask(world, "POST", "/v2/own/app/blobs/uploads/?mount=sha256:x&from=A//B")

    await world.close()
    assert 401 == answer.status
    assert 'scope="repository:own/app:pull,push"' in answer.headers["WWW-Authenticate"]


async def test_a_push_to_a_project_that_ends_meanwhile_makes_nothing(tmp_path: Path) -> None:
    world = await make_world(tmp_path)
    admin = world.headers("cluster-admin")
    await remove(world, Project, "own")

    answer = await ask(world, "POST", "/v2/own/new/blobs/uploads/", admin)
    found = document(await ask(world, "GET", "/v2/_catalog", basic("x", world.tokens["nobody"])))

    await world.close()
    assert answer.status in (403, 404)
    assert "own/new" not in found["repositories"]


async def test_readiness_says_what_is_not_there() -> None:
    async def good() -> None:
        return None

    async def bad() -> None:
        raise MetadataFailed(reason="away")

    async def no_metrics() -> bytes:
        return b""

    probes = ProbeHandlers({"blobs": good, "database": bad}, no_metrics)
    request = Request(
        method="GET", path="/readyz", query=Query(()), headers={}, body=BytesBody(b""), id="1"
    )

    answer = await probes.ready(request)

    shown = json.dumps(document(answer))
    assert 503 == answer.status
    assert "away" in shown and "ok" in shown


def test_a_fault_of_ours_names_the_request_and_nothing_else() -> None:
    answer = render_internal("request-7")

    assert 500 == answer.status
    assert {"request": "request-7"} == document(answer)["errors"][0]["detail"]
