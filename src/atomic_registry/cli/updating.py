"""How an update goes: which version, what stands against it, the change, what is left over."""

import os
from dataclasses import dataclass
from pathlib import Path

import click

from atomic_registry.app.update import Update, rehearse
from atomic_registry.cli.settings import mistakes_text
from atomic_registry.clock import SystemClock
from atomic_registry.config.load import ConfigInvalid
from atomic_registry.errors import DomainError
from atomic_registry.store.metadata import SchemaTooNew
from atomic_registry.system.install import checks, layout
from atomic_registry.system.install.ledger import Choices, load_ledger
from atomic_registry.system.install.target import InstallFailed, Target
from atomic_registry.system.update.services import Services
from atomic_registry.system.update.sources import Source
from atomic_registry.system.update.versions import Versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line asks for."""

    what: str
    wheels: str
    goes_back: bool
    is_dry: bool
    is_one_way: bool
    seconds: int


def answer_rehearsal(url: str, directory: Path) -> str:
    """Return what this version would make of the database, for the version that asks."""
    try:
        return rehearse(url, directory).decode()
    except (SchemaTooNew, DomainError) as error:
        raise click.ClickException(str(error)) from error


def update(wishes: Wishes) -> None:
    """Bring the machine to another version."""
    mistakes = list(checks.removal_mistakes())
    if mistakes:
        raise click.ClickException("nothing was changed: " + "; ".join(mistakes))
    # Everybody runs the version, and only root changes it.
    os.umask(0o022)
    target = Target()
    versions = Versions(target=target)
    try:
        with versions.locked():
            choices = _installed_choices(target)
            version = _chosen(versions, wishes)
            if choices is None:
                _put_in_place(versions, version, wishes)
            elif version == versions.current:
                click.echo(f"{version} is in use already; nothing to do")
            else:
                _update_services(versions, version, choices, wishes)
    except ConfigInvalid as error:
        raise click.ClickException(f"nothing was changed: {mistakes_text(error)}") from error
    except InstallFailed as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{where}{error.strerror or error}") from error


def _installed_choices(target: Target) -> Choices | None:
    """Return what was chosen at the installation, or None where no services are to be restarted."""
    ledger = load_ledger(target)
    has_units = target.at(layout.UNITS / layout.UNIT_NAMES[0]).exists()
    has_systemd = Path("/run/systemd/system").is_dir()
    return ledger.choices if ledger is not None and has_units and has_systemd else None


def _chosen(versions: Versions, wishes: Wishes) -> str:
    if not wishes.goes_back:
        return versions.add(Source(given=wishes.what, wheels=wishes.wheels))
    if not versions.previous or versions.previous == versions.current:
        raise InstallFailed("nothing was changed: there is no version to go back to")
    return versions.previous


def _put_in_place(versions: Versions, version: str, wishes: Wishes) -> None:
    if not wishes.is_dry:
        versions.use(version)
    click.echo(f"{version} is in place; install the services: atomic-registry install HOSTNAME")


def _update_services(versions: Versions, version: str, choices: Choices, wishes: Wishes) -> None:
    before = versions.current
    if not before:
        raise InstallFailed(
            f"nothing was changed: the services do not run from a version in {layout.VERSIONS}; "
            f"install them from there: {layout.VERSIONS}/{version}/bin/atomic-registry install"
        )
    ports = (choices.master_port, choices.registry_port, choices.console_port)
    services = Services(
        target=versions.target,
        clock=SystemClock(),
        ports=dict(zip(layout.SERVICES, ports, strict=True)),
    )
    work = Update(target=versions.target, versions=versions, services=services, tell=click.echo)
    try:
        rehearsed = work.rehearse(version)
        may_return = work.may_return(rehearsed)
    except InstallFailed as error:
        raise InstallFailed(
            f"nothing was changed: {version} cannot be used here: {error}"
        ) from error
    click.echo(f"{version} reads the settings, and migrates a copy of the database")
    if not may_return and not wishes.is_one_way:
        raise InstallFailed(
            f"nothing was changed: {version} brings the database to schema {rehearsed.schema}, "
            f"which {before} cannot use, so there would be no way back; make a backup, then "
            f"atomic-registry update {version} --one-way"
        )
    if wishes.is_dry:
        way_back = "can be gone back to" if may_return else "CANNOT be gone back to"
        click.echo(f"it would replace {before}, which {way_back}; nothing was changed")
        return
    work.change(version, seconds=wishes.seconds, may_return=may_return)
    for old in versions.prune():
        click.echo(f"removed {old}, which was not in use")
    click.echo(f"{version} is in use; back to {before}: atomic-registry update --rollback")
