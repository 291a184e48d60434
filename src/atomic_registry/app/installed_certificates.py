"""Certificates of an installation under systemd, renewed by root: no service holds the CA's key."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from atomic_registry.app.install import Installation
from atomic_registry.clock import Clock
from atomic_registry.config.load import ConfigInvalid
from atomic_registry.system.install import layout
from atomic_registry.system.install.ledger import load_ledger
from atomic_registry.system.install.target import InstallFailed, Target

_STARTED = "ExecMainStartTimestampMonotonic"
_MICROSECONDS = 1_000_000


class RenewalFailed(Exception):
    """A certificate could not be seen to; the message says which, and what to do."""


def renew(target: Target, clock: Clock, tell: Callable[[str], None]) -> None:
    """Renew what is worn, and restart the services that were started before it was on disk.

    One certificate that cannot be renewed keeps none of the others back.

    Raises:
        InstallFailed: nothing is installed, or systemctl failed.
        RenewalFailed: with all that went wrong; the rest is done.
    """
    ledger = load_ledger(target)
    if ledger is None:
        raise InstallFailed("nothing is installed here: run `atomic-registry install HOSTNAME`")
    installation = Installation(
        target=target, choices=ledger.choices, prefix=Path(sys.prefix), clock=clock
    )
    failures, is_changed = [], False
    for step in installation.certificates():
        try:
            outcome = step.apply(target, ledger)
        except (OSError, ConfigInvalid, InstallFailed) as error:
            failures.append(f"{step.describe()}: {error}")
            continue
        is_changed = is_changed or outcome.undo is not None
        tell(f"{step.describe()}: {outcome.text}")
    # A new authority is in no credential, and the master takes it into use when it starts.
    stale = list(layout.SERVICES if is_changed else _stale(target, clock))
    if stale:
        tell(f"restarting {', '.join(stale)}: clients wait meanwhile, and lose nothing")
        units = [f"{name}.service" for name in stale]
        target.systemctl("try-restart", "--no-block", *units)
    if failures:
        raise RenewalFailed(
            "not renewed, and tried again tomorrow:\n" + "\n".join(f"  {it}" for it in failures)
        )


def _stale(target: Target, clock: Clock) -> Iterator[str]:
    """The copies that systemd made when it started a service are for that service's eyes only."""
    for service, (directory, name) in layout.PAIRS.items():
        there = target.at(layout.CONFIGURATION / directory / f"{name}.crt")
        shown = target.systemctl(
            "show", f"--property={_STARTED}", "--value", f"{service}.service", check=False
        ).strip()
        started = int(shown) / _MICROSECONDS if shown.isdigit() else 0.0
        age = clock.monotonic() - started
        # The time of the last change, for a file may be put in place with its former date.
        if started and there.exists() and clock.now().timestamp() - age < there.stat().st_ctime:
            yield service
