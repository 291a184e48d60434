"""One running registry for the client tests, and client state under the test's directory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.http import RegistryClient
from tests.kit.optional import need_commands, need_root, run
from tests.kit.registry import Registry, clean_environment, running_registry

CONTAINERS_CONF = """[containers]
default_ulimits=["nofile=20000:20000","nproc=20000:20000"]
[engine]
runtime="runc"
cgroup_manager="cgroupfs"
events_logger="file"
"""


@pytest.fixture(scope="package")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """The registry process."""
    with running_registry(tmp_path_factory.mktemp("registry")) as started:
        yield started


@pytest.fixture
def client(registry: Registry) -> Iterator[RegistryClient]:
    """A connection to it."""
    with RegistryClient(registry.host) as connection:
        yield connection


@pytest.fixture
def containers_environment(tmp_path: Path) -> dict[str, str]:
    """Own configuration and storage for podman, buildah and skopeo; nothing of the machine's."""
    (tmp_path / "containers.conf").write_text(CONTAINERS_CONF)
    (tmp_path / "storage.conf").write_text(
        f'[storage]\ndriver="vfs"\ngraphroot="{tmp_path}/graph"\nrunroot="{tmp_path}/run"\n'
    )
    (tmp_path / "policy.json").write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    home = tmp_path / "home"
    home.mkdir()
    return clean_environment(
        {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "TMPDIR": str(home),
            "CONTAINERS_CONF": str(tmp_path / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(tmp_path / "storage.conf"),
            "STORAGE_DRIVER": "vfs",
            "BUILDAH_ISOLATION": "chroot",
            "BUILDAH_RUNTIME": "runc",
        }
    )


@pytest.fixture
def busybox_context(tmp_path: Path) -> Path:
    """A build context: a static busybox on scratch, run once while building."""
    need_root()
    need_commands("busybox", "runc")
    context = tmp_path / "context"
    (context / "rootfs" / "bin").mkdir(parents=True)
    source = Path(run(["sh", "-c", "command -v busybox"]).strip())
    if "statically linked" not in run(["sh", "-c", f"ldd {source} 2>&1; true"]) and (
        "not a dynamic executable" not in run(["sh", "-c", f"ldd {source} 2>&1; true"])
    ):
        pytest.fail(f"{source} is not static: install busybox-static")
    for name in ("busybox", "sh"):
        target = context / "rootfs" / "bin" / name
        target.write_bytes(source.read_bytes())
        target.chmod(0o755)
    (context / "Dockerfile").write_text(
        "FROM scratch\nCOPY rootfs /\nENV PATH=/bin\n"
        'RUN ["/bin/busybox", "sh", "-c", "echo built > /built.txt"]\n'
        'CMD ["/bin/sh"]\n'
    )
    return context
