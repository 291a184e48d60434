"""A full and a read-only disk: an error that says so, nothing lost, recovery without a restart."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.http import Answer, RegistryClient
from tests.kit.images import image
from tests.kit.optional import need_commands, need_root, run
from tests.kit.registry import Registry, running_registry, wait_until

DISK = "size=64m"
SAYS_FULL = re.compile(r"disk.{0,40}full|full.{0,40}disk|no space", re.IGNORECASE)
SAYS_READ_ONLY = re.compile(r"read[- ]only", re.IGNORECASE)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MiB."""
    need_root()
    need_commands("mount", "umount")
    disk = tmp_path / "disk"
    disk.mkdir()
    run(["mount", "-t", "tmpfs", "-o", DISK, "small-disk", disk])
    try:
        yield disk
    finally:
        run(["umount", "--lazy", disk])


@pytest.fixture
def registry(tmp_path: Path, small_disk: Path) -> Iterator[Registry]:
    """The registry with its root on the small disk."""
    with running_registry(tmp_path / "server", root=small_disk / "root") as started:
        yield started


@contextlib.contextmanager
def read_only(root: Path) -> Iterator[None]:
    """Makes every directory of the root read-only, though the server holds files open there."""
    bound: list[Path] = []
    try:
        for directory in sorted(path for path in root.iterdir() if path.is_dir()):
            run(["mount", "--bind", directory, directory])
            bound.append(directory)
            run(["mount", "-o", "remount,bind,ro", directory])
        yield
    finally:
        for directory in bound:
            run(["umount", "--lazy", directory])


def fill(disk: Path) -> Path:
    """Writes until nothing more fits; the file to delete for space."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as stream:
        while stream.write(b"x" * 65536):
            pass
    return filler


def assert_storage_error(answer: Answer, says: re.Pattern[str]) -> None:
    assert answer.status in (500, 503, 507), (answer.status, answer.body)
    assert answer.error_codes
    assert says.search(answer.body.decode()), answer.body


def push(registry: Registry, tag: str) -> Answer:
    with RegistryClient(registry.host) as client:
        return client.push_image("disk/full", tag, image(f"disk-{tag}", size=1_000_000))


def assert_pulls(registry: Registry, *tags: str) -> None:
    with RegistryClient(registry.host) as client:
        for tag in tags:
            client.assert_pullable("disk/full", tag)
        assert set(tags) <= set(client.tags("disk/full"))


@pytest.mark.timeout(120)
def test_a_full_disk_is_said_and_overcome_without_a_restart(
    registry: Registry, small_disk: Path
) -> None:
    assert push(registry, "before").status == 201
    filler = fill(small_disk)
    assert_storage_error(push(registry, "during"), SAYS_FULL)
    assert_pulls(registry, "before")
    with RegistryClient(registry.host) as client:
        assert "during" not in client.tags("disk/full")
    filler.unlink()
    wait_until("a push after space was made", lambda: push(registry, "after").status == 201, 30)
    assert_pulls(registry, "before", "after")
    assert registry.process.poll() is None


@pytest.mark.timeout(120)
def test_a_read_only_disk_is_said_and_overcome_without_a_restart(registry: Registry) -> None:
    assert push(registry, "before").status == 201
    with read_only(registry.root):
        assert_storage_error(push(registry, "during"), SAYS_READ_ONLY)
        assert_pulls(registry, "before")
    wait_until("a push after the repair", lambda: push(registry, "after").status == 201, 30)
    assert_pulls(registry, "before", "after")
    assert registry.process.poll() is None
