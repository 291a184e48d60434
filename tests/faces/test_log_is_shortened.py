"""The change log is shortened by whichever service runs."""

import asyncio
from pathlib import Path

import pytest

from atomic_registry.app import RegistryWorker
from atomic_registry.app.master import MasterWorker
from atomic_registry.config.settings import ChangeSettings, EventSettings, Settings
from atomic_registry.events import compaction
from atomic_registry.faces.registry import routes
from atomic_registry.identity.ports import Transaction
from atomic_registry.identity.records import User
from atomic_registry.kube.objects import ObjectMeta
from atomic_registry.store.blobs.memory import MemoryBlobStore
from atomic_registry.store.metadata import MetadataDatabase, open_metadata
from atomic_registry.web.metrics import HttpMetrics
from tests.faces.api_world import make_master_worker
from tests.faces.world import CLOCK
from tests.kit.databases import new_sqlite

CHANGES = 20


async def start(service: str, root: Path, *, cleans_up: bool) -> RegistryWorker | MasterWorker:
    metadata = open_metadata(f"sqlite:///{root}/metadata.db", CLOCK)
    settings = Settings(
        root=root,
        changes=ChangeSettings(keep_hours=0, keep_count=1),
        events=EventSettings(keep_hours=0),
    )
    if service == "master":
        master = make_master_worker(root, metadata, MemoryBlobStore(), settings)
        await master.start(cleans_up=cleans_up)
        return master
    metrics = HttpMetrics(((row[0], row[1]) for row in routes.ROWS), workers=1)
    registry = RegistryWorker(
        settings, metadata, MemoryBlobStore(), access=None, metrics=metrics, node="node-1"
    )
    await registry.start(expires_uploads=cleans_up)
    return registry


def change(tx: Transaction) -> None:
    for number in range(CHANGES):
        user = User(metadata=ObjectMeta(name=f"user-{number}"))
        tx.objects.add(user, actor="test", now=CLOCK.now())


async def floor(metadata: MetadataDatabase) -> int:
    return (await metadata.list_changes(0, kinds=("users",), limit=1)).floor


@pytest.mark.parametrize("services", [("registry",), ("master",), ("registry", "master")])
async def test_the_log_is_shortened_by_the_services_that_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, services: tuple[str, ...]
) -> None:
    monkeypatch.setattr(compaction, "_INTERVAL_SECONDS", 0.01)
    metadata = open_metadata(new_sqlite(tmp_path), CLOCK)
    await metadata.write(change)
    running = [await start(service, tmp_path, cleans_up=True) for service in services]
    for _ in range(1000):
        if await floor(metadata) >= CHANGES - 1:
            break
        await asyncio.sleep(0.01)
    assert await floor(metadata) >= CHANGES - 1
    for worker in running:
        await worker.close()
    left = await metadata.list_changes(0, kinds=("users", "oauthclients"), limit=100)
    assert left.changes[-1].revision == left.newest
    await metadata.close()


async def test_of_the_workers_of_a_service_only_the_one_that_cleans_up_shortens_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "_INTERVAL_SECONDS", 0.0)
    metadata = open_metadata(new_sqlite(tmp_path), CLOCK)
    await metadata.write(change)
    running = [await start(it, tmp_path, cleans_up=False) for it in ("registry", "master")]
    await asyncio.sleep(0.1)
    assert await floor(metadata) == 0
    for worker in running:
        await worker.close()
    await metadata.close()
