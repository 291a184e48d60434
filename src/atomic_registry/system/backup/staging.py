"""Puts whole directories in place of what is there, and back again if one of them fails.

What comes is written beside what is there, below the same directory, so that it works for mount
points too; then names change. What was there stays in a directory of its own.
"""

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from atomic_registry.system.durable_files import sync_directory


@dataclass(slots=True, kw_only=True)
class Staged:
    """One directory and what will be in it."""

    directory: Path
    draft: Path
    old: Path
    made: list[Path]
    # What goes with a file that is replaced: SQLite's logs belong to one database only.
    companions: tuple[str, ...] = ()

    @classmethod
    def begin(cls, directory: Path, mark: str, *, companions: tuple[str, ...] = ()) -> "Staged":
        """Make the directory if need be, and a private one in it."""
        made = [it for it in (directory, *directory.parents) if not it.exists()]
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        draft = directory / f".restoring-{mark}"
        draft.mkdir(mode=0o700)
        old = directory / f".replaced-{mark}"
        return cls(directory=directory, draft=draft, old=old, made=made, companions=companions)

    def replaced(self) -> list[Path]:
        """Return what is there and would have to give way."""
        names = [*(path.name for path in self.draft.iterdir()), *self.companions]
        return [self.directory / name for name in names if _is_there(self.directory / name)]

    def commit(self) -> None:
        """Change the names."""
        for path in self.replaced():
            self.old.mkdir(mode=0o700, exist_ok=True)
            path.rename(self.old / path.name)
        for path in list(self.draft.iterdir()):
            path.rename(self.directory / path.name)
        sync_directory(self.directory)

    def take_back(self) -> None:
        """Take away what was made, after the names are as they were."""
        shutil.rmtree(self.draft, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.old.rmdir()
        for path in self.made:
            with contextlib.suppress(OSError):
                path.rmdir()

    def end(self) -> Path | None:
        """Forget the way back; return where that is which was replaced."""
        self.draft.rmdir()
        return self.old if self.old.exists() else None


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)
