"""`atomic-registry install` and `atomic-registry uninstall`."""

import sys
from pathlib import Path

import click

target_option = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, exists=True, resolve_path=True),
    default=Path("/"),
    help="The tree of an image to work on, instead of this machine.",
)


@click.command("install")
@click.argument("hostnames", nargs=-1, metavar="HOSTNAME...")
@click.option("--registry-port", type=int, help="Port of the registry; 5000 at first.")
@click.option("--master-port", type=int, help="Port of the master; 8443 at first.")
@click.option("--console-port", type=int, help="Port of the console; 9090 at first.")
@click.option(
    "--identity-provider",
    type=click.Choice(["anypassword", "allow-all", "htpasswd"]),
    help="Who may log in: anybody, as in the original, or an administrator to begin with, whose "
    "password lands in a file for root.",
)
@click.option("--now", is_flag=True, help="Start the services, or restart them.")
@click.option("--dry-run", is_flag=True, help="Check everything and print the steps; do nothing.")
@target_option
def command(  # noqa: PLR0913 - the options of the command
    hostnames: tuple[str, ...],
    registry_port: int | None,
    master_port: int | None,
    console_port: int | None,
    identity_provider: str | None,
    *,
    now: bool,
    dry_run: bool,
    root: Path,
) -> None:
    """Put the three services on this machine: users, directories, certificates, units.

    HOSTNAME is how clients reach this machine; more names and addresses may follow. It can be
    left out when it was given before. What was asked for before counts until it is given anew.

    It may be run again at any time: files that you changed stay, and a new default lands beside
    them as `.new`.

    \b
    Examples:
      atomic-registry install registry.example.com
      atomic-registry install registry.example.com 192.0.2.7 --identity-provider htpasswd --now
      atomic-registry install registry.example.com --dry-run
    """
    # The parts of an installation take long to load, and `--help` needs none of them.
    from atomic_registry.cli.installation import Wishes, install  # noqa: PLC0415

    provider = "anypassword" if identity_provider == "allow-all" else identity_provider
    wishes = Wishes(
        hostnames=hostnames,
        registry_port=registry_port,
        master_port=master_port,
        console_port=console_port,
        identity_provider=provider,
    )
    install(wishes, root=root, starts=now, is_dry=dry_run)


@click.command("uninstall")
@click.option("--remove-data", is_flag=True, help="Remove images, database, configuration, keys.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Print what would go; do nothing.")
@target_option
def uninstall(*, remove_data: bool, yes: bool, dry_run: bool, root: Path) -> None:
    """Stop the services and take them off this machine.

    Data, configuration and keys stay, and the next installation finds them again.

    \b
    Examples:
      atomic-registry uninstall
      atomic-registry uninstall --remove-data
    """
    from atomic_registry.cli.installation import remove  # noqa: PLC0415

    if remove_data and not yes and not dry_run:
        _ask()
    remove(root=root, removes_data=remove_data, is_dry=dry_run)


def _ask() -> None:
    if not sys.stdin.isatty():
        raise click.ClickException(
            "this removes every image and every key, and nobody is there to be asked: add --yes"
        )
    click.confirm("Remove every image, the database, the configuration and all keys?", abort=True)
