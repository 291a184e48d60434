"""The quickstart of the README, block by block, as it stands there but for the ports."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.optional import need_commands, need_root, run
from tests.kit.registry import clean_environment, free_port, wait_until

README = Path(__file__).resolve().parents[2] / "README.md"
START_SECONDS = 30.0
STOP_SECONDS = 45.0
CONTAINERS_CONF = """[containers]
default_ulimits=["nofile=20000:20000","nproc=20000:20000"]
[engine]
runtime="runc"
cgroup_manager="cgroupfs"
events_logger="file"
"""


def _blocks() -> list[str]:
    section = README.read_text().partition("## Quickstart\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """What stands for the checkout: the README to put into an image, and the environment."""
    shutil.copy(README, tmp_path / "README.md")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Own ports, and own configuration and storage for podman."""
    state = tmp_path / "state"
    (state / "home").mkdir(parents=True)
    (state / "containers.conf").write_text(CONTAINERS_CONF)
    (state / "policy.json").write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    (state / "storage.conf").write_text(
        f'[storage]\ndriver="vfs"\ngraphroot="{state}/graph"\nrunroot="{state}/run"\n'
    )
    return clean_environment(
        {
            "HOME": str(state / "home"),
            "KUBECONFIG": str(state / "kubeconfig"),
            "XDG_RUNTIME_DIR": str(state / "home"),
            "TMPDIR": str(state / "home"),
            "CONTAINERS_CONF": str(state / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(state / "storage.conf"),
            "STORAGE_DRIVER": "vfs",
            "BUILDAH_ISOLATION": "chroot",
            "ATOMIC_REGISTRY_HTTP_LISTEN": f"127.0.0.1:{free_port()}",
            "ATOMIC_REGISTRY_MASTER_LISTEN": f"127.0.0.1:{free_port()}",
        }
    )


@pytest.fixture
def started(directory: Path, environment: dict[str, str]) -> Iterator[Path]:
    """What `make run` starts, without the installation before it; the path of its output."""
    output = directory / "state" / "output"
    command = [sys.executable, "-m", "atomic_registry", "serve", "--root", "./.run"]
    with output.open("w") as file:
        process = subprocess.Popen(
            command, cwd=directory, env=environment, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            wait_until("the start", lambda: "Try a push:" in output.read_text(), START_SECONDS)
            yield output
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def test_the_quickstart_begins_with_what_make_does() -> None:
    assert _blocks()[0] == "make run\n"
    recipe = (README.parent / "Makefile").read_text()
    assert "atomic-registry serve --root ./.run" in recipe


def test_every_later_block_of_the_quickstart_runs(
    directory: Path, environment: dict[str, str], started: Path
) -> None:
    need_commands("podman", "runc")
    need_root()
    script = "".join(["set -eu\n", *_blocks()[1:]])
    for port, name in (("5000", "HTTP"), ("8443", "MASTER")):
        script = script.replace(f"127.0.0.1:{port}", environment[f"ATOMIC_REGISTRY_{name}_LISTEN"])
    run(["bash", "-c", script], environment=environment, cwd=directory)
    assert "Anybody who reaches this registry can log in" in started.read_text()
