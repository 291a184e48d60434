"""What the commands of backups do and say."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from atomic_registry.app.backup import (
    is_installed,
    next_steps,
    prepare_machine,
    refuse_running,
    restoration,
    subject_of,
)
from atomic_registry.cli.backup_progress import ShownProgress, bytes_text
from atomic_registry.cli.output import echo_json, echo_table
from atomic_registry.cli.settings import load_or_fail, misconfigured, mistakes_text
from atomic_registry.clock import SystemClock
from atomic_registry.config.load import ConfigInvalid
from atomic_registry.config.settings import Settings
from atomic_registry.errors import DomainError
from atomic_registry.store.metadata.snapshots import check_copy, list_copied_blobs
from atomic_registry.system.backup.create import Report, create_backup
from atomic_registry.system.backup.failures import BackupFailed
from atomic_registry.system.backup.pruning import prune
from atomic_registry.system.backup.record import LastBackup, write_record
from atomic_registry.system.backup.restore import restore_snapshot
from atomic_registry.system.backup.source import open_source, read_manifest
from atomic_registry.system.backup.verify import verify_snapshot
from atomic_registry.system.install import layout
from atomic_registry.system.install.effective import service_environment, settings_by

_LOST_BLOBS = 3
_CLOCK = SystemClock()


def create_now(
    place: Path,
    root: Path | None,
    config_file: Path | None,
    *,
    keep: int,
    rehash: bool,
    as_json: bool,
) -> int:
    """Make a backup and say what it holds."""
    # Keys are in it: nothing that is made here is for others.
    os.umask(0o077)
    with shown() as progress:
        settings, is_machine = _settings(root, config_file)
        subject = subject_of(settings, is_machine=is_machine)
        _refuse_inside(place, [tree.directory for tree in subject.trees])
        report = create_backup(subject, place, rehash=rehash, progress=progress, clock=_CLOCK)
        removed = 0
        if place.is_dir() and not report.missing:
            removed = prune(place, keep=keep, list_blobs=list_copied_blobs)
        record = LastBackup(
            taken_at=report.taken_at,
            place=report.snapshot,
            blobs=report.blobs,
            blob_bytes=report.blob_bytes,
            missing=len(report.missing),
        )
        write_record(subject.root, record)
    if as_json:
        echo_json(msgspec.to_builtins(report))
    else:
        _tell(report, removed)
    return _LOST_BLOBS if report.missing else 0


def verify_now(place: Path, at: str | None, *, as_json: bool) -> int:
    """Read a snapshot and say what is wrong with it."""
    with shown() as progress, open_source(place) as source:
        verdict = verify_snapshot(
            source, at, list_blobs=list_copied_blobs, check=check_copy, progress=progress
        )
    if as_json:
        echo_json(msgspec.to_builtins(verdict))
    elif not verdict.faults:
        size = bytes_text(verdict.blob_bytes)
        click.echo(f"{verdict.snapshot} is whole: {verdict.blobs} blobs, {size}, every byte read.")
    if not verdict.faults:
        return 0
    for fault in verdict.faults:
        click.echo(f"damaged: {fault}", err=True)
    click.echo(
        "What the registry still has whole comes back into the backup by: "
        f"atomic-registry backup create {place} --rehash",
        err=True,
    )
    return 1


def list_now(place: Path, *, as_json: bool) -> None:
    """Say which snapshots there are."""
    with shown(), open_source(place) as source:
        found = [read_manifest(source, name) for name in source.snapshots()]
    if as_json:
        keys = ("release", "kind", "host", "root", "taken_at")
        documents = [
            {"snapshot": name, **{key: msgspec.to_builtins(getattr(it, key)) for key in keys}}
            for name, it in found
        ]
        echo_json(documents)
        return
    rows = [
        [
            name,
            it.host,
            str(it.database.repositories),
            str(it.database.blobs),
            bytes_text(it.database.blob_bytes),
            "no" if it.missing else "yes",
        ]
        for name, it in found
    ]
    echo_table(["SNAPSHOT", "HOST", "REPOSITORIES", "BLOBS", "SIZE", "WHOLE"], rows)


def restore_now(
    place: Path, to: Path | None, at: str | None, *, force: bool, as_json: bool
) -> None:
    """Bring a snapshot back and say what is to be done next."""
    with shown() as progress, open_source(place) as source:
        name, manifest = read_manifest(source, at)
        is_machine = manifest.kind == "machine"
        target = to or Path("/" if is_machine else manifest.root)
        refuse_running(target, is_machine=is_machine)
        if is_machine:
            prepare_machine(target)
        plan = restoration(target, force=force, is_machine=is_machine)
        restored = restore_snapshot(source, name, plan, progress, _CLOCK)
    if as_json:
        document = {"snapshot": restored.snapshot, "to": str(target), "replaced": restored.replaced}
        echo_json(document)
        return
    facts = manifest.database
    click.echo(
        f"Restored {name} of {manifest.host}: {facts.repositories} repositories, "
        f"{facts.blobs} blobs, {bytes_text(facts.blob_bytes)}, every byte compared."
    )
    for line in next_steps(restored, target):
        click.echo(line)


def _settings(root: Path | None, config_file: Path | None) -> tuple[Settings, bool]:
    if root is not None or config_file is not None:
        return load_or_fail({"root": root}, config_file).settings, False
    if not is_installed():
        raise click.UsageError(
            "the registry is not installed on this machine: name the directory that it was "
            "started with, by --root DIR"
        )
    try:
        return settings_by(service_environment(layout.REGISTRY)), True
    except ConfigInvalid as error:
        raise misconfigured(mistakes_text(error)) from error


def _refuse_inside(place: Path, directories: list[Path]) -> None:
    for directory in directories:
        if place.is_relative_to(directory.resolve()):
            raise BackupFailed(
                f"{place} lies inside of {directory}, which is backed up: name a place elsewhere, "
                "at best on another disk"
            )


def _tell(report: Report, removed: int) -> None:
    copied = f"{report.copied} new ones copied, {bytes_text(report.copied_bytes)}"
    click.echo(
        f"Backed up {report.blobs} blobs, {bytes_text(report.blob_bytes)} ({copied}), in "
        f"{report.seconds:.1f} s: {report.snapshot}"
    )
    if removed:
        click.echo(f"Removed older snapshots: {removed}.")
    click.echo("It holds the keys of the registry: keep it to yourself.")
    for missing in report.missing:
        click.echo(f"lost: {missing.digest}: {missing.reason}", err=True)
    if report.missing:
        click.echo(
            "The registry itself does not have these blobs whole. Push them again, or bring them "
            "back from an earlier backup; older snapshots were kept.",
            err=True,
        )


@contextlib.contextmanager
def shown() -> Iterator[ShownProgress]:
    """Show how far the work is, and end the command with what went wrong."""
    progress = ShownProgress(_CLOCK)
    try:
        yield progress
    except BackupFailed as error:
        raise click.ClickException(str(error)) from error
    except DomainError as error:
        raise click.ClickException(error.message) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{where}{error.strerror or error}") from error
    finally:
        progress.end()
