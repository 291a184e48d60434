"""The kinds of steps of an installation."""

import difflib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from atomic_registry.system.durable_files import LOCK_NAME, write_file
from atomic_registry.system.install.ledger import Ledger
from atomic_registry.system.install.target import Target

_SECRET = re.compile(r"^(.*(?:password|secret|token|key)\w*\s*[:=]).*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a step has done; without `undo` it changed nothing that must be taken back."""

    text: str
    undo: Callable[[], None] | None = None
    lines: tuple[str, ...] = ()


class Step(Protocol):
    """One thing that an installation does."""

    def describe(self) -> str:
        """Return what `apply` will see to, in one line."""
        ...

    def apply(self, target: Target, ledger: Ledger) -> Outcome:
        """See to it, also if it is so already.

        Raises:
            InstallFailed, ConfigInvalid, OSError: it cannot be done; nothing of it was.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Whose a file or directory is, and who may do what with it."""

    mode: int
    owner: str = "root"
    group: str = "root"

    def __str__(self) -> str:
        return f"{self.mode:04o} {self.owner}:{self.group}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """A directory with these rights."""

    path: Path
    rights: Rights

    def describe(self) -> str:
        return f"directory {self.path} ({self.rights})"

    def apply(self, target: Target, ledger: Ledger) -> Outcome:
        place = target.at(self.path)
        missing = [it for it in (place, *place.parents) if not it.exists()]
        place.mkdir(mode=0o755, parents=True, exist_ok=True)
        target.own(self.path, self.rights.owner, self.rights.group)
        place.chmod(self.rights.mode)
        if not missing:
            return Outcome(text="there")

        def undo() -> None:
            for made in missing:
                # Whoever wrote a file in there held the lock.
                (made / LOCK_NAME).unlink(missing_ok=True)
                made.rmdir()

        return Outcome(text="made", undo=undo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Default:
    """A file that an administrator may change: then the new text lands beside it as `.new`."""

    path: Path
    text: str
    rights: Rights

    def describe(self) -> str:
        return f"file {self.path} ({self.rights})"

    def apply(self, target: Target, ledger: Ledger) -> Outcome:
        place, content = target.at(self.path), self.text.encode()
        beside = place.with_name(f"{place.name}.new")
        before = place.read_bytes() if place.exists() else None
        if before == content:
            beside.unlink(missing_ok=True)
            ledger.wrote(self.path, content)
            return Outcome(text="there")
        if before is None or ledger.is_own(self.path, before):
            undo = _restoring(place, before, self.rights.mode)
            self._write(place, target, content)
            ledger.wrote(self.path, content)
            beside.unlink(missing_ok=True)
            return Outcome(text="written" if before is None else "brought up to date", undo=undo)
        if ledger.is_own(self.path, content):
            return Outcome(text="kept as you changed it")
        undo = _restoring(beside, beside.read_bytes() if beside.exists() else None, 0o600)
        # What it is compared with may hold secrets, and so may what somebody makes of it.
        write_file(beside, content, 0o600)
        ledger.wrote(self.path, content)
        return Outcome(
            text=f"kept as you changed it; the new default is in {self.path}.new",
            undo=undo,
            lines=_difference(self.path, before.decode(errors="replace"), self.text),
        )

    def _write(self, place: Path, target: Target, content: bytes) -> None:
        write_file(place, content, 0o600)
        target.own(self.path, self.rights.owner, self.rights.group)
        place.chmod(self.rights.mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A symbolic link; a file of somebody else's in its place stays."""

    path: Path
    to: Path

    def describe(self) -> str:
        return f"link {self.path} to {self.to}"

    def apply(self, target: Target, ledger: Ledger) -> Outcome:
        place = target.at(self.path)
        before = place.readlink() if place.is_symlink() else None
        if before == self.to:
            return Outcome(text="there")
        if before is None and place.exists():
            return Outcome(text=f"kept: {self.path} is no link of ours")
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _point(place, self.to)

        def undo() -> None:
            if before is None:
                place.unlink()
            else:
                _point(place, before)

        return Outcome(text="made" if before is None else f"moved from {before}", undo=undo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Files that are made by a function that leaves alone what is good, or somebody else's."""

    what: str
    rights: tuple[tuple[Path, Rights], ...]
    make: Callable[[], object]

    def describe(self) -> str:
        return f"{self.what}: " + ", ".join(f"{path} ({it})" for path, it in self.rights)

    def apply(self, target: Target, ledger: Ledger) -> Outcome:
        places = [(target.at(path), path, it) for path, it in self.rights]
        before = {place: place.read_bytes() for place, _, _ in places if place.exists()}

        def undo() -> None:
            for place, _, _ in places:
                _restoring(place, before.get(place), 0o600)()

        try:
            self.make()
            for place, path, rights in places:
                if before.get(place) != place.read_bytes():
                    target.own(path, rights.owner, rights.group)
                    place.chmod(rights.mode)
        except BaseException:
            undo()
            raise
        after = {place: place.read_bytes() for place, _, _ in places}
        if after == before:
            return Outcome(text="there")
        return Outcome(text="renewed" if before else "made", undo=undo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that the machine itself does."""

    what: str
    act: Callable[[Target], object]
    undo: Callable[[Target], object] | None = None

    def describe(self) -> str:
        return self.what

    def apply(self, target: Target, ledger: Ledger) -> Outcome:
        self.act(target)
        undo = self.undo
        return Outcome(text="done", undo=None if undo is None else lambda: _ignore(undo(target)))


def _ignore(_: object) -> None:
    return None


def _point(place: Path, to: Path) -> None:
    # Renamed over the old one: at no moment is there no link.
    draft = place.with_name(f".{place.name}.new")
    draft.unlink(missing_ok=True)
    draft.symlink_to(to)
    draft.replace(place)


def _restoring(place: Path, before: bytes | None, mode: int) -> Callable[[], None]:
    status = place.stat() if before is not None else None

    def restore() -> None:
        if before is None or status is None:
            place.unlink(missing_ok=True)
        else:
            write_file(place, before, mode)
            os.chown(place, status.st_uid, status.st_gid)
            place.chmod(status.st_mode & 0o7777)

    return restore


def _difference(path: Path, before: str, after: str) -> tuple[str, ...]:
    """Return a diff without secrets: an installation's output ends up in logs."""
    old, new = (
        [_SECRET.sub(r"\1 ***", line) for line in text.splitlines()] for text in (before, after)
    )
    names = {"fromfile": str(path), "tofile": f"{path}.new"}
    return tuple(difflib.unified_diff(old, new, **names, lineterm="", n=1))
