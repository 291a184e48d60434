"""Watches of tags of image streams."""

from tests.faces.api.image_requests import (
    GROUP,
    ONE,
    OWN,
    ROOT,
    TWO,
    call,
    get,
    pushed,
    tag_from,
    watched,
)
from tests.faces.api_world import MasterWorld


async def test_a_watch_of_tags_tells_of_each_tag_that_comes_moves_and_goes(
    world: MasterWorld,
) -> None:
    first = await pushed(world, "own/web", ONE, "v1")
    since = (await get(world, f"{OWN}/imagestreamtags"))["metadata"]["resourceVersion"]
    await pushed(world, "own/web", TWO, "v1")
    made = tag_from("web:prod", "ImageStreamImage", f"web@{first}")
    assert 201 == (await call(world, "POST", f"{OWN}/imagestreamtags", made))[0]
    _, shown = await call(world, "GET", f"{OWN}/imagestreamtags/web:prod")
    shown["metadata"]["annotations"] = {"note": "kept"}
    assert 200 == (await call(world, "PUT", f"{OWN}/imagestreamtags/web:prod", shown))[0]
    watch = f"{GROUP}/imagestreamtags?watch=1&resourceVersion={since}"

    assert [("MODIFIED", "web:v1"), ("ADDED", "web:prod"), ("MODIFIED", "web:prod")] == (
        await watched(world, watch, 3)
    )
    assert {("ADDED", "web:v1"), ("ADDED", "web:prod")} == {
        *(await watched(world, f"{OWN}/imagestreamtags?watch=1", 2))
    }

    since = (await get(world, f"{OWN}/imagestreamtags"))["metadata"]["resourceVersion"]
    assert 200 == (await call(world, "DELETE", f"{OWN}/imagestreamtags/web:prod"))[0]
    assert 200 == (await call(world, "DELETE", f"{OWN}/imagestreams/web"))[0]
    watch = f"{GROUP}/imagestreamtags?watch=1&resourceVersion={since}"
    assert [("DELETED", "web:prod"), ("DELETED", "web:v1")] == await watched(world, watch, 2)


async def test_a_watch_of_tags_tells_of_those_that_go_with_their_project(
    world: MasterWorld,
) -> None:
    await pushed(world, "own/web", ONE, "v1", "v2")
    since = (await get(world, f"{OWN}/imagestreamtags"))["metadata"]["resourceVersion"]
    projects = "/apis/project.openshift.io/v1/projects"
    assert 200 == (await call(world, "DELETE", f"{projects}/own", caller=ROOT))[0]

    found = await watched(world, f"{GROUP}/imagestreamtags?watch=1&resourceVersion={since}", 2)

    assert [("DELETED", "web:v1"), ("DELETED", "web:v2")] == found


async def test_a_watch_of_tags_follows_the_labels_of_their_stream(world: MasterWorld) -> None:
    await pushed(world, "own/web", ONE, "v1")
    since = (await get(world, f"{OWN}/imagestreamtags"))["metadata"]["resourceVersion"]
    merge = "application/merge-patch+json"
    patch = {"metadata": {"labels": {"tier": "db"}}}
    path = f"{OWN}/imagestreams/web"
    assert 200 == (await call(world, "PATCH", path, patch, media_type=merge))[0]

    watch = f"{OWN}/imagestreamtags?watch=1&resourceVersion={since}&labelSelector="

    assert [("DELETED", "web:v1")] == await watched(world, f"{watch}!tier", 1)
    assert [("ADDED", "web:v1")] == await watched(world, f"{watch}tier", 1)
