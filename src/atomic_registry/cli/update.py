"""`atomic-registry update`."""

from pathlib import Path

import click


@click.command("update")
@click.argument("what", default="", metavar="[VERSION|FILE]")
@click.option(
    "--from",
    "wheels",
    metavar="DIR|URL",
    default="",
    help="Where the wheels of VERSION are, and of all that it needs: a directory, or an index.",
)
@click.option("--rollback", is_flag=True, help="Go back to the version that was in use before.")
@click.option("--dry-run", is_flag=True, help="Try all of it; change nothing that is in use.")
@click.option(
    "--one-way", is_flag=True, help="Go on although the version in use could not be gone back to."
)
@click.option(
    "--timeout",
    type=click.IntRange(min=1),
    default=120,
    show_default=True,
    metavar="SECONDS",
    help="How long each service may take until it does well.",
)
@click.option("--rehearse", nargs=2, hidden=True, metavar="URL DIR")
def command(  # noqa: PLR0913 - the options of the command
    what: str,
    wheels: str,
    rehearse: tuple[str, str] | None,
    timeout: int,
    *,
    rollback: bool,
    dry_run: bool,
    one_way: bool,
) -> None:
    """Change the services of this machine to another version.

    FILE is a .deb, a .tar.gz or a .whl of Atomic Registry. VERSION lies on the machine already, or
    is found --from a directory or an index; without a VERSION that is the newest there.

    The new version lies beside the one in use and tries its migration on a copy of the database.
    Then services are restarted one by one, while systemd holds their sockets. If one does not do
    well, the version before is put back. Two versions are kept beside the one in use.

    \b
    Examples:
      atomic-registry update ./atomic-registry_0.2.0_amd64.deb --dry-run
      atomic-registry update ./atomic-registry_0.2.0_amd64.deb
      atomic-registry update 0.2.0 --from ./wheels
      atomic-registry update --rollback
    """
    # What an update takes is long to load, and `--help` needs none of it.
    from atomic_registry.cli.updating import Wishes, answer_rehearsal, update  # noqa: PLC0415

    if rehearse:
        url, directory = rehearse
        click.echo(answer_rehearsal(url, Path(directory)))
        return
    if rollback and (what or wheels):
        raise click.UsageError(
            "--rollback goes to the version before: leave out VERSION and --from"
        )
    update(
        Wishes(
            what=what,
            wheels=wheels,
            goes_back=rollback,
            is_dry=dry_run,
            is_one_way=one_way,
            seconds=timeout,
        )
    )
