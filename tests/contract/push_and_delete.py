"""Pushes against deletes of what they name, on two stores of one database."""

import asyncio
import json
from collections.abc import Sequence

from tests.contract.metadata_store import NAME, NOW, OpenAnother

from atomic_registry.clock import SystemClock
from atomic_registry.content.admission import Admission
from atomic_registry.content.blobs import BlobService
from atomic_registry.content.manifests import ManifestService
from atomic_registry.content.ports import StoredBlob, Transaction
from atomic_registry.errors import BlobInUse, BlobUnknown, ManifestUnknown, MissingReference
from atomic_registry.identity.actors import ANONYMOUS
from atomic_registry.identity.policy import OpenPolicy
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import Reference, RepositoryName, Tag
from atomic_registry.store.blobs.memory import MemoryBlobStore
from atomic_registry.store.metadata import MetadataDatabase

ROUNDS = 60
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BLOB = StoredBlob(digest=Digest.of(b"a blob"), size=6, key="k/1")
EXPECTED = (BlobInUse, BlobUnknown, ManifestUnknown, MissingReference)


def descriptor(digest: Digest, size: int, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": str(digest), "size": size}


def image_of(blob: StoredBlob, number: int) -> bytes:
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(blob.digest, blob.size, "application/x"),
        "layers": [descriptor(blob.digest, blob.size, "application/x")],
        "annotations": {"number": str(number)},
    }
    return json.dumps(value).encode()


class Client:
    """The services of one process."""

    def __init__(self, store: MetadataDatabase) -> None:
        clock = SystemClock()
        self.store = store
        self.manifests = ManifestService(store, Admission(OpenPolicy()), clock)
        self.blobs = BlobService(store, MemoryBlobStore(), OpenPolicy(), clock)

    async def link(self) -> None:
        def link(tx: Transaction) -> None:
            repository = tx.repositories.ensure(NAME, NOW)
            tx.blobs.add(BLOB, NOW)
            tx.blobs.link(repository.id, BLOB.digest, NOW)

        await self.store.write(link, durable=False)

    async def push(self, reference: Reference, body: bytes) -> None:
        await self.manifests.push(ANONYMOUS, NAME, reference, content_type=MANIFEST, body=body)

    async def delete(self, reference: Reference) -> None:
        await self.manifests.delete(ANONYMOUS, NAME, reference)


async def is_linked(store: MetadataDatabase, name: RepositoryName, digest: Digest) -> bool:
    return await store.find_blob(name, digest) is not None


def assert_only_expected(results: Sequence[BaseException | None]) -> None:
    """Nothing but the domain's answers: no deadlock, no conflict, no lost connection."""
    surprises = [result for result in results if result and not isinstance(result, EXPECTED)]
    assert surprises == []


class PushAndDeleteContract:
    async def test_a_manifest_never_stands_without_the_blob_that_a_delete_raced_for(
        self, store: MetadataDatabase, open_another: OpenAnother
    ) -> None:
        other = open_another()
        here, there = Client(store), Client(other)
        outcomes = set()
        try:
            for number in range(ROUNDS):
                await here.link()
                bodies = [image_of(BLOB, number * 2 + n) for n in range(2)]
                digests = [Digest.of(body) for body in bodies]
                results = await asyncio.gather(
                    here.push(Tag(f"a{number}"), bodies[0]),
                    there.blobs.delete(NAME, BLOB.digest),
                    there.push(digests[1], bodies[1]),
                    here.blobs.delete(NAME, BLOB.digest),
                    return_exceptions=True,
                )
                assert_only_expected(results)
                stored = [await store.find_manifest(NAME, digest) for digest in digests]
                if any(stored):
                    assert await is_linked(store, NAME, BLOB.digest)
                outcomes.add(any(stored))
                for digest, manifest in zip(digests, stored, strict=True):
                    if manifest is not None:
                        await here.delete(digest)
        finally:
            await other.close()
        assert outcomes, "no round ended"

    async def test_deletes_and_pushes_of_one_tag_never_deadlock(
        self, store: MetadataDatabase, open_another: OpenAnother
    ) -> None:
        other = open_another()
        here, there = Client(store), Client(other)
        tag = Tag("moving")
        try:
            await here.link()
            for number in range(ROUNDS // 2):
                first, second = image_of(BLOB, number * 2), image_of(BLOB, number * 2 + 1)
                results = await asyncio.gather(
                    here.push(tag, first),
                    there.push(tag, second),
                    here.delete(tag),
                    there.delete(Digest.of(first)),
                    here.push(Tag("other"), second),
                    there.push(tag, first),
                    return_exceptions=True,
                )
                assert_only_expected(results)
                found = await store.find_manifest(NAME, tag)
                if found is not None:
                    assert await store.find_manifest(NAME, found.digest) == found
        finally:
            await other.close()
