"""What tests of streams, tags and images ask the API."""

import asyncio
import json
from typing import Any

from atomic_registry.web.messages import StreamBody
from tests.faces.api_world import MasterWorld
from tests.kit.images import Image, image
from tests.kit.pushes import push

GROUP = "/apis/image.openshift.io/v1"
OWN = f"{GROUP}/namespaces/own"
ADMIN, ROOT = "registry-admin", "everywhere-cluster-admin"
ONE, TWO = image("one"), image("two")


async def call(
    world: MasterWorld,
    method: str,
    path: str,
    body: object = None,
    *,
    caller: str = ADMIN,
    **more: Any,
) -> tuple[int, Any]:
    content = b"" if body is None else json.dumps(body).encode()
    response = await world.call(caller, method, path, content, **more)
    assert isinstance(response.body, bytes)
    return response.status, json.loads(response.body)


async def get(world: MasterWorld, path: str, *, caller: str = ADMIN) -> Any:
    status, body = await call(world, "GET", path, caller=caller)
    assert 200 == status, body
    return body


async def pushed(world: MasterWorld, name: str, one: Image, *tags: str) -> str:
    return str(await push(world.metadata, world.blobs, name, one, *tags))


def stream(name: str = "app", **fields: object) -> dict[str, object]:
    return {"kind": "ImageStream", "metadata": {"name": name}, **fields}


def tag_from(name: str, kind: str, source: str, **more: str) -> dict[str, object]:
    reference = {"kind": kind, "name": source, **more}
    return {"metadata": {"name": name}, "tag": {"from": reference}}


async def watched(world: MasterWorld, path: str, count: int) -> list[tuple[str, str]]:
    """The first events of a watch: type and name of each."""
    response = await world.call(ROOT, "GET", path)
    assert isinstance(response.body, StreamBody)
    found: list[tuple[str, str]] = []
    async with asyncio.timeout(10):
        async for line in response.body.pieces:
            event = json.loads(line)
            found.append((event["type"], event["object"]["metadata"]["name"]))
            if len(found) == count:
                break
    await response.body.close()
    return found
