"""Watches over HTTP, as the server would send them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from atomic_registry.web.messages import Query, Request, Response, StreamBody
from tests.faces.api.conftest import PROJECTS, RBAC, USERS, Api
from tests.kit.bodies import BytesBody
from tests.kit.clock import ManualClock

FAR_OFF = datetime(2126, 1, 1, tzinfo=UTC)
ROBOTS = "/api/v1/namespaces/smoke/serviceaccounts"


@dataclass
class Stream:
    """A watch as its client reads it."""

    response: Response
    body: StreamBody

    async def next(self) -> tuple[str, Any]:
        async with asyncio.timeout(2):
            event = json.loads(await anext(self.body.pieces))
        return event["type"], event["object"]

    async def take(self, count: int) -> list[tuple[str, str]]:
        """Types and names of the next events."""
        events = [await self.next() for _ in range(count)]
        return [(kind, it["metadata"].get("name", "")) for kind, it in events]

    async def is_quiet(self) -> bool:
        """Nothing comes; the stream is spent by this."""
        try:
            async with asyncio.timeout(0.05):
                await anext(self.body.pieces)
        except TimeoutError:
            return True
        return False

    async def is_over(self) -> bool:
        async with asyncio.timeout(2):
            return [piece async for piece in self.body.pieces] == []


Opener = Callable[..., Any]


async def respond(api: Api, user: str, path: str, accept: str = "") -> Response:
    target, _, query = path.partition("?")
    request = Request(
        method="GET",
        path=target,
        query=Query([pair.partition("=")[::2] for pair in query.split("&") if pair]),
        headers={"User": user, "Accept": accept},
        body=BytesBody(b""),
        id="request-1",
    )
    return await api.guard.serve(request)


@asynccontextmanager
async def opened(api: Api, user: str, path: str, accept: str = "") -> AsyncIterator[Stream]:
    response = await respond(api, user, path, accept)
    assert isinstance(response.body, StreamBody), response.body
    try:
        yield Stream(response, response.body)
    finally:
        await response.body.close()


@pytest.fixture(autouse=True)
async def _following(api: Api) -> AsyncIterator[None]:
    assert api.feed is not None
    api.feed._poll_seconds = 0.001
    task = asyncio.create_task(api.feed.run())
    await api.new_project("mary", "smoke")
    yield
    task.cancel()


async def make(api: Api, name: str, **labels: str) -> str:
    body = {"metadata": {"name": name, "labels": labels}}
    answer = await api.post("mary", ROBOTS, body)
    return str(answer.body["metadata"]["resourceVersion"])


async def relabel(api: Api, name: str, **labels: str) -> None:
    body = {"metadata": {"name": name, "labels": labels}}
    assert 200 == (await api.call("mary", "PUT", f"{ROBOTS}/{name}", body)).status


async def newest(api: Api) -> str:
    return str((await api.get("mary", ROBOTS)).body["metadata"]["resourceVersion"])


async def test_what_exists_comes_first_and_then_what_becomes_of_it(api: Api) -> None:
    await make(api, "old")
    async with opened(api, "mary", f"{ROBOTS}?watch=true") as stream:
        assert 200 == stream.response.status
        assert "application/json" == stream.response.headers["Content-Type"]
        assert [("ADDED", "old")] == await stream.take(1)
        version = await make(api, "new")
        kind, item = await stream.next()
        assert ("ADDED", "v1", "ServiceAccount") == (kind, item["apiVersion"], item["kind"])
        assert version == item["metadata"]["resourceVersion"]
        await relabel(api, "new", a="b")
        await api.call("mary", "DELETE", f"{ROBOTS}/old")
        assert [("MODIFIED", "new"), ("DELETED", "old")] == await stream.take(2)


async def test_a_watch_since_a_list_shows_what_came_after_it_and_not_what_was(api: Api) -> None:
    await make(api, "old")
    since = await newest(api)
    await make(api, "one")
    async with opened(api, "mary", f"{ROBOTS}?watch=1&resourceVersion={since}") as stream:
        await make(api, "two")
        assert [("ADDED", "one"), ("ADDED", "two")] == await stream.take(2)


async def test_objects_enter_and_leave_the_selector(api: Api) -> None:
    await make(api, "a", tier="web")
    await make(api, "b")
    since = await newest(api)
    await relabel(api, "a", tier="db")
    path = f"{ROBOTS}?watch=1&resourceVersion={since}&labelSelector=tier%3Dweb".replace("%3D", "=")
    async with opened(api, "mary", path) as stream:
        await relabel(api, "b", tier="web")
        await relabel(api, "b", tier="web", more="x")
        await api.call("mary", "DELETE", f"{ROBOTS}/a")
        await api.call("mary", "DELETE", f"{ROBOTS}/b")
        expected = [("DELETED", "a"), ("ADDED", "b"), ("MODIFIED", "b"), ("DELETED", "b")]
        assert expected == await stream.take(4)


@pytest.mark.parametrize(
    "path",
    [
        f"{ROBOTS}?watch=true&fieldSelector=metadata.name=one",
        "/api/v1/serviceaccounts?watch=true&fieldSelector=metadata.name=one,metadata.namespace=smoke",
        "/api/v1/watch/namespaces/smoke/serviceaccounts/one",
    ],
)
async def test_one_object_is_watched_by_its_name(api: Api, path: str) -> None:
    async with opened(api, "root", path) as stream:
        await make(api, "two")
        await make(api, "one")
        assert [("ADDED", "one")] == await stream.take(1)


async def test_the_old_paths_watch_too(api: Api) -> None:
    async with opened(api, "mary", "/api/v1/watch/namespaces/smoke/serviceaccounts") as stream:
        await make(api, "one")
        assert [("ADDED", "one")] == await stream.take(1)


async def test_other_projects_and_kinds_do_not_show(api: Api) -> None:
    await api.new_project("mary", "other")
    async with opened(api, "mary", f"{ROBOTS}?watch=true") as stream:
        other = ROBOTS.replace("smoke", "other")
        await api.post("mary", other, {"metadata": {"name": "hidden"}})
        await make(api, "shown")
        assert [("ADDED", "shown")] == await stream.take(1)


async def test_who_may_not_watch_is_refused(api: Api) -> None:
    for user, path, status in (
        ("bob", f"{ROBOTS}?watch=true", 403),
        ("nobody", f"{ROBOTS}?watch=true", 401),
        ("mary", "/api/v1/serviceaccounts?watch=true", 403),
        ("mary", f"{USERS}/users?watch=1", 403),
        ("bob", "/api/v1/watch/namespaces/smoke/serviceaccounts", 403),
    ):
        assert status == (await respond(api, user, path)).status, (user, path)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("watch=perhaps", 400),
        ("watch=true&resourceVersion=abc", 400),
        ("watch=true&timeoutSeconds=-1", 400),
        ("watch=true&fieldSelector=spec.x=1", 400),
        ("watch=true&labelSelector=((", 400),
        ("watch=true&resourceVersion=99999999", 410),
        ("watch=true&watch=true", 400),
    ],
)
async def test_what_cannot_be_served_is_refused(api: Api, query: str, status: int) -> None:
    answer = await api.get("mary", f"{ROBOTS}?{query}")
    assert status == answer.status
    assert api.watches is not None and 0 == api.watches.count


async def test_history_that_is_gone_is_expired_also_in_the_stream(api: Api) -> None:
    for number in range(120):
        await make(api, f"r{number}")
    async with opened(api, "mary", f"{ROBOTS}?watch=1&resourceVersion=40") as stream:
        await stream.next()
        newest = await api.store.last_revision()
        await api.store.drop_changes(before=FAR_OFF, keep=newest - 150, limit=1000)
        kind, status = await stream.next()
        while kind != "ERROR":
            kind, status = await stream.next()
        assert ("Status", 410, "Expired") == (status["kind"], status["code"], status["reason"])
        assert await stream.is_over()
    gone = await api.get("mary", f"{ROBOTS}?watch=1&resourceVersion=40")
    assert (410, "Expired") == (gone.status, gone.body["reason"])


async def test_a_project_made_anew_does_not_show_what_its_namesake_held(api: Api) -> None:
    since = await newest(api)
    await make(api, "of-the-first")
    await api.call("mary", "DELETE", f"{PROJECTS}/smoke")
    await api.new_project("bob", "smoke")
    refused = await respond(api, "bob", f"{ROBOTS}?watch=true&resourceVersion={since}")
    assert 410 == refused.status
    fresh = str((await api.get("bob", ROBOTS)).body["metadata"]["resourceVersion"])
    async with opened(api, "bob", f"{ROBOTS}?watch=true&resourceVersion={fresh}") as stream:
        body = {"metadata": {"name": "of-the-second"}}
        await api.post("bob", ROBOTS, body)
        assert [("ADDED", "of-the-second")] == await stream.take(1)


async def test_bookmarks_come_each_minute_to_who_asks_for_them(api: Api) -> None:
    assert api.watches is not None
    clock = api.watches._clock
    assert isinstance(clock, ManualClock)
    path = f"{ROBOTS}?watch=1&resourceVersion={await newest(api)}"
    async with (
        opened(api, "mary", f"{path}&allowWatchBookmarks=true") as stream,
        opened(api, "mary", path) as other,
    ):
        clock.advance(timedelta(seconds=61))
        await api.watches.tick()
        kind, item = await stream.next()
        assert ("BOOKMARK", "ServiceAccount") == (kind, item["kind"])
        assert await newest(api) == item["metadata"]["resourceVersion"]
        assert await other.is_quiet()


async def test_the_end_of_a_streamed_list_is_marked(api: Api) -> None:
    await make(api, "old")
    query = (
        f"watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        f"&allowWatchBookmarks=true&resourceVersion={await newest(api)}"
    )
    async with opened(api, "mary", f"{ROBOTS}?{query}") as stream:
        assert [("ADDED", "old")] == await stream.take(1)
        kind, item = await stream.next()
        assert "BOOKMARK" == kind
        assert {"k8s.io/initial-events-end": "true"} == item["metadata"]["annotations"]
    async with opened(api, "mary", f"{ROBOTS}?watch=1&sendInitialEvents=false") as stream:
        await make(api, "new")
        assert [("ADDED", "new")] == await stream.take(1)


async def test_a_watch_ends_in_time(api: Api) -> None:
    assert api.watches is not None
    clock = api.watches._clock
    assert isinstance(clock, ManualClock)
    async with opened(api, "mary", f"{ROBOTS}?watch=1&timeoutSeconds=30") as stream:
        clock.advance(timedelta(seconds=29))
        await api.watches.tick()
        await make(api, "still")
        assert [("ADDED", "still")] == await stream.take(1)
        clock.advance(timedelta(seconds=2))
        await api.watches.tick()
        assert await stream.is_over()
    assert 0 == api.watches.count


async def test_a_right_that_is_withdrawn_ends_the_watch(api: Api) -> None:
    assert api.watches is not None
    await api.grant("smoke", "admin", kind="User", name="bob")
    bindings = f"{RBAC}/namespaces/smoke/rolebindings"
    async with (
        opened(api, "bob", f"{ROBOTS}?watch=1") as stream,
        opened(api, "mary", f"{ROBOTS}?watch=1") as other,
    ):
        found = (await api.get("mary", bindings)).body["items"]
        [name] = [
            it["metadata"]["name"] for it in found if it["metadata"]["name"].startswith("grant-")
        ]
        await api.call("mary", "DELETE", f"{bindings}/{name}")
        await api.watches.tick()
        await make(api, "secret")
        assert await stream.is_over()
        assert [("ADDED", "secret")] == await other.take(1)


async def test_a_user_and_everybody_together_have_so_many_watches(api: Api) -> None:
    assert api.watches is not None
    bodies: list[StreamBody] = []
    for user, count in (("mary", 5), ("root", 3)):
        for _ in range(count):
            response = await respond(api, user, f"{ROBOTS}?watch=1")
            assert isinstance(response.body, StreamBody)
            bodies.append(response.body)
        refused = await respond(api, user, f"{ROBOTS}?watch=1")
        assert (429, "10") == (refused.status, refused.headers["Retry-After"])
        assert isinstance(refused.body, bytes)
        status = json.loads(refused.body)
        assert ("TooManyRequests", 10) == (status["reason"], status["details"]["retryAfterSeconds"])
    for body in bodies:
        await body.close()
        await body.close()
    assert 0 == api.watches.count
    async with opened(api, "mary", f"{ROBOTS}?watch=1"):
        assert 1 == api.watches.count


async def test_projects_come_and_go_with_the_rights_in_them(api: Api) -> None:
    since = (await api.get("bob", PROJECTS)).body["metadata"]["resourceVersion"]
    async with opened(api, "bob", f"{PROJECTS}?watch=1&resourceVersion={since}") as stream:
        await api.new_project("mary", "hidden")
        await api.new_project("bob", "own")
        assert [("ADDED", "own")] == await stream.take(1)
        await api.grant("smoke", "view", kind="User", name="bob")
        assert [("ADDED", "smoke")] == await stream.take(1)
        bindings = f"{RBAC}/namespaces/smoke/rolebindings"
        for it in (await api.get("mary", bindings)).body["items"]:
            if it["metadata"]["name"].startswith("grant-"):
                await api.call("mary", "DELETE", f"{bindings}/{it['metadata']['name']}")
        assert [("DELETED", "smoke")] == await stream.take(1)
        await api.call("mary", "DELETE", f"{PROJECTS}/hidden")
        await api.call("bob", "DELETE", f"{PROJECTS}/own")
        assert [("DELETED", "own")] == await stream.take(1)


async def test_rights_everywhere_bring_projects_into_sight(api: Api) -> None:
    async with opened(api, "bob", f"{PROJECTS}?watch=1") as stream:
        binding = {
            "metadata": {"name": "readers"},
            "roleRef": {"kind": "ClusterRole", "name": "cluster-reader"},
            "subjects": [{"kind": "User", "name": "bob"}],
        }
        await api.post("root", f"{RBAC}/clusterrolebindings", binding)
        assert [("ADDED", "smoke")] == await stream.take(1)
        await api.call("root", "DELETE", f"{RBAC}/clusterrolebindings/readers")
        assert [("DELETED", "smoke")] == await stream.take(1)


async def test_a_deletion_in_the_past_of_a_project_sends_back_to_the_list(api: Api) -> None:
    since = (await api.get("bob", PROJECTS)).body["metadata"]["resourceVersion"]
    await api.call("mary", "DELETE", f"{PROJECTS}/smoke")
    async with opened(api, "bob", f"{PROJECTS}?watch=1&resourceVersion={since}") as stream:
        kind, status = await stream.next()
        assert ("ERROR", 410) == (kind, status["code"])
    async with opened(api, "root", f"{PROJECTS}?watch=1&resourceVersion={since}") as stream:
        assert [("DELETED", "smoke")] == await stream.take(1)


async def test_a_watch_has_the_form_that_its_client_asks_for(api: Api) -> None:
    partial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    async with opened(api, "mary", f"{ROBOTS}?watch=1", partial) as stream:
        await make(api, "one")
        assert "PartialObjectMetadata" == (await stream.next())[1]["kind"]
    async with opened(api, "mary", f"{ROBOTS}?watch=1", "application/json;stream=watch") as stream:
        assert "application/json;stream=watch" == stream.response.headers["Content-Type"]


async def test_a_watcher_that_is_too_slow_is_cut_off_and_goes_on_after_a_list(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atomic_registry.events.feed._MAX_QUEUED", 3)
    async with opened(api, "mary", f"{ROBOTS}?watch=1&resourceVersion={await newest(api)}") as slow:
        for number in range(5):
            await make(api, f"robot-{number}")
        await asyncio.sleep(0.05)
        assert await slow.is_over()

    seen = await newest(api)
    async with opened(api, "mary", f"{ROBOTS}?watch=1&resourceVersion={seen}") as again:
        await make(api, "later")
        assert [("ADDED", "later")] == await again.take(1)


@pytest.mark.parametrize("plural", ["nodes", "pods", "services"])
@pytest.mark.parametrize("version", ["", "0"])
async def test_a_watch_of_what_there_is_none_of_is_quiet(
    api: Api, plural: str, version: str
) -> None:
    await api.new_project("mary", "smoke")
    path = f"/api/v1/{plural}?watch=1&resourceVersion={version}"

    async with opened(api, "root", path) as stream:
        await api.new_project("mary", "more")
        assert await stream.is_quiet()
