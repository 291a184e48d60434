"""`atomic-registry users`: the stored accounts, for administrators of the registry."""

import click

from atomic_registry.cli.client import segment
from atomic_registry.cli.documents import Document, name_of, text_at, texts_at
from atomic_registry.cli.output import echo_items, output_option
from atomic_registry.cli.session import USERS, open_login

_PATH = f"{USERS}/users"


@click.group("users")
def command() -> None:
    """List, make, disable and delete accounts.

    Where the identity provider's mapping is `claim`, an account comes with the first login.

    \b
    Examples:
      atomic-registry users list
      atomic-registry users disable bob
    """


@command.command("list")
@output_option
def list_users(output: str) -> None:
    """List the accounts.

    \b
    Example:
      atomic-registry users list
    """

    def row(item: Document) -> tuple[str, str, str, str]:
        state = "disabled" if item.get("disabled") is True else "active"
        identities = ",".join(texts_at(item, "identities"))
        return name_of(item), text_at(item, "fullName"), state, identities

    echo_items(
        open_login().client.list(_PATH),
        output,
        ("NAME", "FULL NAME", "STATE", "IDENTITIES"),
        row,
        none="Nobody has an account yet.",
    )


@command.command("create")
@click.argument("name")
@click.option("--full-name", default="", help="Name for people.")
def create(name: str, full_name: str) -> None:
    """Make account NAME, for identity providers whose mapping is `lookup` or `add`.

    \b
    Example:
      atomic-registry users create bob --full-name "Bob Smith"
    """
    document: Document = {
        "kind": "User",
        "apiVersion": "user.openshift.io/v1",
        "metadata": {"name": name},
        "fullName": full_name,
    }
    open_login().client.call("POST", _PATH, document)
    click.echo(f"Made user {name}.")


@command.command("disable")
@click.argument("name")
def disable(name: str) -> None:
    """Refuse user NAME everywhere, with all of their tokens, until they are enabled.

    \b
    Example:
      atomic-registry users disable bob
    """
    _set_disabled(name, is_disabled=True)
    click.echo(f"Disabled user {name}.")


@command.command("enable")
@click.argument("name")
def enable(name: str) -> None:
    """Let user NAME in again.

    \b
    Example:
      atomic-registry users enable bob
    """
    _set_disabled(name, is_disabled=False)
    click.echo(f"Enabled user {name}.")


@command.command("delete")
@click.argument("name")
def delete(name: str) -> None:
    """Delete account NAME and its tokens; a later login may make it anew.

    \b
    Example:
      atomic-registry users delete bob
    """
    open_login().client.call("DELETE", f"{_PATH}/{segment(name)}")
    click.echo(f"Deleted user {name}.")


def _set_disabled(name: str, *, is_disabled: bool) -> None:
    client = open_login().client
    path = f"{_PATH}/{segment(name)}"
    # With the revision that was read, so that nobody's change in between is lost.
    client.call("PUT", path, {**client.get(path), "disabled": is_disabled})
