"""What an administrator can switch at the registry."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from atomic_registry.config.settings import (
    HttpSettings,
    LimitSettings,
    Settings,
    StorageSettings,
)
from atomic_registry.oci.digest import Digest
from atomic_registry.web.messages import Query, Request
from tests.faces.asking import document
from tests.faces.conftest import FaceClient, make_client

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
INDEX = b'{"schemaVersion": 2, "mediaType": "%s", "manifests": []}' % INDEX_TYPE.encode()
TAG = "/v2/demo/app/manifests/v1"
BLOB = f"/v2/demo/app/blobs/{Digest.of(b'x')}"
UPLOADS = "/v2/demo/app/blobs/uploads/"


class Faces:
    """Makes faces over one database, each with settings of its own."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._made: list[FaceClient] = []

    async def make(self, **sections: object) -> FaceClient:
        root = self._root / str(len(self._made))
        root.mkdir()
        settings = replace(Settings(root=root), **sections)  # type: ignore[arg-type]  # sections
        client = await make_client(root, None, settings=settings)
        self._made.append(client)
        return client

    async def close(self) -> None:
        for client in self._made:
            await client.worker.close()


@pytest.fixture
async def faces(tmp_path: Path) -> AsyncIterator[Faces]:
    made = Faces(tmp_path)
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", TAG),
        ("DELETE", TAG),
        ("DELETE", BLOB),
        ("POST", UPLOADS),
        ("PATCH", f"{UPLOADS}1"),
        ("PUT", f"{UPLOADS}1"),
        ("DELETE", f"{UPLOADS}1"),
    ],
)
async def test_a_read_only_registry_refuses_what_changes_something(
    faces: Faces, method: str, path: str
) -> None:
    client = await faces.make(storage=StorageSettings(read_only=True))
    answer = await client.call(method, path, body=INDEX, Content_Type=INDEX_TYPE)
    assert (405, "UNSUPPORTED") == (answer.status, document(answer)["errors"][0]["code"])
    assert answer.headers["Allow"] == "GET, HEAD"


async def test_a_read_only_registry_still_shows_what_it_has(faces: Faces) -> None:
    client = await faces.make(storage=StorageSettings(read_only=True))
    assert (await client.call("GET", "/v2/")).status == 200
    assert (await client.call("GET", TAG)).status == 404
    assert (await client.call("GET", f"{UPLOADS}1")).status == 404


async def test_deletions_can_be_switched_off_alone(faces: Faces) -> None:
    client = await faces.make(storage=StorageSettings(deletes=False))
    pushed = await client.call("PUT", TAG, body=INDEX, Content_Type=INDEX_TYPE)
    answer = await client.call("DELETE", TAG)
    assert (201, 405) == (pushed.status, answer.status)
    assert "switched deletions off" in document(answer)["errors"][0]["message"]
    assert (await client.call("GET", TAG)).status == 200


async def test_headers_of_the_administrator_go_with_each_answer(faces: Faces) -> None:
    headers = '{"Strict-Transport-Security": ["max-age=60"], "X-Site": "north"}'
    client = await faces.make(http=HttpSettings(headers=headers))
    for path in ("/v2/", TAG, "/nowhere"):
        answer = await client.call("GET", path)
        assert answer.headers["Strict-Transport-Security"] == "max-age=60"
        assert answer.headers["X-Site"] == "north"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


class SlowBody:
    """A body that goes on when the test says so."""

    def __init__(self) -> None:
        self.length: int | None = None
        self.has_begun = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.has_begun.set()
        await self.goes_on.wait()
        yield b"x"


async def test_requests_above_the_limit_get_429_and_are_told_when_to_come_back(
    faces: Faces,
) -> None:
    client = await faces.make(limits=LimitSettings(writes_running=1))
    place = (await client.call("POST", UPLOADS)).headers["Location"]
    body = SlowBody()
    request = Request(
        method="PATCH", path=place, query=Query([]), headers={}, body=body, id="request-1"
    )
    running = asyncio.create_task(client.worker.guard.serve(request))
    await body.has_begun.wait()

    refused = await client.call("POST", UPLOADS)
    read = await client.call("GET", TAG)
    body.goes_on.set()
    done = await running

    assert (429, "TOOMANYREQUESTS") == (refused.status, document(refused)["errors"][0]["code"])
    assert refused.headers["Retry-After"] == "1"
    assert (404, 202) == (read.status, done.status)
    assert (await client.call("POST", UPLOADS)).status == 202
