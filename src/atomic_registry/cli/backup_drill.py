"""What `atomic-registry backup drill` does and says."""

import os
from pathlib import Path

import click
import msgspec

from atomic_registry.app.drill import hold_drill
from atomic_registry.cli.backup_progress import bytes_text
from atomic_registry.cli.backup_work import shown
from atomic_registry.cli.output import echo_json
from atomic_registry.clock import SystemClock
from atomic_registry.system.backup.source import open_source


def drill_now(place: Path, at: str | None, to: Path | None, *, count: int, as_json: bool) -> int:
    """Hold the drill and say what came of it."""
    os.umask(0o077)
    with shown() as progress, open_source(place) as source:
        drilled = hold_drill(source, at, to, count, progress, SystemClock())
    if as_json:
        echo_json(msgspec.to_builtins(drilled))
    else:
        click.echo(
            f"Restored {drilled.snapshot} and pulled {drilled.images} images of it, "
            f"{bytes_text(drilled.bytes)}, in {drilled.seconds:.1f} s; all of it is gone again."
        )
    for fault in drilled.faults:
        click.echo(f"fault: {fault}", err=True)
    if drilled.faults:
        click.echo(
            f"This backup would not bring everything back: atomic-registry backup verify {place} "
            "tells what is damaged",
            err=True,
        )
    return 1 if drilled.faults else 0
