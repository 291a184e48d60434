"""What is built for publishing: the same bytes each time, and nothing that names its builder."""

import re
import subprocess
from pathlib import Path

import pytest

from atomic_registry import __version__
from tests.kit.optional import need_commands, need_root, run
from tests.kit.packages import ROOT, deb, need_package_tools, rpm, wheel_and_sdist

pytestmark = pytest.mark.timeout(300)
PACKAGING = ROOT / "packaging"
TREE = Path("opt/atomic-registry/package")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the .deb."""
    need_package_tools()
    place = tmp_path_factory.mktemp("deb")
    run(["dpkg-deb", "--extract", deb(), place])
    return place


def test_the_same_sources_give_the_same_wheel_and_sdist(tmp_path: Path) -> None:
    first, second = (wheel_and_sdist(__version__, tmp_path / it) for it in ("a", "b"))
    assert [it.name for it in first] == [
        f"atomic_registry-{__version__}-py3-none-any.whl",
        f"atomic_registry-{__version__}.tar.gz",
    ]
    assert [it.read_bytes() for it in first] == [it.read_bytes() for it in second]


def test_the_tree_names_no_place_of_the_build_and_runs_wherever_it_lies(unpacked: Path) -> None:
    found = subprocess.run(
        ["grep", "-rlF", "-e", str(ROOT), unpacked / TREE],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (1, "") == (found.returncode, found.stdout)
    said = run([unpacked / TREE / "bin" / "atomic-registry", "--version"])
    assert said.strip().endswith(__version__)
    link = unpacked / "elsewhere"
    link.symlink_to(unpacked / TREE / "bin" / "oadm")
    assert run([link, "--version"]) == said


def test_a_package_starts_nothing_and_ships_no_configuration_that_it_could_overwrite(
    unpacked: Path,
) -> None:
    tops = {str(it.relative_to(unpacked)) for it in unpacked.glob("*/*")}
    assert {"opt/atomic-registry", "usr/bin", "usr/share"} == tops
    assert "Depends: python3 (>= 3.11), systemd (>= 247)" in run(["dpkg-deb", "--info", deb()])


def test_the_rpm_carries_what_the_deb_does(unpacked: Path, tmp_path: Path) -> None:
    need_commands("rpm")
    need_root()
    package = rpm()
    listed = set(run(["rpm", "--query", "--list", "--package", package]).split())
    program = f"/{TREE}/bin/atomic-registry"
    assert {program, "/usr/bin/atomic-registry", "/usr/bin/oadm"} <= listed
    needs = run(["rpm", "--query", "--requires", "--package", package])
    assert "python(abi) >= 3.11" in needs and "systemd >= 247" in needs
    scripts = run(["rpm", "--query", "--scripts", "--package", package])
    for name in ("postinstall", "preremove", "postremove"):
        assert (PACKAGING / "scripts" / f"{name}.sh").read_text().strip() in scripts
    root = tmp_path / "root"
    flags: list[str | Path] = ["--root", root, "--nodeps", "--noscripts", "--ignorearch"]
    run(["rpm", *flags, "--install", package])
    same: list[str | Path] = [
        "diff",
        "--recursive",
        "--no-dereference",
        # Written by running the one, and part of neither.
        "--exclude=__pycache__",
        unpacked / TREE,
        root / TREE,
    ]
    assert "" == run(same)


def test_the_image_is_installed_and_removed_by_its_labels() -> None:
    text = (PACKAGING / "Containerfile").read_text().replace("\\\n", "")
    labels = dict(re.findall(r'(UNINSTALL|INSTALL)="([^"]+)"', text))
    for name, script in (("INSTALL", "install.sh"), ("UNINSTALL", "uninstall.sh")):
        words = labels[name].split()
        assert ["podman", "run", "--rm"] == words[:3] and words[-1] == "IMAGE"
        assert f"/usr/libexec/atomic-registry/{script}" in words
        assert f"packaging/container/{script}" in text
        assert "--privileged" not in words


def test_the_label_writes_a_service_for_podman_and_never_over_a_changed_one(
    tmp_path: Path,
) -> None:
    template = PACKAGING / "quadlet" / "atomic-registry.container"
    environment = {
        "HOST_CONTAINERS": str(tmp_path), "TEMPLATE": str(template),
        "IMAGE": "registry.test/atomic-registry:1", "PATH": "/usr/bin:/bin",
    }  # fmt: skip
    install: list[str | Path] = ["sh", PACKAGING / "container" / "install.sh"]
    run([*install, "registry.test", "192.0.2.7"], environment=environment)
    service = tmp_path / "systemd" / "atomic-registry.container"
    written = service.read_text()
    assert "Image=registry.test/atomic-registry:1\n" in written
    assert "MASTER_HOSTNAMES=registry.test,192.0.2.7\n" in written and "@" not in written
    service.write_text("mine")
    run([*install, "other.test"], environment=environment)
    assert "mine" == service.read_text()
    assert "neither a host name" in run([*install, "a|b"], environment=environment, check=False)
    run(["sh", PACKAGING / "container" / "uninstall.sh"], environment=environment)
    assert not service.exists()


def test_scripts_of_packages_are_clean() -> None:
    need_commands("shellcheck")
    run(["shellcheck", *sorted(PACKAGING.rglob("*.sh"))])
