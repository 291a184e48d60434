"""How an installation goes: wishes and what was there before, checks, steps, what comes next."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from atomic_registry import __version__
from atomic_registry.app.install import Installation, next_steps
from atomic_registry.clock import SystemClock
from atomic_registry.system.install import checks, layout
from atomic_registry.system.install.ledger import Choices, Ledger, load_ledger
from atomic_registry.system.install.removal import removal_steps
from atomic_registry.system.install.run import apply_steps
from atomic_registry.system.install.target import InstallFailed, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line asks for; the rest is as it was before."""

    hostnames: tuple[str, ...]
    registry_port: int | None
    master_port: int | None
    console_port: int | None
    identity_provider: str | None

    def on_top_of(self, before: Choices) -> Choices:
        """Return what holds now."""
        return Choices(
            hostnames=tuple(name.lower() for name in self.hostnames) or before.hostnames,
            registry_port=before.registry_port
            if self.registry_port is None
            else self.registry_port,
            master_port=before.master_port if self.master_port is None else self.master_port,
            console_port=before.console_port if self.console_port is None else self.console_port,
            identity_provider=self.identity_provider or before.identity_provider,
        )


def install(wishes: Wishes, *, root: Path, starts: bool, is_dry: bool) -> None:
    """Check, then take the steps or print them."""
    target = Target(root=root)
    try:
        ledger = load_ledger(target) or Ledger()
        ledger.choices = wishes.on_top_of(ledger.choices)
        ledger.version = __version__
        prefix = Path(sys.prefix)
        mistakes = [
            *checks.host_mistakes(ledger.choices.hostnames),
            *checks.port_mistakes(ledger.choices),
            *checks.machine_mistakes(target, ledger.choices, prefix / "bin" / "atomic-registry"),
        ]
        if mistakes:
            raise _listed("nothing was changed, because", mistakes)
        steps = Installation(
            target=target, choices=ledger.choices, prefix=prefix, clock=SystemClock()
        ).steps()
        if is_dry:
            for step in steps:
                click.echo(step.describe())
            return
        apply_steps(steps, target, ledger, click.echo)
        _start(target, starts=starts)
    except InstallFailed as error:
        raise click.ClickException(str(error)) from error
    for line in next_steps(ledger.choices, is_running=starts):
        click.echo(line)


def remove(*, root: Path, removes_data: bool, is_dry: bool) -> None:
    """Take everything off the machine but data, configuration and keys; or those as well."""
    target = Target(root=root)
    try:
        mistakes = list(checks.removal_mistakes())
        if mistakes:
            raise _listed("nothing was changed, because", mistakes)
        ledger = load_ledger(target) or Ledger()
        for step in removal_steps(target, ledger, removes_data=removes_data):
            done = "" if is_dry else f": {step.take()}"
            click.echo(f"{step.what}{done}")
    except InstallFailed as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}"
        raise click.ClickException(f"{reason}; mend that and uninstall again") from error
    if not removes_data and not is_dry:
        click.echo(
            f"Data stays in {layout.DATA}, configuration and keys in {layout.CONFIGURATION}."
        )


def _start(target: Target, *, starts: bool) -> None:
    if not starts:
        return
    target.systemctl("enable", f"{layout.MASTER}.service")
    if not target.is_live:
        return
    if _ports_changed(target):
        # A socket takes a new port only when nothing uses it.
        target.systemctl("stop", *layout.UNIT_NAMES)
    target.systemctl("try-restart", *(f"{name}.service" for name in layout.SERVICES))
    target.systemctl("start", *layout.UNIT_NAMES)


def _ports_changed(target: Target) -> bool:
    return any(
        f":{_port_of(target, name)} (Stream)"
        not in target.systemctl("show", "--property=Listen", f"{name}.socket", check=False)
        for name in layout.SERVICES
    )


def _port_of(target: Target, name: str) -> str:
    text = target.at(layout.UNITS / f"{name}.socket").read_text()
    return next(
        line.partition("=")[2] for line in text.splitlines() if line.startswith("ListenStream=")
    )


def _listed(title: str, mistakes: Sequence[str]) -> click.ClickException:
    """Return an error with all that is wrong."""
    return click.ClickException(title + ":\n" + "\n".join(f"  {it}" for it in mistakes))
