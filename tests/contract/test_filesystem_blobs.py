import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.blob_store import KEY, MIB, BlobStoreContract, read_all, store_blob

from atomic_registry.content.ports import BlobStore
from atomic_registry.errors import StorageFailed, StorageFull
from atomic_registry.oci.digest import Digest, PlainHasher, ResumableHasher
from atomic_registry.store.blobs.filesystem import FilesystemBlobStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BlobStore]:
    store = FilesystemBlobStore(tmp_path)
    yield store
    store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    mounted = os.geteuid() == 0 and subprocess.run(command, check=False).returncode == 0
    if not mounted:
        if os.environ.get("ATOMIC_TEST_REQUIRE_ALL") == "1":
            pytest.fail("mounting a small disk needs root")
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


class TestFilesystemBlobStore(BlobStoreContract):
    pass


async def test_a_full_disk_stops_an_upload_that_goes_on_once_there_is_space(
    small_disk: Path,
) -> None:
    store = FilesystemBlobStore(small_disk)
    (small_disk / "ballast").write_bytes(bytes(2 * MIB))
    content = os.urandom(3 * MIB + 17)
    hasher = ResumableHasher("sha256")
    writer = await store.create(KEY, hasher)
    with pytest.raises(StorageFull):
        for start in range(0, len(content), 100_000):
            await writer.write(content[start : start + 100_000])
        await writer.flush()
    with pytest.raises(StorageFull):
        await store.probe()
    await writer.close()
    kept = writer.offset
    assert (small_disk / KEY).stat().st_size == kept
    assert Digest.of(content[:kept]) == hasher.digest()
    (small_disk / "ballast").unlink()
    writer = await store.resume(KEY, kept, hasher)
    await writer.write(content[kept:])
    await writer.finish()
    assert Digest.of(content) == hasher.digest()
    assert content == await read_all(store, KEY, 0, len(content))
    store.close()


async def test_nothing_stays_open_after_failures_and_finishes(
    store: FilesystemBlobStore,
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    await store_blob(store, KEY, b"abc")
    with pytest.raises(StorageFailed):
        await store.resume(KEY, 9, PlainHasher("sha256"))
    with pytest.raises(StorageFailed):
        await store.open("blobs/ab")
    await read_all(store, KEY, 0, 3)
    await store.probe()
    assert before == len(os.listdir("/proc/self/fd"))


async def test_files_and_directories_are_closed_to_others(
    tmp_path: Path, store: FilesystemBlobStore
) -> None:
    await store_blob(store, KEY, b"abc")
    assert 0 == (tmp_path / KEY).stat().st_mode & 0o137
    assert 0 == (tmp_path / KEY).parent.stat().st_mode & 0o027


async def test_a_probe_leaves_no_file(tmp_path: Path, store: FilesystemBlobStore) -> None:
    await store.probe()
    assert [] == list((tmp_path / "blobs").iterdir())


async def test_a_missing_root_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    store = FilesystemBlobStore(tmp_path / "unmounted")
    with pytest.raises(StorageFailed):
        await store.probe()
    assert [] == list(tmp_path.iterdir())
    store.close()
