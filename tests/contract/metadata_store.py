"""What every metadata store does; the test modules of the adapters run it on theirs."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from atomic_registry.content.ports import (
    Change,
    NewManifest,
    Repository,
    StoredBlob,
    StoredManifest,
    Transaction,
    UploadSession,
)
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import RepositoryName, Tag
from atomic_registry.store.metadata import MetadataDatabase

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)
NAME = RepositoryName("project/app")
OTHER = RepositoryName("project/other")
TAG = Tag("latest")
OpenAnother = Callable[[], MetadataDatabase]


class Refused(Exception):
    """Raised by a transaction function."""


def digest_of(number: int) -> Digest:
    return Digest.of(str(number).encode())


def manifest(number: int = 0, **fields: object) -> NewManifest:
    body = f'{{"number":{number}}}'.encode()
    plain = NewManifest(
        digest=Digest.of(body), media_type="application/test+json", body=body,
        artifact_type=None, subject=None, annotations={}, blobs=(), children=(),
    )  # fmt: skip
    return replace(plain, **fields)  # type: ignore[arg-type]  # fields of the class itself


def session(upload_id: str = "u1", expires_at: datetime = LATER) -> UploadSession:
    return UploadSession(
        id=upload_id, repository=NAME, key=f"k/{upload_id}", algorithm="sha256", offset=0,
        hash_state=None, digest=None, expires_at=expires_at,
    )  # fmt: skip


def change(number: int = 0) -> Change:
    return Change(
        kind="repository",
        repository=NAME,
        verb="push",
        actor="alice",
        object={"number": str(number)},
    )


async def mark_pushed(store: MetadataDatabase, repository: int) -> None:
    await store.write(lambda tx: tx.repositories.mark_pushed(repository, NOW))


async def put(store: MetadataDatabase, repository: int, new: NewManifest) -> None:
    await store.write(lambda tx: tx.manifests.put(repository, new, NOW))


async def add_upload(store: MetadataDatabase, new: UploadSession) -> None:
    await store.write(lambda tx: tx.uploads.add(new, NOW))


async def create(store: MetadataDatabase, name: RepositoryName = NAME) -> Repository:
    return await store.write(lambda tx: tx.repositories.ensure(name, NOW))


class MetadataStoreContract:
    async def test_a_repository_is_created_once_and_listed_from_its_first_push(
        self, store: MetadataDatabase
    ) -> None:
        names = [RepositoryName(n) for n in ("a/b", "a/B".lower() + "-c", "a/b/c", "a/b0")]
        made = [await create(store, name) for name in names]
        assert await create(store, names[0]) == made[0]
        assert await store.read(lambda tx: tx.repositories.find(OTHER)) is None
        assert await store.read(lambda tx: tx.repositories.list_names(after="", limit=9)) == []
        for repository in made:
            await mark_pushed(store, repository.id)
        listed = await store.read(lambda tx: tx.repositories.list_names(after="", limit=9))
        assert [n.value for n in listed] == sorted(n.value for n in names)
        page = await store.read(lambda tx: tx.repositories.list_names(after="a/b", limit=1))
        assert [n.value for n in page] == ["a/b-c"]
        found = await store.write(lambda tx: tx.repositories.find(names[0], lock="exclusive"))
        assert found is not None and found.pushed_at == NOW

    async def test_a_blob_shows_only_where_it_is_linked(self, store: MetadataDatabase) -> None:
        here, there = await create(store), await create(store, OTHER)
        blob = StoredBlob(digest=digest_of(1), size=2**40, key="k/1")
        assert await store.write(lambda tx: tx.blobs.add(blob, NOW))
        again = replace(blob, key="k/2")
        assert not await store.write(lambda tx: tx.blobs.add(again, NOW))
        assert await store.read(lambda tx: tx.blobs.find(blob.digest)) == blob
        assert await store.find_blob(NAME, blob.digest) is None
        for _ in range(2):
            await store.write(lambda tx: tx.blobs.link(here.id, blob.digest, NOW))
        assert await store.find_blob(NAME, blob.digest) == blob
        assert await store.find_blob(OTHER, blob.digest) is None
        assert await store.read(lambda tx: tx.blobs.find_linked(there.id, blob.digest)) is None
        assert await store.read(lambda tx: tx.blobs.find_linked(here.id, blob.digest)) == blob
        linking = await store.read(lambda tx: tx.blobs.list_linking(blob.digest, limit=5))
        assert linking == [NAME]
        assert await store.write(lambda tx: tx.blobs.unlink(here.id, blob.digest))
        assert not await store.write(lambda tx: tx.blobs.unlink(here.id, blob.digest))
        assert await store.find_blob(NAME, blob.digest) is None

    async def test_ten_thousand_sizes_and_edges_fit_one_call(self, store: MetadataDatabase) -> None:
        here = await create(store)
        digests = [digest_of(number) for number in range(10_000)]
        big = manifest(blobs=tuple(digests), children=(digests[0], digests[0]))
        blob = StoredBlob(digest=digests[9_999], size=7, key="k")

        def push(tx: Transaction) -> None:
            tx.blobs.add(blob, NOW)
            tx.blobs.link(here.id, blob.digest, NOW)
            tx.manifests.put(here.id, big, NOW)

        await store.write(push)
        asked = [*digests, big.digest]
        assert await store.read(lambda tx: tx.blobs.sizes(here.id, asked)) == {digests[9_999]: 7}
        sizes = await store.read(lambda tx: tx.manifests.sizes(here.id, asked))
        assert sizes == {big.digest: len(big.body)}
        assert await store.read(lambda tx: tx.manifests.is_blob_named(here.id, digests[5_000]))
        assert await store.write(lambda tx: tx.manifests.delete(here.id, big.digest))
        assert not await store.write(lambda tx: tx.manifests.delete(here.id, big.digest))
        assert not await store.read(lambda tx: tx.manifests.is_blob_named(here.id, digests[5]))

    async def test_a_manifest_is_found_by_digest_and_tag_in_its_repository(
        self, store: MetadataDatabase
    ) -> None:
        here, there = await create(store), await create(store, OTHER)
        new = manifest(1, children=(digest_of(2),))
        assert await store.write(lambda tx: tx.manifests.put(here.id, new, NOW))
        retyped = replace(new, media_type="application/other")
        assert not await store.write(lambda tx: tx.manifests.put(here.id, retyped, NOW))
        await store.write(lambda tx: tx.tags.move(here.id, TAG, new.digest, actor="a", now=NOW))
        stored = StoredManifest(digest=new.digest, media_type="application/other", body=new.body)
        assert await store.find_manifest(NAME, new.digest) == stored
        assert await store.find_manifest(NAME, TAG) == stored
        assert await store.find_manifest(NAME, Tag("none")) is None
        assert await store.find_manifest(OTHER, new.digest) is None
        assert await store.read(lambda tx: tx.manifests.find(here.id, new.digest)) == stored
        assert await store.read(lambda tx: tx.manifests.find(there.id, new.digest)) is None
        assert not await store.read(lambda tx: tx.manifests.is_blob_named(here.id, digest_of(2)))

    async def test_referrers_come_in_pages_by_digest(self, store: MetadataDatabase) -> None:
        here, subject = await create(store), digest_of(0)
        made = [
            manifest(n, subject=subject, artifact_type=f"t{n % 2}", annotations={"é\0": f"{n}"})
            for n in range(6)
        ]
        for new in made:
            await put(store, here.id, new)

        async def page(after: str, limit: int, kind: str | None = None) -> list[str]:
            found = await store.read(
                lambda tx: tx.manifests.list_referrers(
                    here.id, subject, artifact_type=kind, after=after, limit=limit
                )
            )
            assert all(referrer.annotations["é\0"] for referrer in found)
            return [str(referrer.descriptor.digest) for referrer in found]

        everything = sorted(str(new.digest) for new in made)
        assert await page("", 9) == everything
        assert await page(everything[1], 2) == everything[2:4]
        assert len(await page("", 9, "t1")) == 3

    async def test_tags_move_and_go_in_byte_order(self, store: MetadataDatabase) -> None:
        here, one, two = await create(store), digest_of(1), digest_of(2)

        async def move(tag: str, digest: Digest) -> Digest | None:
            return await store.write(
                lambda tx: tx.tags.move(here.id, Tag(tag), digest, actor="a", now=NOW)
            )

        assert await move("b", one) is None
        assert await move("b", two) == one
        assert await move("b", two) == two
        for tag in ("a", "B", "_"):
            await move(tag, one)
        listed = await store.read(lambda tx: tx.tags.list(here.id, after="", limit=9))
        assert listed == ["B", "_", "a", "b"]
        assert await store.read(lambda tx: tx.tags.list(here.id, after="B", limit=1)) == ["_"]
        assert await store.write(lambda tx: tx.tags.remove(here.id, Tag("b"), actor="a", now=NOW))
        assert not await store.write(
            lambda tx: tx.tags.remove(here.id, Tag("b"), actor="a", now=NOW)
        )
        gone = await store.write(
            lambda tx: tx.tags.remove_pointing_at(here.id, one, actor="a", now=NOW)
        )
        assert gone == [Tag("B"), Tag("_"), Tag("a")]
        assert await store.read(lambda tx: tx.tags.find(here.id, Tag("a"))) is None

    async def test_an_upload_belongs_to_one_lease_holder(self, store: MetadataDatabase) -> None:
        await store.write(lambda tx: tx.uploads.add(session(), NOW))

        async def claim(owner: str, now: datetime) -> UploadSession | None:
            return await store.write(
                lambda tx: tx.uploads.claim(NAME, "u1", owner=owner, now=now, until=LATER)
            )

        async def renew(owner: str) -> bool:
            return await store.write(lambda tx: tx.uploads.renew("u1", owner=owner, until=LATER))

        assert await claim("p1/a", NOW) == session()
        assert await claim("p1/b", NOW) is None
        assert await renew("p1/a") and not await renew("p1/b")
        assert await claim("p2/b", LATER) == session()
        assert not await renew("p1/a")
        written = replace(session(), offset=9, hash_state=b"\0s", digest=digest_of(1))
        assert not await store.write(lambda tx: tx.uploads.release(written, owner="p1/a"))
        assert await store.read(lambda tx: tx.uploads.find(NAME, "u1")) == session()
        assert await store.write(lambda tx: tx.uploads.release(written, owner="p2/b"))
        assert not await store.write(lambda tx: tx.uploads.release(written, owner="p2/b"))
        assert await claim("p1/c", NOW) == written
        assert await store.write(lambda tx: tx.uploads.release_all(owner_prefix="P1/")) == 0
        assert await store.write(lambda tx: tx.uploads.release_all(owner_prefix="p1/")) == 1
        assert await claim("p3/d", NOW) == written

    async def test_a_discarded_or_expired_upload_is_dead_until_removed(
        self, store: MetadataDatabase
    ) -> None:
        for name, expires in (("old", NOW), ("held", NOW), ("gone", LATER), ("new", LATER)):
            new = session(name, expires)
            await add_upload(store, new)
        await store.write(
            lambda tx: tx.uploads.claim(NAME, "held", owner="p", now=NOW, until=LATER)
        )
        await store.write(lambda tx: tx.uploads.claim(NAME, "gone", owner="p", now=NOW, until=NOW))
        for _ in range(2):
            assert await store.write(lambda tx: tx.uploads.discard("gone"))
        assert not await store.write(lambda tx: tx.uploads.discard("never was"))
        assert await store.read(lambda tx: tx.uploads.find(NAME, "gone")) is None
        assert await store.read(lambda tx: tx.uploads.find(OTHER, "new")) is None
        assert not await store.write(lambda tx: tx.uploads.renew("gone", owner="p", until=LATER))
        dead = await store.read(lambda tx: tx.uploads.list_dead(now=NOW, limit=9))
        assert [upload.id for upload in dead] == ["old", "gone"]
        assert await store.read(lambda tx: tx.uploads.count_open()) == 3
        for _ in range(2):
            await store.write(lambda tx: tx.uploads.remove("old"))
        assert await store.read(lambda tx: tx.uploads.count_open()) == 2

    async def test_a_function_that_raises_changes_nothing(self, store: MetadataDatabase) -> None:
        def fail(tx: Transaction) -> None:
            tx.repositories.ensure(NAME, NOW)
            tx.append(change())
            raise Refused

        with pytest.raises(Refused):
            await store.write(fail)
        assert await store.read(lambda tx: tx.repositories.find(NAME)) is None
        assert await store.changes_since(0, 10) == []

    async def test_failing_jobs_do_not_harm_those_beside_them(
        self, store: MetadataDatabase
    ) -> None:
        def job(number: int) -> Callable[[Transaction], int]:
            def run(tx: Transaction) -> int:
                tx.uploads.add(session(f"u{number}"), NOW)
                tx.append(change(number))
                if number % 3 == 0:
                    raise Refused
                return number

            return run

        results = await asyncio.gather(
            *(store.write(job(n), durable=n % 2 == 0) for n in range(60)), return_exceptions=True
        )
        assert [r for r in results if isinstance(r, int)] == [n for n in range(60) if n % 3]
        assert sum(isinstance(r, Refused) for r in results) == 20
        assert await store.read(lambda tx: tx.uploads.count_open()) == 40
        log = await store.changes_since(0, 100)
        assert [revision for revision, _ in log] == list(range(1, 41))

    async def test_two_stores_on_one_database_lose_no_write(
        self, store: MetadataDatabase, open_another: OpenAnother
    ) -> None:
        another = open_another()

        def push(number: int) -> Callable[[Transaction], None]:
            def run(tx: Transaction) -> None:
                repository = tx.repositories.ensure(NAME, NOW)
                tx.repositories.mark_pushed(repository.id, NOW)
                tx.tags.move(repository.id, TAG, digest_of(number), actor="a", now=NOW)
                tx.append(change(number))

            return run

        try:
            stores = (store, another)
            await asyncio.gather(
                *(stores[n % 2].write(push(n), durable=n % 5 == 0) for n in range(200))
            )
            log = await another.changes_since(0, 1_000)
        finally:
            await another.close()
        assert [revision for revision, _ in log] == list(range(1, 201))
        assert {int(entry.object["number"]) for _, entry in log} == set(range(200))
        assert await store.changes_since(199, 10) == log[199:]
        assert await store.changes_since(0, 2) == log[:2]

    async def test_a_cancelled_caller_leaves_the_store_usable(
        self, store: MetadataDatabase
    ) -> None:
        tasks = [asyncio.create_task(create(store)) for _ in range(20)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await store.ping()
        assert (await create(store)).name == NAME
