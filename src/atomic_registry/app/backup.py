"""What there is to back up, as the settings have it, and how it is read and brought back."""

import fcntl
import grp
import os
import pwd
import socket
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import BinaryIO

from atomic_registry.app.database import database_url
from atomic_registry.config.settings import Settings
from atomic_registry.content.ports import StoredBlob
from atomic_registry.store.blobs import check_key
from atomic_registry.store.metadata.schema import SCHEMA_VERSION
from atomic_registry.store.metadata.snapshots import (
    check_copy,
    copy_metadata,
    list_copied_blobs,
)
from atomic_registry.system.backup.create import Subject
from atomic_registry.system.backup.failures import BackupFailed
from atomic_registry.system.backup.journal import is_interrupted
from atomic_registry.system.backup.manifest import DatabaseFacts, Holds
from atomic_registry.system.backup.record import RECORD
from atomic_registry.system.backup.restore import Restoration, Restored
from atomic_registry.system.backup.trees import Tree
from atomic_registry.system.durable_files import write_file
from atomic_registry.system.install import layout
from atomic_registry.system.install.ledger import LEDGER
from atomic_registry.system.install.target import InstallFailed, Target


def is_installed() -> bool:
    """Tell whether the services are installed on this machine."""
    return LEDGER.exists()


def subject_of(settings: Settings, *, is_machine: bool) -> Subject:
    """Return what is backed up.

    Raises:
        BackupFailed: there is no registry.
    """
    root = settings.root.absolute()
    storage, datastore = (
        settings.storage_directory.absolute(),
        settings.datastore_directory.absolute(),
    )
    if not storage.is_dir() or not datastore.is_dir():
        raise BackupFailed(
            f"{root} is not the root of a registry: name the directory that "
            "`atomic-registry serve --root` was given"
        )
    if is_interrupted(datastore):
        raise BackupFailed(
            f"a restore was interrupted on {root}, so that this is neither the old registry nor "
            "the new one: run `atomic-registry restore` again first"
        )
    without = frozenset({storage, datastore, root / RECORD})
    trees = _machine_trees if is_machine else _root_trees
    return Subject(
        kind="machine" if is_machine else "tree",
        root=root,
        trees=trees(settings, root, without),
        snapshot=partial(_snapshot, database_url(settings)),
        list_blobs=list_copied_blobs,
        check=check_copy,
        open_blob=partial(_open_blob, storage),
    )


def restoration(to: Path, *, force: bool, is_machine: bool) -> Restoration:
    """Return how a backup is brought back."""
    return Restoration(
        to=to,
        force=force,
        schema_version=SCHEMA_VERSION,
        list_blobs=list_copied_blobs,
        check=check_copy,
        own=partial(_own_on_machine, Target(root=to)) if is_machine else _own_if_known,
        key_path=_key_path,
    )


def _machine_trees(settings: Settings, root: Path, without: frozenset[Path]) -> tuple[Tree, ...]:
    def tree(directory: Path, holds: Holds, *, prefix: str = "") -> Tree:
        path = str(directory.absolute().relative_to("/"))
        return Tree(directory=directory, path=path, holds=holds, prefix=prefix, without=without)

    return (
        tree(layout.CONFIGURATION, "files"),
        tree(layout.SYSCONFIG, "files", prefix=layout.REGISTRY),
        *(tree(it, "files") for it in sorted(layout.UNITS.glob(f"{layout.REGISTRY}*.d"))),
        tree(root, "files"),
        tree(settings.datastore_directory, "database"),
        tree(settings.storage_directory, "blobs"),
    )


def _root_trees(settings: Settings, root: Path, without: frozenset[Path]) -> tuple[Tree, ...]:
    storage, datastore = (
        settings.storage_directory.absolute(),
        settings.datastore_directory.absolute(),
    )
    master = settings.master_directory.absolute()
    outside = (
        ()
        if master.is_relative_to(root)
        else (Tree(directory=master, path="master", holds="files"),)
    )
    return (
        Tree(directory=root, path="", holds="files", without=without),
        *outside,
        Tree(directory=datastore, path="datastore", holds="database"),
        # Where it lay outside of the root, a restore does not write there.
        Tree(directory=storage, path=_below(storage, root) or "registry", holds="blobs"),
    )


def _below(path: Path, base: Path) -> str:
    return str(path.relative_to(base)) if path.is_relative_to(base) else ""


def _snapshot(url: str, target: Path) -> DatabaseFacts:
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    facts = copy_metadata(url, target)
    is_sqlite = url.startswith("sqlite:")
    return DatabaseFacts(engine="sqlite" if is_sqlite else "postgresql", **asdict(facts))


def _open_blob(storage: Path, blob: StoredBlob) -> BinaryIO:
    return _key_path(storage, blob.key).open("rb")


def _key_path(directory: Path, key: str) -> Path:
    return directory / check_key(key)


def _own_on_machine(target: Target, path: Path, owner: str, group: str) -> None:
    try:
        target.own(Path("/") / path.relative_to(target.root), owner, group)
    except InstallFailed as error:
        raise BackupFailed(f"{error}; nothing was changed") from error


def _own_if_known(path: Path, owner: str, group: str) -> None:
    """Give a file to whom it belonged, as far as this machine and this user can."""
    if os.geteuid() != 0:
        return
    try:
        os.chown(path, pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid)
    except KeyError:
        return


def refuse_running(to: Path, *, is_machine: bool) -> None:
    """Return if no service works on what would be replaced.

    Raises:
        BackupFailed: one does.
    """
    place = to / layout.DATA.relative_to("/") if is_machine else to
    for lock in place.glob("serve-*.lock"):
        with lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError as error:
                units = " ".join(layout.UNIT_NAMES)
                how = f": systemctl stop {units}" if is_machine else ""
                raise BackupFailed(
                    f"a service runs on {place}; stop it first{how}; nothing was changed"
                ) from error


def prepare_machine(to: Path) -> None:
    """Make the users that the files belong to.

    Raises:
        BackupFailed: that is not possible.
    """
    if os.geteuid() != 0:
        raise BackupFailed("this restores a whole machine, which needs root: run it with sudo")
    target = Target(root=to)
    place = target.at(layout.SYSUSERS)
    try:
        if not place.exists():
            place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            write_file(place, layout.packaged("sysusers.conf").encode(), 0o644)
        target.sysusers(layout.SYSUSERS)
    except InstallFailed as error:
        raise BackupFailed(f"{error}; nothing was restored") from error


def next_steps(restored: Restored, to: Path) -> Iterator[str]:
    """Yield what is to be done now."""
    manifest = restored.manifest
    for path in restored.replaced:
        yield f"What was there before is in {path}; delete it when you do not need it any more."
    lost = len(manifest.missing)
    if lost:
        yield f"Blobs that the registry had already lost when it was backed up: {lost}."
    if manifest.database.engine == "postgresql":
        yield (
            "The database was PostgreSQL and is now SQLite: take database.url out of the "
            "configuration."
        )
    is_machine = manifest.kind == "machine"
    for place in manifest.places:
        if not is_machine and not Path(place.was).is_relative_to(manifest.root):
            key = "storage.directory" if place.holds == "blobs" else "master.config_file"
            yield f"{place.was} is now {to / place.path}: see to {key} in the configuration."
    here = socket.gethostname()
    if is_machine:
        name = "HOSTNAME" if here != manifest.host else ""
        yield "Now install the services, which keeps all that was restored, and start them:"
        yield f"  atomic-registry install {name} --now".replace("  --", " --")
    else:
        yield f"Now start it: atomic-registry serve --root {to}"
    if here != manifest.host:
        yield (
            f"This machine is {here} and the backup is of {manifest.host}: new certificates come "
            "from the same authority, for the names that you give, so that clients go on trusting."
        )
