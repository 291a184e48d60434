"""The versions on a machine, which lie beside each other, and the links to two of them."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from atomic_registry.system.install.layout import CURRENT, VERSIONS
from atomic_registry.system.install.target import InstallFailed, Target
from atomic_registry.system.update.sources import Source
from atomic_registry.system.update.tree import PROGRAM, PYTHON_VERSION, packages_of

_DRAFT = ".making"
_REMOVED = ".removing"
_PREVIOUS = "previous"
_LOCK = ".update.lock"
_VERSION = re.compile(r"[0-9][A-Za-z0-9.+]{0,63}\Z")
_KEPT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """What lies below /opt/atomic-registry."""

    target: Target

    @property
    def current(self) -> str:
        """The version in use, or an empty text."""
        return self._pointed_at(CURRENT.name)

    @property
    def previous(self) -> str:
        """The version that was in use before, or an empty text."""
        name = self._pointed_at(_PREVIOUS)
        return name if name and self.path(name).is_dir() else ""

    def path(self, version: str) -> Path:
        """Return the tree of a version."""
        return self.target.at(VERSIONS / version)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other updates out, and remove what one that was killed has left.

        Raises:
            InstallFailed: another one is at work.
        """
        self.path("").mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(self.path(_LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
            self._sweep()
            yield
        except BlockingIOError as error:
            raise InstallFailed("another update is at work; wait until it has ended") from error
        finally:
            # Closing gives the lock back.
            os.close(descriptor)

    def add(self, source: Source) -> str:
        """Make a tree of its own of what the source has; return its version.

        The version in use stays untouched: a tree of the same version is made only if another one
        is in use.

        Raises:
            InstallFailed, OSError: that is not possible; nothing is left of it.
        """
        if _VERSION.match(source.given) and not source.wheels and self.path(source.given).is_dir():
            return source.given
        mistake = source.mistake()
        if mistake:
            raise InstallFailed(mistake)
        draft = self.path(_DRAFT)
        try:
            source.make(self.target, draft)
            version = self._version_of(draft)
            if version == self.current:
                return version
            # The services may not write what they compile, and would do it at each start.
            compile_all = [str(draft / "bin" / "python"), "-m", "compileall", "-q"]
            packages = packages_of(draft, PYTHON_VERSION)
            self.target.run([*compile_all, str(packages)], check=False)
            os.sync()
            self._replace(draft, version)
        finally:
            self._sweep()
        return version

    def use(self, version: str) -> None:
        """Point at a version, where no services are installed that must be restarted."""
        self._point(CURRENT.name, version)

    def remember_previous(self, version: str) -> None:
        """Keep a version as the one to go back to."""
        self._point(_PREVIOUS, version)

    def prune(self) -> Sequence[str]:
        """Remove all but the version in use and two others; return what went."""
        needed = {self.current, self.previous}
        others = [path for path in self.path("").iterdir() if self._is_idle(path, needed)]
        others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        room = _KEPT - bool(self.previous)
        for path in others[room:]:
            path.rename(self.path(_REMOVED))
            shutil.rmtree(self.path(_REMOVED))
        return [path.name for path in others[room:]]

    def _is_idle(self, path: Path, needed: set[str]) -> bool:
        is_tree = path.is_dir() and not path.is_symlink() and bool(_VERSION.match(path.name))
        return is_tree and path.name not in needed

    def _version_of(self, draft: Path) -> str:
        words = self.target.run([str(draft / "bin" / PROGRAM), "--version"]).split()
        if not words or not _VERSION.match(words[-1]):
            raise InstallFailed(f"it does not tell its version, but: {' '.join(words)}")
        return words[-1]

    def _replace(self, draft: Path, version: str) -> None:
        place = self.path(version)
        if place.exists():
            place.rename(self.path(_REMOVED))
        draft.rename(place)
        # Its age decides when it goes.
        os.utime(place)

    def _sweep(self) -> None:
        for path in [*self.path("").glob(f"{_DRAFT}*"), *self.path("").glob(f"{_REMOVED}*")]:
            shutil.rmtree(path)

    def _pointed_at(self, name: str) -> str:
        link = self.path(name)
        return link.readlink().name if link.is_symlink() else ""

    def _point(self, name: str, version: str) -> None:
        draft = self.path(f".{name}.new")
        draft.unlink(missing_ok=True)
        draft.symlink_to(version)
        # Renamed over the old one: at no moment is there no link.
        draft.replace(self.path(name))
        os.sync()
