"""`backup drill`: a restore that is tried, and leaves nothing behind."""

import json
import os
import shutil
from pathlib import Path

import pytest

from atomic_registry.clock import SystemClock
from atomic_registry.store.blobs.filesystem import FilesystemBlobStore
from atomic_registry.store.metadata import open_metadata, prepare_metadata
from tests.kit.commands import call
from tests.kit.images import image
from tests.kit.pushes import push
from tests.system.test_backup import create


@pytest.fixture
async def root(tmp_path: Path) -> Path:
    """The root of a registry with two images, whose settings would lead a drill astray."""
    root = tmp_path / "root"
    url = f"sqlite:///{root}/datastore/metadata.db"
    prepare_metadata(url)
    (root / "registry").mkdir()
    metadata, blobs = open_metadata(url, SystemClock()), FilesystemBlobStore(root / "registry")
    for name in ("one", "two"):
        await push(metadata, blobs, f"demo/{name}", image(name, layers=2, size=5000), "v1")
    await metadata.close()
    blobs.close()
    (root / "config.yaml").write_text("http: {listen: '127.0.0.1:1'}\n")
    return root


def test_a_drill_pulls_what_was_backed_up_and_leaves_nothing_behind(
    root: Path, tmp_path: Path
) -> None:
    place, scratch = tmp_path / "place", tmp_path / "scratch"
    scratch.mkdir()
    create(place, root)
    done = call("backup", "drill", place, "--to", scratch, "--json")
    assert done.returncode == 0, done.stderr
    drilled = json.loads(done.stdout)
    assert (drilled["images"], drilled["faults"]) == (2, [])
    assert drilled["bytes"] > 20_000
    assert os.listdir(scratch) == []


def test_a_drill_of_a_backup_that_lacks_a_blob_fails_by_its_digest(
    root: Path, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    lost = max(
        (path for path in (root / "registry").rglob("*") if path.is_file()), key=os.path.getsize
    )
    lost.unlink()
    done = call("backup", "create", place, "--root", root, "--json")
    digest = json.loads(done.stdout)["missing"][0]["digest"]
    done = call("backup", "drill", place, "--to", tmp_path)
    assert done.returncode == 1, done.stdout
    assert digest in done.stderr and "would not bring everything back" in done.stderr
    assert not list(tmp_path.glob("atomic-registry-drill-*"))


def test_a_drill_of_a_damaged_backup_fails_before_anything_is_served(
    root: Path, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    create(place, root)
    shutil.rmtree(place / "blobs")
    done = call("backup", "drill", place, "--to", tmp_path)
    assert done.returncode == 1 and "is missing in the backup" in done.stderr
    assert not list(tmp_path.glob("atomic-registry-drill-*"))
