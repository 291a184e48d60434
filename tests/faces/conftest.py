"""The registry's face in process: real stores, no sockets."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from atomic_registry.app import RegistryWorker
from atomic_registry.app.access import AccessControl
from atomic_registry.clock import SystemClock
from atomic_registry.config.settings import Settings
from atomic_registry.content.ports import BlobStore
from atomic_registry.faces.registry import routes
from atomic_registry.store.blobs.memory import MemoryBlobStore
from atomic_registry.store.metadata import open_metadata
from atomic_registry.web.messages import Query, Request, Response
from atomic_registry.web.metrics import HttpMetrics
from tests.kit.bodies import BytesBody
from tests.kit.databases import new_database


@dataclass
class FaceClient:
    """Calls the guard as the server would."""

    worker: RegistryWorker

    async def call(
        self,
        method: str,
        path: str,
        credentials: Mapping[str, str] | None = None,
        *,
        body: bytes = b"",
        **headers: str,
    ) -> Response:
        target, _, query = path.partition("?")
        pairs = [tuple(pair.split("=", 1)) for pair in query.split("&") if pair]
        request = Request(
            method=method,
            path=target,
            query=Query([(key, value) for key, value in pairs]),
            headers={name.replace("_", "-"): value for name, value in headers.items()}
            | dict(credentials or {}),
            body=BytesBody(body),
            id="request-1",
        )
        return await self.worker.guard.serve(request)


async def make_client(
    root: Path,
    access: AccessControl | None,
    blobs: BlobStore | None = None,
    *,
    settings: Settings | None = None,
) -> FaceClient:
    url = new_database(root)
    clock = SystemClock()
    metrics = HttpMetrics(((row[0], row[1]) for row in routes.ROWS), workers=1)
    worker = RegistryWorker(
        settings or Settings(root=root),
        open_metadata(url, clock),
        blobs or MemoryBlobStore(),
        access=access,
        metrics=metrics,
        node="node-1",
    )
    return FaceClient(worker)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[FaceClient]:
    face = await make_client(tmp_path, None)
    yield face
    await face.worker.close()
