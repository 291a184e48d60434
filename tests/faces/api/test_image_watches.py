"""The first state of a watch of image streams comes in pages, between which streams change."""

import asyncio
import json

import pytest

from atomic_registry.resources import watch, watch_stream
from atomic_registry.web.messages import StreamBody
from tests.faces.api_world import MasterWorld

STREAMS = "/apis/image.openshift.io/v1/namespaces/own/imagestreams"
ADMIN = "registry-admin"


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (watch, watch_stream):
        monkeypatch.setattr(module, "PAGE", 2)


async def send(world: MasterWorld, method: str, path: str, name: str, **labels: str) -> None:
    body = {"metadata": {"name": name, "labels": labels}}
    answer = await world.call(ADMIN, method, path, json.dumps(body).encode())
    assert answer.status in {200, 201}, answer


async def take(stream: StreamBody, count: int) -> list[tuple[str, str]]:
    """Types and names of the next events."""
    async with asyncio.timeout(10):
        events = [json.loads(await anext(stream.pieces)) for _ in range(count)]
    return [(event["type"], event["object"]["metadata"]["name"]) for event in events]


async def test_a_stream_that_changes_between_two_pages_is_told_of_whatever_its_name(
    world: MasterWorld,
) -> None:
    # As repositories, which is how lists sort: a/b, aa, b. As names: aa, a~b, b.
    for name in ("a~b", "aa", "b"):
        await send(world, "POST", STREAMS, name)
    response = await world.call(ADMIN, "GET", f"{STREAMS}?watch=true")
    assert isinstance(response.body, StreamBody)

    assert [("ADDED", "a~b"), ("ADDED", "aa")] == await take(response.body, 2)
    await send(world, "PUT", f"{STREAMS}/a~b", "a~b", tier="web")
    assert [("ADDED", "b"), ("MODIFIED", "a~b")] == await take(response.body, 2)
    await response.body.close()
