"""What every metadata store does for image streams; and tags that move between repositories."""

import asyncio
import json
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from tests.contract.metadata_store import (
    NAME,
    NOW,
    OTHER,
    TAG,
    OpenAnother,
    create,
    digest_of,
    manifest,
)

from atomic_registry.content.images import delete_image, delete_manifest
from atomic_registry.content.ports import Repository, StoredBlob, Transaction
from atomic_registry.content.streams import (
    HeldManifest,
    ImageRecord,
    ObjectReference,
    StreamRecord,
    StreamSpec,
    TaggedDigest,
    TagReference,
)
from atomic_registry.content.tags import (
    Mover,
    link_manifest,
    move_tags,
    remove_tag,
    repository_change,
)
from atomic_registry.errors import (
    ImageInUse,
    ManifestUnknown,
    MissingReference,
    ObjectUnknown,
    StaleRevision,
)
from atomic_registry.identity.actors import Actor
from atomic_registry.kube.objects import ObjectMeta
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import RepositoryName, Tag
from atomic_registry.resources.images.sources import Source, lock_streams
from atomic_registry.store.metadata import MetadataDatabase

ACTOR = Actor(name="alice")
MOVER = Mover(actor=ACTOR, now=NOW, history_kept=3)
OCI = "application/vnd.oci.image.manifest.v1+json"
ROUNDS = 30


def image_body(number: int) -> tuple[Digest, bytes, Digest]:
    """An image of one blob; its digest, its bytes and the digest of the blob."""
    blob = digest_of(number)
    part = {"mediaType": "application/x", "digest": str(blob), "size": 7}
    body = json.dumps({"schemaVersion": 2, "mediaType": OCI, "config": part, "layers": []}).encode()
    return Digest.of(body), body, blob


def put_image(tx: Transaction, repository: Repository, number: int) -> Digest:
    digest, body, blob = image_body(number)
    tx.blobs.add(StoredBlob(digest=blob, size=7, key=f"k/{number}"), NOW)
    tx.blobs.link(repository.id, blob, NOW)
    one = manifest(digest=digest, body=body, media_type=OCI, blobs=(blob,))
    tx.manifests.put(repository.id, one, NOW)
    tx.repositories.mark_pushed(repository.id, NOW)
    return digest


def described(digest: Digest) -> ImageRecord:
    return ImageRecord(metadata=ObjectMeta(name=str(digest), labels={"a": "b"}))


def take_from(name: RepositoryName, digest: Digest, tx: Transaction) -> None:
    repository = tx.repositories.find(name, lock="exclusive")
    assert repository is not None
    assert delete_manifest(tx, repository, digest, MOVER)


async def tagged(store: MetadataDatabase, name: RepositoryName, number: int, *tags: str) -> Digest:
    def push(tx: Transaction) -> Digest:
        repository = tx.repositories.ensure(name, NOW)
        digest = put_image(tx, repository, number)
        move_tags(tx, repository, [Tag(tag) for tag in tags], digest, MOVER)
        return digest

    return await store.write(push)


def one_tagged(after: tuple[str, str], tx: Transaction) -> list[tuple[TaggedDigest, HeldManifest]]:
    return tx.streams.list_tagged(project=None, after=after, limit=1)


class ImageStreamContract:
    async def test_a_repository_shows_as_a_stream_from_its_first_change_on(
        self, store: MetadataDatabase
    ) -> None:
        await create(store)
        assert [] == await store.read(
            lambda tx: tx.streams.list_streams(project=None, after="", limit=9)
        )
        hidden = await store.read(lambda tx: tx.streams.find(NAME))
        assert hidden is not None and 0 == hidden.revision

        await store.write(lambda tx: tx.append(repository_change("created", ACTOR, NAME)))
        await tagged(store, OTHER, 1, "a")

        found = await store.read(
            lambda tx: tx.streams.list_streams(project="project", after="", limit=9)
        )
        assert [(NAME, 1), (OTHER, 2)] == [(it.name, it.revision) for it in found]
        after = await store.read(
            lambda tx: tx.streams.list_streams(project=None, after=str(NAME), limit=9)
        )
        assert [OTHER] == [it.name for it in after]
        assert [] == await store.read(
            lambda tx: tx.streams.list_streams(project="proj", after="", limit=9)
        )

    async def test_a_stream_comes_with_what_is_said_of_it(self, store: MetadataDatabase) -> None:
        deep = RepositoryName("project/team/app")
        for number, name in enumerate((deep, NAME)):
            await tagged(store, name, number, "v1")
        meta = ObjectMeta(name="team~app", namespace="project", labels={"a": "b"})
        record = StreamRecord(metadata=meta)
        await store.write(lambda tx: tx.objects.add(record, actor="alice", now=NOW))
        found = await store.read(lambda tx: tx.streams.find_all([NAME, deep, OTHER]))
        labels = {it.name: it.record.metadata.labels if it.record else None for it in found}
        assert {deep: {"a": "b"}, NAME: None} == labels

    async def test_history_is_bounded_and_outlives_the_tag(self, store: MetadataDatabase) -> None:
        digests = [await tagged(store, NAME, number, "latest") for number in range(5)]
        stream = await store.read(lambda tx: tx.streams.find(NAME))
        assert stream is not None
        tags = ["latest", "never"]
        ids = [stream.id]
        newest = await store.read(lambda tx: tx.streams.list_histories(ids, limit=2))
        assert digests[:2:-1] == [event.digest for event in newest]
        everything = await store.read(lambda tx: tx.streams.list_history(ids[0], tags, limit=99))
        assert 3 == len(everything)
        assert [] == await store.read(lambda tx: tx.streams.list_removals(stream.id, limit=9))

        await store.write(lambda tx: tx.tags.remove(stream.id, TAG, actor="alice", now=NOW))
        assert [] == await store.read(lambda tx: tx.streams.list_histories(ids, limit=99))
        kept = await store.read(lambda tx: tx.streams.list_history(ids[0], tags, limit=99))
        assert everything == kept
        gone = await store.read(lambda tx: tx.streams.list_removals(stream.id, limit=9))
        assert ["latest"] == [event.tag for event in gone]
        await tagged(store, NAME, 1, "latest")
        assert [] == await store.read(lambda tx: tx.streams.list_removals(stream.id, limit=9))

    async def test_tags_and_images_come_in_order_and_by_pages(
        self, store: MetadataDatabase
    ) -> None:
        one = await tagged(store, NAME, 1, "a", "b")
        await tagged(store, OTHER, 1, "a")
        two = await tagged(store, OTHER, 2, "z")
        pairs, after = [], ("", "")
        while page := await store.read(partial(one_tagged, after)):
            ((tag, held),) = page
            after = (str(held.repository), tag.tag)
            pairs.append((*after, held.digest))
        assert [
            (str(NAME), "a", one), (str(NAME), "b", one),
            (str(OTHER), "a", one), (str(OTHER), "z", two),
        ] == pairs  # fmt: skip
        images = await store.read(lambda tx: tx.streams.list_images(after="", limit=9))
        assert sorted(map(str, (one, two))) == [str(it.digest) for it in images]
        last = str(images[0].digest)
        rest = await store.read(lambda tx: tx.streams.list_images(after=last, limit=9))
        assert images[1:] == rest
        found_image = await store.read(lambda tx: tx.streams.find_image(one))
        assert found_image is not None and NAME == found_image.repository
        stream = await store.read(lambda tx: tx.streams.find(OTHER))
        assert stream is not None
        begun = str(two)[:20]
        found = await store.read(
            lambda tx: tx.streams.list_manifests(stream.id, prefix=begun, limit=9)
        )
        assert [two] == [it.digest for it in found]
        pointed = await store.read(lambda tx: tx.streams.find_tag(stream.id, "z"))
        assert pointed is not None and two == pointed[0].digest
        tags = await store.read(lambda tx: tx.streams.list_tags([stream.id], limit=9))
        assert ["a", "z"] == [it.tag for it in tags]

    async def test_a_removed_repository_leaves_nothing(self, store: MetadataDatabase) -> None:
        digest = await tagged(store, NAME, 1, "a")
        stream = await store.read(lambda tx: tx.streams.find(NAME))
        assert stream is not None
        await store.write(lambda tx: tx.repositories.remove(stream.id, NAME))
        assert await store.find_manifest(NAME, digest) is None
        assert await store.read(lambda tx: tx.streams.find_image(digest)) is None
        assert await store.read(lambda tx: tx.streams.find(NAME)) is None

    async def test_an_image_goes_from_every_repository_once_nothing_uses_it(
        self, store: MetadataDatabase
    ) -> None:
        digest = await tagged(store, OTHER, 1, "v1")
        assert digest == await tagged(store, NAME, 1)
        holders = await store.read(lambda tx: tx.images.list_holders(digest, limit=9))
        assert [OTHER, NAME] == holders

        with pytest.raises(ImageInUse, match=f"{OTHER}:v1"):
            await store.write(lambda tx: delete_image(tx, digest, MOVER))
        assert holders == await store.read(lambda tx: tx.images.list_holders(digest, limit=9))

        def release(tx: Transaction) -> None:
            repository = tx.repositories.find(OTHER)
            assert repository is not None
            remove_tag(tx, repository, Tag("v1"), MOVER)
            tx.objects.add(described(digest), actor="alice", now=NOW)

        await store.write(release)
        await store.write(lambda tx: delete_image(tx, digest, MOVER))
        assert [] == await store.read(lambda tx: tx.images.list_holders(digest, limit=9))
        assert [] == await store.read(lambda tx: tx.images.list_described([digest]))
        with pytest.raises(ObjectUnknown):
            await store.write(lambda tx: delete_image(tx, digest, MOVER))

    async def test_what_is_said_of_an_image_stays_while_a_repository_holds_it(
        self, store: MetadataDatabase
    ) -> None:
        digest = await tagged(store, OTHER, 1, "v1")
        await tagged(store, NAME, 1)
        await store.write(lambda tx: tx.objects.add(described(digest), actor="alice", now=NOW))
        left = []
        for name in (OTHER, NAME):
            await store.write(partial(take_from, name, digest))
            left.append(await store.read(lambda tx: tx.images.list_described([digest])))

        assert [[digest], []] == left

    async def test_a_manifest_is_linked_with_all_that_it_names_or_not_at_all(
        self, store: MetadataDatabase
    ) -> None:
        digest = await tagged(store, NAME, 1, "a")
        source, target = await create(store), await create(store, OTHER)
        await store.write(lambda tx: link_manifest(tx, source, target, digest, NOW))
        assert await store.find_blob(OTHER, digest_of(1)) is not None
        assert await store.find_manifest(OTHER, digest) is not None
        with pytest.raises(ManifestUnknown):
            await store.write(lambda tx: link_manifest(tx, source, target, digest_of(9), NOW))
        await store.write(lambda tx: tx.blobs.unlink(source.id, digest_of(1)))
        with pytest.raises(MissingReference):
            await store.write(lambda tx: link_manifest(tx, source, target, digest, NOW))

    async def test_a_push_moves_the_tags_that_follow_and_no_circle_holds_it(
        self, store: MetadataDatabase
    ) -> None:
        def reference(name: str, source: str) -> TagReference:
            return TagReference(
                name=name, source=ObjectReference(kind="ImageStreamTag", name=source)
            )

        tags = [reference("b", "a"), reference("c", "app:b"), reference("a", "c")]
        meta = ObjectMeta(name="app", namespace="project")
        record = StreamRecord(metadata=meta, spec=StreamSpec(tags=tags))
        await store.write(lambda tx: tx.objects.add(record, actor="alice", now=NOW))
        digest = await tagged(store, NAME, 1, "a")
        assert [digest] * 3 == [
            found.digest
            for tag in "abc"
            if (found := await store.find_manifest(NAME, Tag(tag))) is not None
        ]

    async def test_taggings_back_and_forth_at_once_all_end(
        self, store: MetadataDatabase, open_another: OpenAnother
    ) -> None:
        other = open_another()
        digests = {
            NAME: await tagged(store, NAME, 1, "a"),
            OTHER: await tagged(store, OTHER, 2, "a"),
        }

        def retag(tx: Transaction, target: RepositoryName, source: RepositoryName) -> None:
            _, found = lock_streams(tx, target, [Source(repository=source, tag=Tag("a"))])
            link_manifest(tx, found[source], found[target], digests[source], NOW)
            move_tags(tx, found[target], [Tag("b")], digests[source], MOVER)
            tx.repositories.mark_pushed(found[target].id, NOW + timedelta(seconds=1))

        async def work(which: MetadataDatabase, target: RepositoryName) -> None:
            source = OTHER if target == NAME else NAME
            for _ in range(ROUNDS):
                await which.write(lambda tx: retag(tx, target, source), durable=False)

        try:
            async with asyncio.timeout(30):
                await asyncio.gather(
                    *(work(which, name) for which in (store, other) for name in (NAME, OTHER))
                )
        finally:
            await other.close()
        found = await store.find_manifest(NAME, Tag("b"))
        assert found is not None and digests[OTHER] == found.digest

    async def test_a_deletion_and_a_push_at_once_leave_no_tag_without_its_image(
        self, store: MetadataDatabase, open_another: OpenAnother
    ) -> None:
        other = open_another()
        digest = await tagged(store, OTHER, 1)

        def untag(tx: Transaction) -> None:
            repository = tx.repositories.find(NAME, lock="exclusive")
            assert repository is not None
            remove_tag(tx, repository, TAG, MOVER)

        async def push() -> None:
            for _ in range(ROUNDS):
                await tagged(store, NAME, 1, str(TAG))
                found = await store.find_manifest(NAME, TAG)
                assert found is not None and digest == found.digest
                await store.write(untag, durable=False)

        async def delete() -> None:
            for _ in range(ROUNDS):
                with suppress(ImageInUse, ObjectUnknown, StaleRevision):
                    await other.write(lambda tx: delete_image(tx, digest, MOVER), durable=False)

        try:
            async with asyncio.timeout(30):
                await asyncio.gather(push(), delete())
        finally:
            await other.close()
