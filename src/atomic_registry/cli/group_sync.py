"""`atomic-registry groups sync` and `prune`: brings groups from an LDAP directory here."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import click
import msgspec

from atomic_registry.cli.client import ApiClient, ApiError, segment
from atomic_registry.cli.documents import Document
from atomic_registry.cli.output import echo_table, printable
from atomic_registry.cli.session import USERS, open_login
from atomic_registry.clock import SystemClock
from atomic_registry.config.environment import process_environment
from atomic_registry.errors import DomainError, ObjectInvalid, ObjectUnknown, StaleRevision
from atomic_registry.identity.records import Group

if TYPE_CHECKING:
    from atomic_registry.identity.group_sync import GroupSync, Selection, SyncReport

_PATH = f"{USERS}/groups"
_MAX_LIST_BYTES = 1 << 20
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_Decorated = TypeVar("_Decorated", bound=Callable[..., object])


def _directory_options(command: _Decorated) -> _Decorated:
    for option in (
        click.option("--confirm", is_flag=True, help="Do it; without this it is only shown."),
        click.option(
            "--blacklist", type=_FILE, help="File with groups to leave out, one in each line."
        ),
        click.option("--whitelist", type=_FILE, help="File with groups to take, one in each line."),
        click.option(
            "--sync-config",
            type=_FILE,
            required=True,
            help="The LDAPSyncConfig: where the directory is, and what in it is a group.",
        ),
    ):
        command = option(command)
    return command


@click.command("sync")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--type",
    "by",
    type=click.Choice(["ldap", "openshift"]),
    default="ldap",
    show_default=True,
    help="What NAME and the files hold: unique names in the directory, or names of groups here.",
)
@_directory_options
def sync(
    names: tuple[str, ...],
    by: Literal["ldap", "openshift"],
    whitelist: Path | None,
    blacklist: Path | None,
    sync_config: Path,
    *,
    confirm: bool,
) -> int:
    """Make groups and their members what they are in an LDAP directory.

    Without a NAME and without a whitelist it takes all of them; with --type=openshift those that
    were brought here before. Groups that were made here are never touched. Nothing is written
    without --confirm. Exit code 1 if a group had to be left as it is.

    \b
    Examples:
      atomic-registry groups sync --sync-config ldap.yaml
      atomic-registry groups sync --sync-config ldap.yaml --confirm
      atomic-registry groups sync --sync-config ldap.yaml cn=devs,ou=groups,dc=example,dc=com
      atomic-registry groups sync --type openshift --sync-config ldap.yaml devs --confirm
    """
    from atomic_registry.identity.group_sync import Selection  # noqa: PLC0415 - loaded late

    chosen = Selection(by=by, whitelist=_names(names, whitelist), blacklist=_names((), blacklist))
    return _run(sync_config, chosen, lambda it: it.sync, is_confirmed=confirm)


@click.command("prune")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_directory_options
def prune(
    names: tuple[str, ...],
    whitelist: Path | None,
    blacklist: Path | None,
    sync_config: Path,
    *,
    confirm: bool,
) -> int:
    """Delete groups that came from an LDAP directory and are no longer in it.

    NAME and the files hold names of groups here; without any, all that came from this directory
    are looked at. Nothing is deleted without --confirm.

    \b
    Examples:
      atomic-registry groups prune --sync-config ldap.yaml
      atomic-registry groups prune --sync-config ldap.yaml --confirm
    """
    from atomic_registry.identity.group_sync import Selection  # noqa: PLC0415 - loaded late

    chosen = Selection(
        by="openshift", whitelist=_names(names, whitelist), blacklist=_names((), blacklist)
    )
    return _run(sync_config, chosen, lambda it: it.prune, is_confirmed=confirm)


class ApiGroups:
    """The groups behind the master's API; implements `GroupStore`."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def list_groups(self) -> list[Group]:
        """Return all groups, each with the version that it has now."""
        return [msgspec.convert(item, Group) for item in self._client.list(_PATH)]

    def add_group(self, group: Group) -> None:
        """Keep a new group."""
        self._call(group, "POST", _PATH, _shown(group))

    def update_group(self, group: Group) -> None:
        """Replace a group, if it is still the one that was listed."""
        self._call(group, "PUT", _path(group), _shown(group))

    def remove_group(self, group: Group) -> None:
        """Delete a group, if it is still the one that was listed."""
        metadata = group.metadata
        same: Document = {"uid": metadata.uid, "resourceVersion": metadata.resource_version}
        self._call(group, "DELETE", _path(group), {"preconditions": same})

    def _call(self, group: Group, method: str, path: str, document: Document) -> None:
        try:
            self._client.call(method, path, document)
        except ApiError as error:
            if error.status == 404:
                raise ObjectUnknown(kind="group", name=group.metadata.name) from error
            if error.status == 409:
                raise StaleRevision(kind="group", name=group.metadata.name) from error
            raise


_Action = Callable[["GroupSync"], Callable[..., "SyncReport"]]


def _run(path: Path, chosen: "Selection", action: _Action, *, is_confirmed: bool) -> int:
    groups = ApiGroups(open_login().client)
    try:
        report = action(_group_sync(path, groups))(chosen, dry_run=not is_confirmed)
    except ObjectInvalid as error:
        lines = [f"  {key}: {reason}" for key, reason in error.causes]
        raise click.ClickException("\n".join([f"{path} cannot be used:", *lines])) from error
    except DomainError as error:
        raise click.ClickException(f"{error.message}; {path} says how to reach it") from error
    _tell(report, is_confirmed=is_confirmed)
    return 1 if report.problems else 0


def _group_sync(path: Path, groups: ApiGroups) -> "GroupSync":
    # Reading documents and speaking LDAP take libraries that no other command of groups needs.
    from atomic_registry.cli.settings import mistakes_text  # noqa: PLC0415
    from atomic_registry.config.documents import read_document  # noqa: PLC0415
    from atomic_registry.config.load import ConfigInvalid  # noqa: PLC0415
    from atomic_registry.identity.group_sync import GroupSync  # noqa: PLC0415
    from atomic_registry.identity.group_sync_config import KIND, LdapSyncConfig  # noqa: PLC0415

    try:
        config, _ = read_document(path, LdapSyncConfig, process_environment(), name=KIND)
    except ConfigInvalid as error:
        raise click.ClickException(mistakes_text(error)) from error
    return GroupSync(config, groups, SystemClock())


def _tell(report: "SyncReport", *, is_confirmed: bool) -> None:
    rows = [
        (it.name, it.action, ", ".join(it.added), ", ".join(it.removed), it.uid)
        for it in report.changes
    ]
    if rows:
        echo_table(("GROUP", "WHAT", "ADDED", "REMOVED", "IN THE DIRECTORY"), rows)
    for problem in report.problems:
        click.echo(f"Left as it is: {printable(problem)}", err=True)
    if all(change.action == "unchanged" for change in report.changes):
        click.echo("There is nothing to change.", err=True)
    elif not is_confirmed:
        click.echo("Nothing was changed; add --confirm to do it.", err=True)


def _names(given: tuple[str, ...], path: Path | None) -> tuple[str, ...]:
    """Return names as the original takes them: those of groups may begin with `group/`."""
    names = [*given, *(_lines(path) if path is not None else ())]
    return tuple(dict.fromkeys(name.removeprefix("group/") for name in names))


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_LIST_BYTES + 1)
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path} cannot be read: {error}") from error
    if len(content) > _MAX_LIST_BYTES:
        raise click.ClickException(f"{path} is larger than {_MAX_LIST_BYTES} bytes")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _shown(group: Group) -> Document:
    fields: Document = msgspec.to_builtins(group)
    return {"kind": "Group", "apiVersion": "user.openshift.io/v1", **fields}


def _path(group: Group) -> str:
    return f"{_PATH}/{segment(group.metadata.name)}"
