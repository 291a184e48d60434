"""Backups of a running registry, and the way back: nothing lost, nothing half done."""

import contextlib
import json
import os
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.commands import call
from tests.kit.http import RegistryClient
from tests.kit.images import image
from tests.kit.optional import need_commands, need_root, run
from tests.kit.registry import Registry, running_registry


def succeed(*arguments: str | Path) -> str:
    """Runs a command that must succeed; what it printed."""
    done = call(*arguments)
    assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def refuse(*arguments: str | Path, code: int = 1) -> str:
    """Runs a command that must end with an error; what it said."""
    done = call(*arguments)
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stderr


def create(place: Path, root: Path, *options: str) -> dict[str, object]:
    """Makes a backup; its report."""
    report = json.loads(succeed("backup", "create", place, "--root", root, "--json", *options))
    assert isinstance(report, dict)
    return report


def push(registry: Registry, *names: str, size: int = 50_000) -> None:
    """Pushes an image of its own bytes under each name."""
    with RegistryClient(registry.host) as client:
        for name in names:
            client.push_image(f"demo/{name}", "v1", image(name, layers=2, size=size))


@contextlib.contextmanager
def restored(place: Path, directory: Path, *options: str) -> Iterator[RegistryClient]:
    """A registry from the backup, in a directory of its own."""
    succeed("restore", place, "--to", directory / "root", *options)
    with (
        running_registry(directory, root=directory / "root", workers=1) as started,
        RegistryClient(started.host) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that keeps running; tests add to it and take nothing away."""
    directory = tmp_path_factory.mktemp("original")
    with running_registry(directory, workers=1) as started:
        keys = started.root / "master"
        keys.mkdir(mode=0o750)
        (keys / "ca.key").write_text("the key")
        (keys / "ca.key").chmod(0o600)
        push(started, "one", "two")
        yield started


@pytest.fixture(scope="module")
def backup(original: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of it, to be copied before it is changed."""
    place = tmp_path_factory.mktemp("backup") / "place"
    create(place, original.root)
    return place


@pytest.fixture
def copied(backup: Path, tmp_path: Path) -> Path:
    """A copy of the backup, to be damaged."""
    return Path(shutil.copytree(backup, tmp_path / "copied"))


def blobs_of(place: Path) -> list[Path]:
    """The files of the blobs in a backup."""
    return sorted(path for path in (place / "blobs").rglob("*") if path.is_file())


def flip(path: Path, at: int) -> None:
    """Changes one bit of one byte."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_every_image_of_the_moment_can_be_pulled_from_a_backup_made_under_pushes(
    original: Registry, tmp_path: Path
) -> None:
    stop, pushed = threading.Event(), ["one", "two"]

    def keep_pushing() -> None:
        while not stop.is_set():
            name = f"loop-{len(pushed)}"
            push(original, name)
            pushed.append(name)

    pusher = threading.Thread(target=keep_pushing)
    pusher.start()
    try:
        certain = list(pushed)
        while len(pushed) < 8:
            certain = list(pushed)
        create(tmp_path / "place", original.root)
    finally:
        stop.set()
        pusher.join()
    assert len(pushed) > len(certain), "nothing was pushed while the backup ran"
    succeed("backup", "verify", tmp_path / "place")
    with restored(tmp_path / "place", tmp_path / "second") as client:
        for name in certain:
            client.assert_pullable(f"demo/{name}", "v1")
        # What was pushed later is there whole or not at all.
        for name in pushed:
            if client.pull_manifest(f"demo/{name}", "v1").status == 200:
                client.assert_pullable(f"demo/{name}", "v1")


def test_skopeo_pulls_from_a_restored_tar_file_what_it_pushed(
    original: Registry, tmp_path: Path
) -> None:
    need_commands("skopeo", "umoci")
    layout = tmp_path / "layout"
    run(["umoci", "init", "--layout", layout])
    run(["umoci", "new", "--image", f"{layout}:v1"])
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "hello").write_text("hello\n" * 1000)
    run(["umoci", "insert", "--rootless", "--image", f"{layout}:v1", tmp_path / "content", "/c"])
    copy = ["skopeo", "--insecure-policy", "copy"]
    pushed = f"docker://{original.host}/demo/skopeo:v1"
    run([*copy, "--dest-tls-verify=false", f"oci:{layout}:v1", pushed])
    create(tmp_path / "backup.tar", original.root)
    assert stat.S_IMODE((tmp_path / "backup.tar").stat().st_mode) == 0o600
    succeed("backup", "verify", tmp_path / "backup.tar")
    with restored(tmp_path / "backup.tar", tmp_path / "second") as client:
        pulled = f"docker://{client.host}/demo/skopeo:v1"
        run([*copy, "--src-tls-verify=false", pulled, f"dir:{tmp_path / 'pulled'}"])
    before = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]
    manifest = (tmp_path / "pulled" / "manifest.json").read_bytes()
    assert before.removeprefix("sha256:") == __import__("hashlib").sha256(manifest).hexdigest()


def test_keys_come_back_with_their_rights_and_nobody_else_can_read_the_backup(
    backup: Path, tmp_path: Path
) -> None:
    for path in (backup, *backup.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    succeed("restore", backup, "--to", tmp_path / "root")
    key = tmp_path / "root" / "master" / "ca.key"
    assert (key.read_text(), stat.S_IMODE(key.stat().st_mode)) == ("the key", 0o600)
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o750


def test_a_second_backup_copies_only_what_is_new_and_shares_no_file_with_the_registry(
    original: Registry, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    first = create(place, original.root)
    assert first["copied"] == first["blobs"]
    push(original, "three")
    second = create(place, original.root)
    assert second["copied"] == 3, "two layers and a configuration"
    assert all(path.stat().st_nlink == 1 for path in blobs_of(place))
    assert len(json.loads(succeed("backup", "list", place, "--json"))) == 2
    assert "last-backup.json" in os.listdir(original.root)


def test_one_changed_bit_in_a_blob_is_found_and_mended(original: Registry, copied: Path) -> None:
    damaged = blobs_of(copied)[-1]
    flip(damaged, damaged.stat().st_size // 2)
    said = refuse("backup", "verify", copied)
    assert damaged.name in said and "--rehash" in said
    assert "damaged" in refuse("restore", copied, "--to", copied.parent / "root")
    assert not (copied.parent / "root").exists()
    create(copied, original.root, "--rehash")
    succeed("backup", "verify", copied)


@pytest.mark.parametrize("name", ["manifest.json", "database.sqlite", "files/master/ca.key"])
def test_one_changed_bit_in_any_other_file_is_found(copied: Path, name: str) -> None:
    (snapshot,) = (copied / "snapshots").iterdir()
    flip(snapshot / name, 3)
    assert name in refuse("backup", "verify", copied)
    refuse("restore", copied, "--to", copied.parent / "root")
    assert not (copied.parent / "root").exists()


def test_a_blob_that_the_registry_has_lost_is_told_and_the_others_are_saved(
    backup: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    succeed("restore", backup, "--to", root)
    lost = next(path for path in (root / "registry").rglob("*") if path.is_file())
    lost.unlink()
    done = call("backup", "create", tmp_path / "place", "--root", root, "--json")
    assert done.returncode == 3
    report = json.loads(done.stdout)
    assert report["copied"] == report["blobs"] - 1
    assert len(report["missing"]) == 1
    assert report["missing"][0]["digest"] in refuse("backup", "verify", tmp_path / "place")


def test_a_restore_over_data_is_refused_and_with_force_moves_it_aside(
    backup: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    succeed("restore", backup, "--to", root)
    (root / "master" / "ca.key").write_text("newer")
    assert "--force" in refuse("restore", backup, "--to", root)
    assert (root / "master" / "ca.key").read_text() == "newer"
    succeed("restore", backup, "--to", root, "--force")
    assert (root / "master" / "ca.key").read_text() == "the key"
    (aside,) = root.glob(".replaced-*")
    assert (aside / "master" / "ca.key").read_text() == "newer"


def test_a_restore_over_a_running_registry_is_refused(original: Registry, backup: Path) -> None:
    assert "stop it first" in refuse("restore", backup, "--to", original.root, "--force")
    assert original.answers()


def test_a_backup_of_a_newer_schema_is_refused_before_anything_is_written(
    copied: Path, tmp_path: Path
) -> None:
    from atomic_registry.system.backup.manifest import CHECKSUM, MANIFEST

    (snapshot,) = (copied / "snapshots").iterdir()
    document = json.loads((snapshot / MANIFEST).read_text())
    document["database"].update(compat_version=99, schema_version=99, compat_release="9.9")
    (snapshot / MANIFEST).write_text(json.dumps(document))
    line = run(["sha256sum", MANIFEST], cwd=snapshot)
    (snapshot / CHECKSUM).write_text(line)
    said = refuse("restore", copied, "--to", tmp_path / "root")
    assert "install Atomic Registry 9.9 or later" in said
    assert not (tmp_path / "root").exists()


def test_a_full_disk_ends_a_backup_and_leaves_the_former_one_whole(
    original: Registry, tmp_path: Path
) -> None:
    need_root()
    need_commands("mount", "umount")
    disk = tmp_path / "disk"
    disk.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "size=8m", "small-disk", disk])
    try:
        create(disk / "place", original.root)
        push(original, "large", size=9_000_000)
        assert "is full" in refuse("backup", "create", disk / "place", "--root", original.root)
        succeed("backup", "verify", disk / "place")
        assert len(list((disk / "place" / "snapshots").iterdir())) == 1
        assert not (disk / "place" / "drafts").exists()
        assert "is full" in refuse("backup", "create", disk / "b.tar", "--root", original.root)
        assert not (disk / "b.tar").exists()
    finally:
        run(["umount", "--lazy", disk])


def test_a_backup_into_the_registry_itself_or_among_other_files_is_refused(
    original: Registry, tmp_path: Path
) -> None:
    inside = refuse("backup", "create", original.root / "backup", "--root", original.root)
    assert "lies inside of" in inside
    (tmp_path / "letter").write_text("dear")
    said = refuse("backup", "create", tmp_path, "--root", original.root)
    assert "holds other files" in said
    assert os.listdir(tmp_path) == ["letter"]
