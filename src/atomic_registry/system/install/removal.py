"""Takes an installation off a machine."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from atomic_registry.system.install import layout
from atomic_registry.system.install.ledger import Ledger
from atomic_registry.system.install.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One thing that goes; `take` returns what came of it."""

    what: str
    take: Callable[[], str]


def removal_steps(target: Target, ledger: Ledger, *, removes_data: bool) -> Iterator[Removal]:
    """Yield what goes, in order; data, configuration and keys only if that is asked for."""
    yield Removal(what="services stop and start no more", take=partial(_stop, target))
    for name in (*layout.UNIT_NAMES, *layout.TIMED_UNITS):
        yield _file(target, ledger, layout.UNITS / name, always=True)
    for name in layout.COMMAND_NAMES:
        yield _link(target, layout.COMMANDS / name)
    for path in (layout.TMPFILES, Path("/run") / layout.SETUP_SCRIPT.name):
        yield _file(target, ledger, path, always=True)
    for name in (*layout.SERVICES, layout.BACKUP):
        yield _file(target, ledger, layout.SYSCONFIG / name, always=removes_data)
    if target.is_live:
        yield Removal(what="systemd reads its units", take=partial(_reload, target))
    if removes_data:
        for directory in (layout.DATA, layout.CONFIGURATION):
            yield Removal(what=f"directory {directory}", take=partial(_tree, target, directory))
        yield _file(target, ledger, layout.SYSUSERS, always=True)


def _stop(target: Target) -> str:
    if target.is_live:
        # All at once: a socket that is still open would start its service again.
        target.systemctl("stop", *layout.TIMED_UNITS, *layout.UNIT_NAMES, check=False)
    target.systemctl("disable", *layout.TIMED_UNITS, *layout.UNIT_NAMES, check=False)
    return "done"


def _reload(target: Target) -> str:
    target.systemctl("daemon-reload")
    target.systemctl("reset-failed", *layout.TIMED_UNITS, *layout.UNIT_NAMES, check=False)
    return "done"


def _file(target: Target, ledger: Ledger, path: Path, *, always: bool) -> Removal:
    def take() -> str:
        place = target.at(path)
        if not place.exists() and not place.is_symlink():
            return "not there"
        if not always and not ledger.is_own(path, place.read_bytes()):
            return "kept as you changed it"
        place.unlink()
        place.with_name(f"{place.name}.new").unlink(missing_ok=True)
        return "removed"

    return Removal(what=f"file {path}", take=take)


def _link(target: Target, path: Path) -> Removal:
    def take() -> str:
        place = target.at(path)
        if not place.is_symlink():
            return "not there" if not place.exists() else "kept: it is no link of ours"
        place.unlink()
        return "removed"

    return Removal(what=f"link {path}", take=take)


def _tree(target: Target, directory: Path) -> str:
    place = target.at(directory)
    if not place.exists():
        return "not there"
    shutil.rmtree(place)
    return "removed"
