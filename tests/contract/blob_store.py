"""What every blob store must do; a test module of an adapter gives the `store` fixture."""

import asyncio
import os

import pytest

from atomic_registry.content.ports import BlobStore
from atomic_registry.errors import StorageFailed, UploadBusy
from atomic_registry.oci.digest import Digest, Hasher, PlainHasher, ResumableHasher

KEY = "blobs/ab/ab0123456789abcdef0123456789abcd"
MIB = 1024 * 1024


async def read_all(store: BlobStore, key: str, offset: int, length: int) -> bytes:
    reader = await store.open(key)
    try:
        return b"".join([piece async for piece in reader.read(offset, length)])
    finally:
        reader.close()


async def store_blob(store: BlobStore, key: str, content: bytes, chunk: int = 200_000) -> Hasher:
    hasher = ResumableHasher("sha256")
    writer = await store.create(key, hasher)
    for start in range(0, len(content), chunk):
        await writer.write(content[start : start + chunk])
    await writer.finish()
    return hasher


class BlobStoreContract:
    """The suite."""

    @pytest.mark.parametrize("size", [0, 1, 2048, MIB, MIB + 1, 5 * MIB + 7])
    async def test_a_finished_blob_reads_back_and_its_digest_is_that_of_its_bytes(
        self, store: BlobStore, size: int
    ) -> None:
        content = os.urandom(size)
        hasher = await store_blob(store, KEY, content)
        assert Digest.of(content) == hasher.digest()
        assert content == await read_all(store, KEY, 0, size)

    async def test_thousands_of_tiny_chunks_are_kept_in_order(self, store: BlobStore) -> None:
        content = os.urandom(100_003)
        await store_blob(store, KEY, content, chunk=17)
        assert content == await read_all(store, KEY, 0, len(content))

    async def test_a_range_reads_only_its_bytes(self, store: BlobStore) -> None:
        content = os.urandom(3 * MIB)
        await store_blob(store, KEY, content)
        assert content[5 : 2 * MIB + 5] == await read_all(store, KEY, 5, 2 * MIB)

    async def test_pieces_are_at_most_one_mebibyte(self, store: BlobStore) -> None:
        await store_blob(store, KEY, bytes(2 * MIB + 1))
        reader = await store.open(KEY)
        sizes = [len(piece) async for piece in reader.read(0, 2 * MIB + 1)]
        reader.close()
        assert max(sizes) <= MIB

    async def test_reading_beyond_the_end_fails(self, store: BlobStore) -> None:
        await store_blob(store, KEY, b"abc")
        with pytest.raises(StorageFailed):
            await read_all(store, KEY, 0, 4)

    async def test_a_missing_key_cannot_be_opened(self, store: BlobStore) -> None:
        with pytest.raises(StorageFailed):
            await store.open(KEY)

    async def test_flush_makes_the_offset_count_all_bytes_taken(self, store: BlobStore) -> None:
        writer = await store.create(KEY, PlainHasher("sha256"))
        await writer.write(b"abc")
        await writer.flush()
        assert 3 == writer.offset
        await writer.close()

    async def test_an_upload_continues_where_it_was_left(self, store: BlobStore) -> None:
        hasher = ResumableHasher("sha256")
        first = await store.create(KEY, hasher)
        await first.write(b"abc")
        await first.flush()
        await first.close()
        second = await store.resume(KEY, 3, hasher)
        await second.write(b"def")
        await second.finish()
        assert 6 == second.offset
        assert Digest.of(b"abcdef") == hasher.digest()
        assert b"abcdef" == await read_all(store, KEY, 0, 6)

    async def test_resuming_drops_bytes_beyond_the_offset(self, store: BlobStore) -> None:
        await store_blob(store, KEY, b"abcXXXXXX")
        writer = await store.resume(KEY, 3, PlainHasher("sha256"))
        await writer.write(b"def")
        await writer.finish()
        assert b"abcdef" == await read_all(store, KEY, 0, 6)
        with pytest.raises(StorageFailed):
            await read_all(store, KEY, 6, 1)

    async def test_a_key_never_written_to_resumes_at_zero(self, store: BlobStore) -> None:
        hasher = PlainHasher("sha256")
        writer = await store.resume(KEY, 0, hasher)
        await writer.write(b"abc")
        await writer.finish()
        assert Digest.of(b"abc") == hasher.digest()

    async def test_resuming_beyond_what_is_held_fails(self, store: BlobStore) -> None:
        await store_blob(store, KEY, b"abc")
        for key in (KEY, KEY + "f"):
            with pytest.raises(StorageFailed):
                await store.resume(key, 4, PlainHasher("sha256"))

    async def test_a_second_writer_is_refused_until_the_first_closes(
        self, store: BlobStore
    ) -> None:
        first = await store.create(KEY, PlainHasher("sha256"))
        await first.write(b"abc")
        await first.flush()
        with pytest.raises(UploadBusy):
            await store.resume(KEY, 3, PlainHasher("sha256"))
        await first.close()
        second = await store.resume(KEY, 3, PlainHasher("sha256"))
        await second.close()

    async def test_a_key_is_created_only_once(self, store: BlobStore) -> None:
        await store_blob(store, KEY, b"abc")
        with pytest.raises(StorageFailed):
            await store_blob(store, KEY, b"def")
        assert b"abc" == await read_all(store, KEY, 0, 3)

    async def test_closing_twice_and_closing_unused_writers_does_nothing(
        self, store: BlobStore
    ) -> None:
        writer = await store.create(KEY, PlainHasher("sha256"))
        await writer.close()
        await writer.close()
        with pytest.raises(StorageFailed):
            await store.open(KEY)

    async def test_a_cancelled_write_leaves_offset_bytes_and_hash_in_agreement(
        self, store: BlobStore
    ) -> None:
        content = os.urandom(8 * MIB)
        hasher = ResumableHasher("sha256")
        writer = await store.create(KEY, hasher)

        async def push() -> None:
            for start in range(0, len(content), MIB):
                await writer.write(content[start : start + MIB])

        task = asyncio.create_task(push())
        await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await writer.close()
        assert Digest.of(content[: writer.offset]) == hasher.digest()
        again = await store.resume(KEY, writer.offset, hasher)
        await again.write(content[writer.offset :])
        await again.finish()
        assert Digest.of(content) == hasher.digest()
        assert content == await read_all(store, KEY, 0, len(content))

    async def test_a_prefix_is_hashed_again(self, store: BlobStore) -> None:
        content = os.urandom(2 * MIB + 9)
        await store_blob(store, KEY, content)
        hasher = ResumableHasher("sha256")
        await store.hash_prefix(KEY, MIB + 3, hasher)
        assert Digest.of(content[: MIB + 3]) == hasher.digest()
        with pytest.raises(StorageFailed):
            await store.hash_prefix(KEY, len(content) + 1, PlainHasher("sha256"))

    async def test_deleting_is_idempotent(self, store: BlobStore) -> None:
        await store_blob(store, KEY, b"abc")
        await store.delete(KEY)
        await store.delete(KEY)
        with pytest.raises(StorageFailed):
            await store.open(KEY)

    @pytest.mark.parametrize("key", ["/etc/passwd", "blobs/../../x", "a\0b", "", "a//b", "./a"])
    async def test_keys_that_could_leave_the_root_are_refused(
        self, store: BlobStore, key: str
    ) -> None:
        with pytest.raises(ValueError):
            await store.create(key, PlainHasher("sha256"))
        with pytest.raises(ValueError):
            await store.open(key)
        with pytest.raises(ValueError):
            await store.delete(key)

    async def test_a_probe_of_a_healthy_store_passes_and_touches_no_blob(
        self, store: BlobStore
    ) -> None:
        await store_blob(store, KEY, b"abc")
        for _ in range(2):
            await store.probe()
        assert b"abc" == await read_all(store, KEY, 0, 3)
