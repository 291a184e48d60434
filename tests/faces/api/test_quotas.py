"""Limits in force over the API, and quotas that show what is used."""

from typing import Any

import pytest

from tests.faces.api.image_requests import ADMIN, ONE, OWN, ROOT, call, get, stream, tag_from
from tests.faces.api_world import MasterWorld
from tests.kit.images import index
from tests.kit.pushes import push

CORE = "/api/v1/namespaces/own"


@pytest.fixture(autouse=True)
async def _without_limits(world: MasterWorld) -> None:
    for plural in ("resourcequotas", "limitranges"):
        await call(world, "DELETE", f"{CORE}/{plural}", caller=ROOT)


async def set_quota(world: MasterWorld, **hard: str) -> Any:
    names = {"streams": "openshift.io/imagestreams", "size": "atomic-registry/bytes"}
    spec = {"hard": {names[key]: value for key, value in hard.items()}}
    body = {"metadata": {"name": "team"}, "spec": spec}
    status, made = await call(world, "POST", f"{CORE}/resourcequotas", body, caller=ROOT)
    assert 201 == status, made
    return made


async def set_stream_limit(world: MasterWorld, **most: str) -> None:
    names = {"images": "openshift.io/images", "tags": "openshift.io/image-tags"}
    entry = {
        "type": "openshift.io/ImageStream",
        "max": {names[key]: value for key, value in most.items()},
    }
    body = {"metadata": {"name": "each"}, "spec": {"limits": [entry]}}
    status, made = await call(world, "POST", f"{CORE}/limitranges", body, caller=ROOT)
    assert 201 == status, made


def assert_refused(answer: tuple[int, Any], beginning: str) -> None:
    status, body = answer
    assert (403, "Forbidden") == (status, body["reason"]), body
    assert body["message"].startswith(beginning), body["message"]


async def test_a_quota_shows_what_is_used_wherever_it_is_shown(world: MasterWorld) -> None:
    before = (await set_quota(world, size="10Gi", streams="5"))["status"]["used"]
    await push(world.metadata, world.blobs, "own/web", ONE, "v1")
    await push(world.metadata, world.blobs, "own/copy", ONE, "v1")
    size = sum(len(it.data) for it in ONE.everything() if it not in ONE.manifests())

    quota = await get(world, f"{CORE}/resourcequotas/team")

    used = {"atomic-registry/bytes": str(size), "openshift.io/imagestreams": "2"}
    assert {"openshift.io/imagestreams", "atomic-registry/bytes"} == set(before)
    assert used == quota["status"]["used"]
    assert {"atomic-registry/bytes": "10Gi", "openshift.io/imagestreams": "5"} == quota["status"][
        "hard"
    ]
    for path in (f"{CORE}/resourcequotas", "/api/v1/resourcequotas"):
        listed = await get(world, path, caller=ROOT)
        assert [used] == [
            it["status"]["used"] for it in listed["items"] if it["metadata"]["name"] == "team"
        ]


async def test_use_that_a_client_writes_is_not_believed(world: MasterWorld) -> None:
    quota = await set_quota(world, streams="1")
    quota["status"] = {"used": {"openshift.io/imagestreams": "-99"}}

    status, written = await call(world, "PUT", f"{CORE}/resourcequotas/team", quota, caller=ROOT)

    assert 200 == status, written
    assert {"openshift.io/imagestreams": "0"} == written["status"]["used"]
    assert quota["metadata"]["resourceVersion"] != ""
    assert quota["metadata"]["generation"] == written["metadata"]["generation"]


async def test_one_stream_too_many_is_refused_however_it_is_made(world: MasterWorld) -> None:
    await push(world.metadata, world.blobs, "own/web", ONE, "v1")
    await set_quota(world, streams="1")
    expected = (
        "exceeded quota: team, requested: openshift.io/imagestreams=1, "
        "used: openshift.io/imagestreams=1, limited: openshift.io/imagestreams=1"
    )

    assert_refused(await call(world, "POST", f"{OWN}/imagestreams", stream("new")), expected)
    dry = f"{OWN}/imagestreams?dryRun=All"
    assert_refused(await call(world, "POST", dry, stream("new")), expected)
    tag = tag_from("new:v1", "ImageStreamTag", "web:v1")
    assert_refused(await call(world, "POST", f"{OWN}/imagestreamtags", tag), expected)
    assert 404 == (await call(world, "GET", f"{OWN}/imagestreams/new"))[0]

    await call(world, "DELETE", f"{OWN}/imagestreams/web")
    assert 201 == (await call(world, "POST", f"{OWN}/imagestreams", stream("new")))[0]


async def test_one_tag_too_many_is_refused_however_it_is_made(world: MasterWorld) -> None:
    await push(world.metadata, world.blobs, "own/web", ONE, "v1", "v2")
    await set_stream_limit(world, tags="2")
    expected = "exceeded limit: each, requested: openshift.io/image-tags=1"

    tag = tag_from("web:v3", "ImageStreamTag", "web:v1")
    assert_refused(await call(world, "POST", f"{OWN}/imagestreamtags", tag), expected)
    mapping = {
        "kind": "ImageStreamMapping",
        "metadata": {"name": "web"},
        "image": {"metadata": {"name": ONE.manifest.digest}},
        "tag": "v3",
    }
    path = f"{OWN}/imagestreammappings"
    assert_refused(await call(world, "POST", path, mapping), expected)
    named = {"name": "v3", "from": {"kind": "ImageStreamTag", "name": "never"}}
    web = await get(world, f"{OWN}/imagestreams/web") | {"spec": {"tags": [named]}}
    assert_refused(await call(world, "PUT", f"{OWN}/imagestreams/web", web), expected)

    assert 201 == (await call(world, "POST", path, mapping | {"tag": "v2"}))[0]
    assert 200 == (await call(world, "DELETE", f"{OWN}/imagestreamtags/web:v1"))[0]
    tag = tag_from("web:v3", "ImageStreamTag", "web:v2")
    assert 201 == (await call(world, "POST", f"{OWN}/imagestreamtags", tag))[0]


async def test_a_tag_from_elsewhere_brings_no_more_images_and_bytes_than_allowed(
    world: MasterWorld,
) -> None:
    many = index("many")
    await push(world.metadata, world.blobs, "private/web", many, "v1")
    tag = tag_from("web:v1", "ImageStreamTag", "web:v1", namespace="private")
    path = f"{OWN}/imagestreamtags"

    await set_stream_limit(world, images="2")
    refused = await call(world, "POST", path, tag, caller=ROOT)
    assert_refused(refused, "exceeded limit: each, requested: openshift.io/images=3")
    await call(world, "DELETE", f"{CORE}/limitranges/each", caller=ROOT)
    await set_quota(world, size="1")
    refused = await call(world, "POST", path, tag, caller=ROOT)
    assert_refused(refused, "exceeded quota: team, requested: atomic-registry/bytes=")
    await call(world, "DELETE", f"{CORE}/resourcequotas/team", caller=ROOT)
    assert 201 == (await call(world, "POST", path, tag, caller=ROOT))[0]


async def test_an_amount_that_is_none_is_refused_with_its_field(world: MasterWorld) -> None:
    for amount in ("many", "-1", "0.5", 1.5):
        hard = {"openshift.io/imagestreams": amount, "atomic-registry/bytes": "1Gi"}
        body = {"metadata": {"name": "odd"}, "spec": {"hard": hard}}

        status, answer = await call(world, "POST", f"{CORE}/resourcequotas", body, caller=ROOT)

        assert 422 == status, answer
        assert "spec.hard" in answer["details"]["causes"][0]["field"]


async def test_members_see_the_use_of_their_project(world: MasterWorld) -> None:
    await set_quota(world, streams="3")

    quota = await get(world, f"{CORE}/resourcequotas/team", caller=ADMIN)

    assert {"openshift.io/imagestreams": "0"} == quota["status"]["used"]
