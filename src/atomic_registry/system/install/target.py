"""The machine that is installed on: the running one, or a tree that becomes an image."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from atomic_registry.system.install.commands import run_command


class InstallFailed(Exception):
    """A step could not be taken; the message says which, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Paths are given as the installed machine sees them."""

    root: Path = Path("/")

    @property
    def is_live(self) -> bool:
        """The services will run in this very system."""
        return self.root == Path("/")

    def at(self, path: Path) -> Path:
        """Return where the path is from here."""
        return self.root / path.relative_to("/")

    def own(self, path: Path, owner: str, group: str) -> None:
        """Give what lies at the path to a user and a group of the machine.

        Raises:
            InstallFailed: the machine has no such user or group.
            OSError: only root may do that.
        """
        os.chown(self.at(path), self._id("passwd", owner), self._id("group", group))

    def systemctl(self, *words: str, check: bool = True) -> str:
        """Run systemctl for the machine and return what it printed.

        Raises:
            InstallFailed: it failed.
        """
        return self.run(["systemctl", *self._root_flag(), *words], check=check)

    def sysusers(self, path: Path) -> None:
        """Make the system users of a file of sysusers.d(5).

        Raises:
            InstallFailed: that failed.
        """
        # By its name: a whole path is looked for outside of the tree.
        self.run(["systemd-sysusers", *self._root_flag(), path.name])

    def run(self, command: Sequence[str], *, check: bool = True) -> str:
        """Run a program and return what it printed.

        Raises:
            InstallFailed: it failed, is not there, or takes longer than a minute.
        """
        code, output = run_command(command)
        if check and code:
            words = " ".join(command)
            raise InstallFailed(f"{words} failed: {output.strip() or f'exit code {code}'}")
        return output

    def _root_flag(self) -> list[str]:
        return [] if self.is_live else [f"--root={self.root}"]

    def _id(self, database: str, name: str) -> int:
        # Read here and not by the C library, which knows only the users of the running system.
        path = self.at(Path("/etc") / database)
        try:
            lines = path.read_text().splitlines() if path.exists() else []
        except OSError as error:
            raise InstallFailed(f"cannot read {path}: {error.strerror}") from error
        for line in lines:
            fields = line.split(":")
            if fields[0] == name:
                return int(fields[2])
        if name == "root":
            return 0
        raise InstallFailed(f"{path} has no {name}; systemd-sysusers should have made it")
