"""`atomic-registry groups`: named sets of users, for administrators of the registry."""

import click

from atomic_registry.cli.client import segment
from atomic_registry.cli.documents import Document, name_of, texts_at
from atomic_registry.cli.group_sync import prune, sync
from atomic_registry.cli.output import echo_items, output_option
from atomic_registry.cli.session import USERS, open_login

_PATH = f"{USERS}/groups"


@click.group("groups")
def command() -> None:
    """List and change groups of users.

    \b
    Examples:
      atomic-registry groups new developers mary bob
      atomic-registry policy add-role-to-group registry-editor developers
      atomic-registry groups sync --sync-config ldap.yaml
    """


command.add_command(sync)
command.add_command(prune)


@command.command("list")
@output_option
def list_groups(output: str) -> None:
    """List the groups with their members.

    \b
    Example:
      atomic-registry groups list
    """
    echo_items(
        open_login().client.list(_PATH),
        output,
        ("NAME", "USERS"),
        lambda item: (name_of(item), ", ".join(texts_at(item, "users"))),
        none="There is no group; make one: atomic-registry groups new NAME USER...",
    )


@command.command("new")
@click.argument("name")
@click.argument("users", nargs=-1)
def new(name: str, users: tuple[str, ...]) -> None:
    """Make group NAME of USERS.

    \b
    Example:
      atomic-registry groups new developers mary bob
    """
    document: Document = {
        "kind": "Group",
        "apiVersion": "user.openshift.io/v1",
        "metadata": {"name": name},
        "users": list(dict.fromkeys(users)),
    }
    open_login().client.call("POST", _PATH, document)
    click.echo(f"Made group {name}.")


@command.command("add-users")
@click.argument("name")
@click.argument("users", nargs=-1, required=True)
def add_users(name: str, users: tuple[str, ...]) -> None:
    """Add USERS to group NAME.

    \b
    Example:
      atomic-registry groups add-users developers zoe
    """
    _change(name, added=users)
    click.echo(f"Added {', '.join(users)} to group {name}.")


@command.command("remove-users")
@click.argument("name")
@click.argument("users", nargs=-1, required=True)
def remove_users(name: str, users: tuple[str, ...]) -> None:
    """Remove USERS from group NAME.

    \b
    Example:
      atomic-registry groups remove-users developers zoe
    """
    _change(name, removed=users)
    click.echo(f"Removed {', '.join(users)} from group {name}.")


@command.command("delete")
@click.argument("name")
def delete(name: str) -> None:
    """Delete group NAME; its users stay.

    \b
    Example:
      atomic-registry groups delete developers
    """
    open_login().client.call("DELETE", f"{_PATH}/{segment(name)}")
    click.echo(f"Deleted group {name}.")


def _change(name: str, *, added: tuple[str, ...] = (), removed: tuple[str, ...] = ()) -> None:
    client = open_login().client
    path = f"{_PATH}/{segment(name)}"
    group = client.get(path)
    users = dict.fromkeys([*texts_at(group, "users"), *added])
    client.call("PUT", path, {**group, "users": [user for user in users if user not in removed]})
