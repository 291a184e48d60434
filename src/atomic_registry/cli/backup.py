"""`atomic-registry backup` and `atomic-registry restore`."""

from pathlib import Path

import click

from atomic_registry.cli.settings import config_option

place_argument = click.argument(
    "place", type=click.Path(path_type=Path, resolve_path=True), metavar="DIR|FILE.tar"
)
root_option = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, resolve_path=True),
    help="The directory of `serve --root`; by default what is installed on this machine.",
)
at_option = click.option("--at", metavar="NAME", help="Another snapshot than the newest.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.group("backup")
def command() -> None:
    """Back up a registry, also while it runs: configuration, keys, database and images.

    \b
    Examples:
      atomic-registry backup create /mnt/backups/registry
      atomic-registry backup verify /mnt/backups/registry
    """


@command.command("create")
@place_argument
@root_option
@config_option
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=7,
    show_default=True,
    help="So many of the newest snapshots stay in the directory.",
)
@click.option(
    "--rehash", is_flag=True, help="Read the blobs of earlier backups, and mend damaged ones."
)
@json_option
def create(
    place: Path,
    root: Path | None,
    config_file: Path | None,
    keep: int,
    *,
    rehash: bool,
    as_json: bool,
) -> int:
    """Write a backup into a directory, or into one tar file.

    A directory keeps several snapshots, which share the blobs that they have in common: what is
    there need not be copied again. A backup that was interrupted counts for nothing and leaves
    the earlier ones as they are. Exit code 3 says that the registry itself has lost blobs: the
    backup holds all the others.

    It holds the keys of the registry: nobody else may read it.

    \b
    Examples:
      atomic-registry backup create /mnt/backups/registry
      atomic-registry backup create ./backup.tar --root ./data
    """
    from atomic_registry.cli.backup_work import create_now  # noqa: PLC0415 - it loads for long

    return create_now(place, root, config_file, keep=keep, rehash=rehash, as_json=as_json)


@command.command("verify")
@place_argument
@at_option
@json_option
def verify(place: Path, at: str | None, *, as_json: bool) -> int:
    """Read a whole snapshot and compare each byte with its digest; exit code 1 on any fault.

    \b
    Examples:
      atomic-registry backup verify /mnt/backups/registry
    """
    from atomic_registry.cli.backup_work import verify_now  # noqa: PLC0415

    return verify_now(place, at, as_json=as_json)


@command.command("drill")
@place_argument
@at_option
@click.option(
    "--images",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Pull so many images, chosen at random.",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False, exists=True, resolve_path=True),
    help="A directory with room for all of it; by default the one for temporary files.",
)
@json_option
def drill(place: Path, at: str | None, images: int, to: Path | None, *, as_json: bool) -> int:
    """Try a restore: bring the backup back elsewhere, serve it, pull from it, take it away again.

    The registry is served on a free loopback port, and to this command alone; what runs on this
    machine is not touched. Every byte that is pulled is compared. Exit code 1 on any fault.

    \b
    Examples:
      atomic-registry backup drill /mnt/backups/registry
      atomic-registry backup drill /mnt/backups/registry --images 200 --to /mnt/scratch
    """
    from atomic_registry.cli.backup_drill import drill_now  # noqa: PLC0415

    return drill_now(place, at, to, count=images, as_json=as_json)


@command.command("list")
@place_argument
@json_option
def list_snapshots(place: Path, *, as_json: bool) -> None:
    """List the snapshots of a backup, oldest first.

    \b
    Examples:
      atomic-registry backup list /mnt/backups/registry
    """
    from atomic_registry.cli.backup_work import list_now  # noqa: PLC0415

    list_now(place, as_json=as_json)


@click.command("restore")
@place_argument
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False, resolve_path=True),
    help="Where to: the root of a registry, or the tree of a machine; by default where it was.",
)
@at_option
@click.option("--force", is_flag=True, help="Move aside what is there.")
@json_option
def restore(place: Path, to: Path | None, at: str | None, *, force: bool, as_json: bool) -> None:
    """Bring a backup back: all of it, or nothing.

    Everything is read and compared before anything changes. The services must not run.

    \b
    Examples:
      atomic-registry restore /mnt/backups/registry
      atomic-registry restore ./backup.tar --to ./data
    """
    from atomic_registry.cli.backup_work import restore_now  # noqa: PLC0415

    restore_now(place, to, at, force=force, as_json=as_json)
