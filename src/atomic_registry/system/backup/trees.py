"""Configuration and keys: which files there are, whose they are, and what is in them."""

import grp
import os
import pwd
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from atomic_registry.system.backup.manifest import Entry, Holds, Place

TakeFile = Callable[[str, BinaryIO, int], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A directory that belongs to the registry; `path` is what it is called in backups.

    Only what begins with `prefix` is the registry's, and of that not what is in `without`.
    """

    directory: Path
    path: str
    holds: Holds
    prefix: str = ""
    without: frozenset[Path] = frozenset()


def read_tree(tree: Tree, take: TakeFile) -> Place:
    """Give each file to `take`, which returns its SHA-256; return what there is."""
    entries = tuple(_entries(tree, take)) if tree.holds == "files" else ()
    status = tree.directory.stat()
    return Place(
        path=tree.path,
        holds=tree.holds,
        mode=stat.S_IMODE(status.st_mode),
        owner=_user(status.st_uid),
        group=_group(status.st_gid),
        was=str(tree.directory),
        entries=entries,
    )


def _entries(tree: Tree, take: TakeFile) -> Iterator[Entry]:
    for path in sorted(_walk(tree.directory, tree.without)):
        name = str(path.relative_to(tree.directory))
        if not name.startswith(tree.prefix):
            continue
        try:
            entry = _entry(path, name, partial(take, f"{tree.path}/{name}".strip("/")))
        except FileNotFoundError:
            # Drafts of files that are being replaced come and go.
            continue
        if entry is not None:
            yield entry


def _walk(directory: Path, without: frozenset[Path]) -> Iterator[Path]:
    for path in directory.iterdir():
        if path.absolute() in without or _is_passing(path.name):
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path, without)


def _is_passing(name: str) -> bool:
    """Tell whether it belongs to a running process, or to a restore, and not to the registry."""
    return (
        name == ".lock"
        or (name.startswith("serve-") and name.endswith(".lock"))
        or name.startswith((".restoring-", ".replaced-"))
    )


def _entry(path: Path, name: str, take: Callable[[BinaryIO, int], str]) -> Entry | None:
    status = path.lstat()
    mode = stat.S_IMODE(status.st_mode)
    owner, group = _user(status.st_uid), _group(status.st_gid)
    if stat.S_ISLNK(status.st_mode):
        target = str(path.readlink())
        return Entry(path=name, type="link", mode=mode, owner=owner, group=group, target=target)
    if stat.S_ISDIR(status.st_mode):
        return Entry(path=name, type="directory", mode=mode, owner=owner, group=group)
    if not stat.S_ISREG(status.st_mode):
        return None
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest = take(file, size)
    return Entry(
        path=name, type="file", mode=mode, owner=owner, group=group, size=size, sha256=digest
    )


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
