"""Limits in force on every metadata store, also where several push at once."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from tests.contract.image_streams import ACTOR, OCI, image_body, tagged
from tests.contract.metadata_store import NAME, NOW, OTHER, OpenAnother, create, digest_of
from tests.kit.bodies import BytesBody

from atomic_registry.clock import SystemClock
from atomic_registry.content.admission import Admission
from atomic_registry.content.blobs import BlobService
from atomic_registry.content.leases import UploadLimits
from atomic_registry.content.limits import Meter
from atomic_registry.content.manifests import ManifestService
from atomic_registry.content.ports import StoredBlob, Transaction
from atomic_registry.content.quota import BYTES, IMAGES, STREAMS, TAGS
from atomic_registry.content.tags import link_manifest
from atomic_registry.content.uploads import UploadService
from atomic_registry.errors import QuotaExceeded
from atomic_registry.identity.policy import OpenPolicy
from atomic_registry.identity.records import (
    LimitRange,
    LimitRangeItem,
    LimitRangeSpec,
    ResourceQuota,
    ResourceQuotaSpec,
)
from atomic_registry.kube.objects import KubeObject, ObjectMeta
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import RepositoryName, Tag
from atomic_registry.store.blobs.memory import MemoryBlobStore
from atomic_registry.store.metadata import MetadataDatabase

FAR = RepositoryName("projects/app")


def quota(**hard: str | int) -> ResourceQuota:
    names = {"streams": STREAMS, "size": BYTES}
    spec = ResourceQuotaSpec(hard={names[key]: value for key, value in hard.items()})
    return ResourceQuota(metadata=ObjectMeta(name="q", namespace="project"), spec=spec)


def stream_limits(**most: int) -> LimitRange:
    names = {"images": IMAGES, "tags": TAGS}
    entry = LimitRangeItem(
        type="openshift.io/ImageStream", max={names[key]: value for key, value in most.items()}
    )
    meta = ObjectMeta(name="l", namespace="project")
    return LimitRange(metadata=meta, spec=LimitRangeSpec(limits=[entry]))


async def limit(store: MetadataDatabase, *items: KubeObject) -> None:
    def add(tx: Transaction) -> None:
        for item in items:
            tx.objects.add(item, actor="admin", now=NOW)

    await store.write(add)


class Client:
    """The services of one process."""

    def __init__(self, store: MetadataDatabase, *, quotas: bool = True) -> None:
        clock, admission = SystemClock(), Admission(OpenPolicy())
        self.manifests = ManifestService(store, admission, clock, quotas=quotas)
        self.bytes = MemoryBlobStore()
        self.mounts = BlobService(store, self.bytes, OpenPolicy(), clock, quotas=quotas)
        self.uploads = UploadService(
            store,
            self.bytes,
            clock,
            node="n",
            limits=UploadLimits(quotas=quotas),
            admission=admission,
        )

    async def upload(self, name: RepositoryName, content: bytes) -> StoredBlob:
        return await self.uploads.push(ACTOR, name, Digest.of(content), BytesBody(content))

    async def push(self, name: RepositoryName, tag: str, number: int = 0) -> None:
        body = json.dumps({"schemaVersion": 2, "manifests": [], "annotations": {"n": str(number)}})
        await self.manifests.push(
            ACTOR,
            name,
            Tag(tag),
            content_type="application/vnd.oci.image.index.v1+json",
            body=body.encode(),
        )


def assert_only_refused(results: Sequence[object], done: int) -> None:
    refused = [result for result in results if isinstance(result, BaseException)]
    assert [] == [error for error in refused if not isinstance(error, QuotaExceeded)]
    assert done == len(results) - len(refused)


class QuotaContract:
    async def test_a_blob_counts_once_in_its_project_however_often_it_is_linked(
        self, store: MetadataDatabase
    ) -> None:
        client = Client(store)
        for name in (NAME, OTHER, FAR):
            await client.upload(name, b"shared")
        await client.upload(NAME, b"own")
        meter = Meter(store)

        assert {BYTES: 9} == await meter.used("project", [BYTES])
        assert {BYTES: 6} == await meter.used("projects", [BYTES])
        assert {BYTES: 0, STREAMS: 0} == await meter.used("proj", [BYTES, STREAMS])
        await client.mounts.delete(NAME, Digest.of(b"shared"))
        assert {BYTES: 9} == await meter.used("project", [BYTES])
        await client.mounts.delete(OTHER, Digest.of(b"shared"))
        assert {BYTES: 3} == await meter.used("project", [BYTES])

    async def test_streams_count_from_their_first_image_on(self, store: MetadataDatabase) -> None:
        await create(store)
        await tagged(store, OTHER, 1, "a")

        assert {STREAMS: 1} == await Meter(store).used("project", [STREAMS])

    async def test_the_bytes_of_a_project_end_at_its_quota(self, store: MetadataDatabase) -> None:
        client = Client(store)
        await limit(store, quota(size=10))
        await client.upload(NAME, b"123456")
        await client.upload(OTHER, b"123456")

        with pytest.raises(QuotaExceeded):
            await client.upload(NAME, b"12345")

        await client.upload(NAME, b"1234")
        await client.upload(FAR, b"another project's")

    async def test_a_registry_that_does_not_enforce_limits_takes_all(
        self, store: MetadataDatabase
    ) -> None:
        client = Client(store, quotas=False)
        await tagged(store, FAR, 1, "a")
        await limit(store, quota(size=1), stream_limits(images=0))

        await client.upload(NAME, b"123456")
        await client.push(NAME, "v1")
        assert await client.mounts.mount(ACTOR, NAME, digest_of(1), FAR)

    async def test_a_mount_and_a_tagging_from_elsewhere_count_too(
        self, store: MetadataDatabase
    ) -> None:
        client = Client(store)
        digest = await tagged(store, FAR, 1, "a")
        await limit(store, quota(size=6))
        source, target = await create(store, FAR), await create(store)

        with pytest.raises(QuotaExceeded):
            await client.mounts.mount(ACTOR, NAME, digest_of(1), FAR)
        with pytest.raises(QuotaExceeded):
            await store.write(lambda tx: link_manifest(tx, source, target, digest, NOW))

        assert await store.find_blob(NAME, digest_of(1)) is None

    async def test_a_lowered_quota_refuses_what_is_new_and_nothing_else(
        self, store: MetadataDatabase
    ) -> None:
        client = Client(store)
        for tag in ("a", "b"):
            await client.push(NAME, tag)
        await client.upload(NAME, b"123456")
        await limit(store, quota(size=1, streams=0), stream_limits(images=1, tags=1))

        await client.upload(OTHER, b"123456")
        await client.push(NAME, "b")
        for refused in (client.push(NAME, "c"), client.push(NAME, "a", 1), client.push(OTHER, "a")):
            with pytest.raises(QuotaExceeded):
                await refused
        assert await store.find_manifest(NAME, Tag("c")) is None

    async def test_a_stream_holds_as_many_images_and_tags_as_it_may(
        self, store: MetadataDatabase
    ) -> None:
        client = Client(store)
        await limit(store, stream_limits(images=2, tags=3))
        await client.push(NAME, "a", 1)
        await client.push(NAME, "b", 2)
        await client.push(NAME, "c", 2)

        with pytest.raises(QuotaExceeded, match="image-tags=3"):
            await client.push(NAME, "d", 2)
        with pytest.raises(QuotaExceeded, match="images=2"):
            await client.push(NAME, "a", 3)
        await client.push(OTHER, "a", 3)

    async def test_an_image_is_as_large_as_it_may_be(self, store: MetadataDatabase) -> None:
        entry = LimitRangeItem(type="openshift.io/Image", max={"storage": "6"})
        meta = ObjectMeta(name="l", namespace="project")
        await limit(store, LimitRange(metadata=meta, spec=LimitRangeSpec(limits=[entry])))
        repository, (digest, body, blob) = await create(store), image_body(1)

        def link(tx: Transaction) -> None:
            tx.blobs.add(StoredBlob(digest=blob, size=7, key="k"), NOW)
            tx.blobs.link(repository.id, blob, NOW)

        await store.write(link)
        service = Client(store).manifests
        with pytest.raises(QuotaExceeded, match="storage=7"):
            await service.push(ACTOR, NAME, digest, content_type=OCI, body=body)

    async def test_of_pushes_at_once_no_two_slip_past_the_bytes(
        self, store: MetadataDatabase, open_another: OpenAnother
    ) -> None:
        other = open_another()
        clients = (Client(store), Client(other))
        await limit(store, quota(size=45))
        try:
            results = await asyncio.gather(
                *(
                    clients[n % 2].upload((NAME, OTHER)[n // 2 % 2], f"{n:010}".encode())
                    for n in range(20)
                ),
                return_exceptions=True,
            )
        finally:
            await other.close()

        assert_only_refused(results, 4)
        assert {BYTES: 40} == await Meter(store).used("project", [BYTES])

    async def test_of_pushes_at_once_no_two_slip_past_streams_and_tags(
        self, store: MetadataDatabase, open_another: OpenAnother
    ) -> None:
        other = open_another()
        clients = (Client(store), Client(other))
        await limit(store, quota(streams=3), stream_limits(tags=2))
        try:
            names = [RepositoryName(f"project/s{n}") for n in range(12)]
            made = await asyncio.gather(
                *(clients[n % 2].push(name, "a") for n, name in enumerate(names)),
                return_exceptions=True,
            )
            name = names[next(n for n, it in enumerate(made) if it is None)]
            moved = await asyncio.gather(
                *(clients[n % 2].push(name, f"t{n}") for n in range(12)), return_exceptions=True
            )
        finally:
            await other.close()

        assert_only_refused(made, 3)
        assert_only_refused(moved, 1)

    async def test_limits_and_deletions_of_their_project_wait_for_each_other(
        self, store: MetadataDatabase, open_another: OpenAnother
    ) -> None:
        other = open_another()
        client = Client(other)

        def delete(tx: Transaction) -> None:
            tx.repositories.remove_project("project")
            for item in tx.objects.list(ResourceQuota, namespace="project", limit=9):
                tx.objects.remove(item, actor="admin", now=NOW)

        try:
            for number in range(15):
                await limit(store, quota(size=100))
                results = await asyncio.gather(
                    client.push(NAME, "a", number),
                    store.write(delete),
                    client.push(OTHER, "a", number),
                    return_exceptions=True,
                )
                assert_only_refused(results, 3)
        finally:
            await other.close()
