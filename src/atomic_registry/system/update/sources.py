"""Where a version comes from: a package, an archive, a tree, or a wheel and those that it needs."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from atomic_registry.system.install.target import InstallFailed, Target
from atomic_registry.system.update.tree import (
    PYTHON_VERSION,
    packages_of,
    use_python,
    write_commands,
)

_NAME = "atomic-registry"
_IN_PACKAGE = Path("opt/atomic-registry/package")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is given on the command line: a file, a directory or a version, and where wheels are."""

    given: str
    wheels: str = ""

    def mistake(self) -> str:
        """Return why nothing can be made of it, or an empty text."""
        path = Path(self.given)
        if path.suffix in (".deb", ".whl") or self.given.endswith(".tar.gz"):
            return "" if path.is_file() else f"there is no file {path}"
        if path.is_dir():
            is_tree = (path / "pyvenv.cfg").exists() and (path / "lib").is_dir()
            return "" if is_tree else f"{path} is no tree of a version: it has no pyvenv.cfg"
        if self.wheels:
            return ""
        return (
            f"{self.given or 'no version'}: name a .deb, a .whl or a .tar.gz that you have, or say "
            "with --from where the wheels of that version are: a directory, or the URL of an index"
        )

    def make(self, target: Target, draft: Path) -> None:
        """Make the tree at the path, which lies on the file system where it stays.

        Raises:
            InstallFailed, OSError: that is not possible.
        """
        path = Path(self.given)
        if path.suffix == ".deb":
            self._from_package(target, draft)
        elif self.given.endswith(".tar.gz"):
            draft.mkdir(mode=0o755)
            words = ["--no-same-owner", "--strip-components=1", f"--directory={draft}"]
            target.run(["tar", "--extract", "--gzip", f"--file={path}", *words])
        elif path.is_dir():
            # Both names lead to the same bytes, until a package manager puts others in the place
            # of one: it never writes into a file.
            # What was compiled from others is left out: files of packages have equal times, so that
            # Python would take it for current.
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, draft, symlinks=True, copy_function=_link, ignore=ignored)
        else:
            self._from_wheels(target, draft)
            return
        self._fit(draft)

    def _from_package(self, target: Target, draft: Path) -> None:
        whole = draft.with_name(f"{draft.name}.package")
        target.run(["dpkg-deb", "--extract", self.given, str(whole)])
        if not (whole / _IN_PACKAGE).is_dir():
            raise InstallFailed(f"{self.given} is not a package of {_NAME}")
        (whole / _IN_PACKAGE).rename(draft)
        shutil.rmtree(whole)

    def _from_wheels(self, target: Target, draft: Path) -> None:
        python = _python()
        helper = draft.with_name(f"{draft.name}.pip")
        try:
            target.run([str(python), "-m", "venv", str(helper)])
        except InstallFailed as error:
            raise InstallFailed(
                f"wheels need pip, which cannot be made: {error}\n"
                "install python3-venv, or update from a .deb or .tar.gz"
            ) from error
        packages = packages_of(draft, PYTHON_VERSION)
        # Neither variables nor files of pip: only what was named on the command line counts.
        command = [str(helper / "bin" / "python"), "-m", "pip", "--isolated", "install"]
        command += ["--quiet", "--disable-pip-version-check", "--no-input", "--no-compile"]
        command += ["--only-binary=:all:", f"--target={packages}", *self._where()]
        target.run([*command, self._wanted()])
        shutil.rmtree(helper)
        shutil.rmtree(packages / "bin", ignore_errors=True)
        write_commands(draft, packages, python)

    def _where(self) -> list[str]:
        if self.wheels.startswith(("https://", "http://")):
            return [f"--index-url={self.wheels}"]
        return ["--no-index", f"--find-links={self.wheels or Path(self.given).resolve().parent}"]

    def _wanted(self) -> str:
        if self.given.endswith(".whl"):
            return str(Path(self.given).resolve())
        return f"{_NAME}=={self.given}" if self.given else _NAME

    def _fit(self, draft: Path) -> None:
        if not packages_of(draft, PYTHON_VERSION).is_dir():
            has = ", ".join(it.name for it in sorted((draft / "lib").glob("python*")))
            raise InstallFailed(
                f"{self.given} has no packages for Python {PYTHON_VERSION}, but for {has or 'none'}"
            )
        use_python(draft, _python())


def _python() -> Path:
    """Return the machine's own Python, by the name that lasts over upgrades of the system."""
    own, lasting = Path(sys.executable).resolve(), Path("/usr/bin/python3")
    return lasting if lasting.resolve() == own else own


def _link(source: str, place: str) -> None:
    try:
        os.link(source, place)
    except OSError:
        # Another file system, or one that has no hard links.
        shutil.copy2(source, place)
