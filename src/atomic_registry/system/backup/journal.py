"""While a restore changes names: what it changes, written down, so that a later one can undo it."""

import os
import shutil
from pathlib import Path

import msgspec

from atomic_registry.system.backup.failures import BackupFailed
from atomic_registry.system.backup.staging import Staged
from atomic_registry.system.durable_files import sync_directory, write_file

JOURNAL = "restore-under-way.json"


class _Change(msgspec.Struct, frozen=True, kw_only=True):
    """`names` are those that come from `draft` into `directory`."""

    directory: Path
    draft: Path
    old: Path
    names: tuple[str, ...]


def is_interrupted(datastore: Path) -> bool:
    """Tell whether a restore to this datastore began to change names and did not end."""
    return (datastore / JOURNAL).exists()


def begin(datastore: Path, staged: list[Staged]) -> None:
    """Write down what is about to change.

    Raises:
        OSError: that is not possible.
    """
    changes = [
        _Change(
            directory=it.directory,
            draft=it.draft,
            old=it.old,
            names=tuple(path.name for path in it.draft.iterdir()),
        )
        for it in staged
    ]
    _write(datastore, changes)


def end(datastore: Path) -> None:
    """Everything has its name, the new or the old one; nothing is to be undone any more."""
    (datastore / JOURNAL).unlink(missing_ok=True)
    sync_directory(datastore)


def undo(datastore: Path) -> bool:
    """Give everything its name of before an interrupted restore; False if there was none.

    Raises:
        BackupFailed: what was written down cannot be read.
        OSError: a name cannot be changed; it can be tried again.
    """
    place = datastore / JOURNAL
    try:
        changes = msgspec.json.decode(
            place.read_bytes(), type=list[_Change], dec_hook=lambda _, text: Path(text)
        )
    except FileNotFoundError:
        return False
    except msgspec.MsgspecError as error:
        raise BackupFailed(
            f"{place} cannot be read: {error}; a restore was interrupted, and what was there "
            "before it is in directories called .replaced-*: move that back by hand, then delete "
            "this file"
        ) from error
    for change in reversed(changes):
        _undo(change)
    # From here on nothing is moved again, so that the drafts may go piece by piece.
    _write(datastore, [msgspec.structs.replace(it, names=()) for it in changes])
    for change in changes:
        shutil.rmtree(change.draft, ignore_errors=True)
    end(datastore)
    return True


def _write(datastore: Path, changes: list[_Change]) -> None:
    write_file(datastore / JOURNAL, msgspec.json.encode(changes, enc_hook=str), 0o644)


def _undo(change: _Change) -> None:
    for name in change.names:
        new, place = change.draft / name, change.directory / name
        # Its name in the draft is free only while it is the new one that is in place.
        if not os.path.lexists(new) and os.path.lexists(place):
            place.rename(new)
    if change.old.exists():
        for path in list(change.old.iterdir()):
            path.rename(change.directory / path.name)
        change.old.rmdir()
    sync_directory(change.directory)
