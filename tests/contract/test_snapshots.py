"""Copies of the database for backups: the same rows from every database."""

from pathlib import Path

import pytest
from tests.kit.images import image
from tests.kit.postgres import Postgres
from tests.kit.pushes import push

from atomic_registry.clock import SystemClock
from atomic_registry.errors import MetadataFailed
from atomic_registry.oci.reference import RepositoryName, Tag
from atomic_registry.store.blobs.memory import MemoryBlobStore
from atomic_registry.store.metadata import open_metadata, prepare_metadata
from atomic_registry.store.metadata.snapshots import check_copy, copy_metadata, list_copied_blobs

ONE = image("one", layers=2, size=1000)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        found = f"sqlite:///{tmp_path}/metadata.db"
        prepare_metadata(found)
    else:
        server: Postgres = request.getfixturevalue("server")
        found = server.new_registry()
    return found


async def test_a_copy_is_a_database_with_the_same_images(url: str, tmp_path: Path) -> None:
    original = open_metadata(url, SystemClock())
    digest = await push(original, MemoryBlobStore(), "demo/one", ONE, "v1")
    facts = copy_metadata(url, tmp_path / "copy.db")
    revision = await original.last_revision()
    await original.close()
    assert check_copy(tmp_path / "copy.db") == []
    assert (facts.repositories, facts.tags, facts.blobs) == (1, 1, 3)
    listed = {str(blob.digest): blob.size for blob in list_copied_blobs(tmp_path / "copy.db")}
    assert listed == {blob.digest: len(blob.data) for blob in ONE.blobs}
    copy = open_metadata(f"sqlite:///{tmp_path}/copy.db", SystemClock())
    found = await copy.find_manifest(RepositoryName("demo/one"), Tag("v1"))
    assert found is not None
    assert (found.digest, found.body) == (digest, ONE.manifest.data)
    assert await copy.last_revision() == revision
    # Numbers of rows go on where they ended.
    await push(copy, MemoryBlobStore(), "demo/two", image("two", layers=1, size=10), "v1")
    await copy.close()


async def test_a_copy_is_of_the_moment_at_which_it_was_made(url: str, tmp_path: Path) -> None:
    original = open_metadata(url, SystemClock())
    await push(original, MemoryBlobStore(), "demo/one", ONE, "v1")
    copy_metadata(url, tmp_path / "copy.db")
    await push(original, MemoryBlobStore(), "demo/two", image("two", layers=1, size=10), "v1")
    await original.close()
    assert len(list(list_copied_blobs(tmp_path / "copy.db"))) == len(ONE.blobs)


def test_what_is_no_database_cannot_be_copied(tmp_path: Path) -> None:
    (tmp_path / "metadata.db").write_bytes(b"no database" * 1000)
    with pytest.raises(MetadataFailed):
        copy_metadata(f"sqlite:///{tmp_path}/metadata.db", tmp_path / "copy.db")


def test_a_page_that_was_changed_is_found(url: str, tmp_path: Path) -> None:
    copy_metadata(url, tmp_path / "copy.db")
    content = bytearray((tmp_path / "copy.db").read_bytes())
    content[4096:4200] = bytes(104)
    (tmp_path / "copy.db").write_bytes(content)
    assert check_copy(tmp_path / "copy.db") != []
