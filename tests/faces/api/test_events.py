"""Events over the API: what shows of pushes, pulls and denials, to whom, and for how long."""

import json
from datetime import timedelta
from typing import Any, TypeVar

from atomic_registry.resources.event_records import Event
from atomic_registry.resources.happenings.recorder import EventRecorder
from atomic_registry.web.messages import StreamBody
from tests.faces.api_world import MasterWorld
from tests.faces.world import CLOCK
from tests.kit.images import image
from tests.kit.pushes import push

T = TypeVar("T")
OWN = "/api/v1/namespaces/own/events"
ADMIN, VIEWER, ROOT = "registry-admin", "registry-viewer", "everywhere-cluster-admin"
DAY = timedelta(hours=24)


def recorder_of(world: MasterWorld) -> EventRecorder:
    projects = world.access.directory.projects
    return EventRecorder(world.metadata, CLOCK, projects.get, flush_seconds=60)


async def listed(world: MasterWorld, query: str = "", *, caller: str = ADMIN) -> list[Any]:
    response = await world.call(caller, "GET", f"{OWN}{query}")
    assert isinstance(response.body, bytes)
    assert 200 == response.status, response.body
    items: list[Any] = json.loads(response.body)["items"]
    return items


async def deny(world: MasterWorld, *streams: str, who: str = "eve") -> EventRecorder:
    recorder = recorder_of(world)
    for stream in streams:
        recorder.denied("own", stream, who=who, what="push repository", message=f"{who} may not")
    await recorder.flush()
    return recorder


async def stored(world: MasterWorld) -> list[Event]:
    return await world.metadata.read(lambda tx: tx.objects.list(Event, limit=10_000))


async def test_a_push_shows_with_its_tag_its_size_and_who_it_was(world: MasterWorld) -> None:
    digest = await push(world.metadata, world.blobs, "own/app", image("one"), "v1")

    [event] = await listed(world, "?fieldSelector=reason=Pushed,involvedObject.name=app")

    assert event["message"].startswith(f"Tag v1 with image {digest} (")
    assert event["message"].endswith(") pushed by pusher")
    stream = await world.call(
        ADMIN, "GET", "/apis/image.openshift.io/v1/namespaces/own/imagestreams/app"
    )
    assert isinstance(stream.body, bytes)
    assert json.loads(stream.body)["metadata"]["uid"] == event["involvedObject"]["uid"]
    one = await world.call(ADMIN, "GET", f"{OWN}/{event['metadata']['name']}")
    assert isinstance(one.body, bytes)
    assert event == json.loads(one.body)


async def test_every_event_is_on_exactly_one_page(world: MasterWorld) -> None:
    for number in range(5):
        await push(world.metadata, world.blobs, f"own/app{number}", image("one"), "v1")
    every = [it["metadata"]["name"] for it in await listed(world)]

    found, query = [], "?limit=3"
    while query:
        response = await world.call(ADMIN, "GET", f"{OWN}{query}")
        assert isinstance(response.body, bytes)
        page = json.loads(response.body)
        found += [it["metadata"]["name"] for it in page["items"]]
        token = page["metadata"].get("continue")
        query = f"?limit=3&continue={token}" if token else ""

    assert every == found
    assert 10 == len(every)


async def test_denials_are_shown_to_those_who_may_see_who_has_which_role(
    world: MasterWorld,
) -> None:
    await deny(world, "app")

    [event] = await listed(world, "?fieldSelector=type=Warning")

    assert ("Denied", "eve may not") == (event["reason"], event["message"])
    assert [] == await listed(world, caller=VIEWER)
    path = f"{OWN}/{event['metadata']['name']}"
    assert [200, 404] == [(await world.call(it, "GET", path)).status for it in (ADMIN, VIEWER)]


async def test_a_watch_hides_denials_from_those_who_may_not_see_them(world: MasterWorld) -> None:
    await push(world.metadata, world.blobs, "own/app", image("one"), "v1")
    shown = {}
    for caller in (ADMIN, VIEWER):
        response = await world.call(caller, "GET", f"{OWN}?watch=1&resourceVersion=0")
        assert isinstance(response.body, StreamBody)
        await anext(response.body.pieces)
        await anext(response.body.pieces)
        shown[caller] = response.body
    await deny(world, "app")
    await push(world.metadata, world.blobs, "own/app", image("two"), "v2")

    first = {
        caller: json.loads(await anext(body.pieces))["object"]["reason"]
        for caller, body in shown.items()
    }

    for body in shown.values():
        await body.close()
    assert {ADMIN: "Denied", VIEWER: "Pushed"} == first


async def test_a_project_made_anew_shows_no_events_of_its_namesake(world: MasterWorld) -> None:
    await push(world.metadata, world.blobs, "own/app", image("one"), "v1")
    recorder = recorder_of(world)
    recorder.denied("own", "app", who="eve", what="push", message="eve may not")
    await deny(world, "app")

    deleted = await world.call(ROOT, "DELETE", "/apis/project.openshift.io/v1/projects/own")
    made = {"metadata": {"name": "own"}}
    again = await world.call(ROOT, "POST", "/apis/project.openshift.io/v1/projects", made)
    assert (200, 201) == (deleted.status, again.status), (deleted.body, again.body)
    # What was counted before is written after.
    await recorder.flush()

    assert [] == await listed(world, caller=ROOT)
    assert [] == await stored(world)
