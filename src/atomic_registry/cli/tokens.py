"""`atomic-registry create-token` and `tokens`: one's own tokens. A secret is printed once."""

import click

from atomic_registry.cli.client import segment
from atomic_registry.cli.documents import Document, name_of, text_at, texts_at
from atomic_registry.cli.durations import expires_option
from atomic_registry.cli.output import echo_items, output_option, printable
from atomic_registry.cli.session import OAUTH, open_login

_PATH = f"{OAUTH}/useroauthaccesstokens"


@click.command("create-token")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE",
    help="What it may be used for, e.g. user:info or role:registry-viewer:demo; may stand "
    "several times. Everything that you may do, by default.",
)
@expires_option("30d")
def create_token(name: str, scopes: tuple[str, ...], expires: int) -> None:
    """Make a personal token called NAME and print its secret, this once.

    It is a password for `docker login`, or a bearer token for the API.

    \b
    Examples:
      atomic-registry create-token laptop
      atomic-registry create-token ci --scope role:registry-editor:demo --expires 90d
    """
    login = open_login()
    made = login.client.call(
        "POST", _PATH, {"description": name, "scopes": list(scopes), "expiresIn": expires}
    )
    echo_secret(made)


@click.group("tokens", invoke_without_command=True)
@output_option
@click.pass_context
def command(context: click.Context, output: str) -> None:
    """List, rotate and revoke your tokens: those you made, and those that logins left.

    \b
    Examples:
      atomic-registry tokens
      atomic-registry tokens revoke sha256~...
    """
    if context.invoked_subcommand is None:
        echo_tokens(open_login().client.list(_PATH), output)


@command.command("revoke")
@click.argument("ids", nargs=-1, required=True)
def revoke(ids: tuple[str, ...]) -> None:
    """Make tokens worthless.

    \b
    Example:
      atomic-registry tokens revoke sha256~...
    """
    login = open_login()
    for token_id in ids:
        login.client.call("DELETE", f"{_PATH}/{segment(token_id)}")
        click.echo(f"Revoked {token_id}.")


@command.command("rotate")
@click.argument("token_id", metavar="ID")
def rotate(token_id: str) -> None:
    """Give a personal token a new secret and print it, this once; the old one dies.

    \b
    Example:
      atomic-registry tokens rotate sha256~...
    """
    login = open_login()
    echo_secret(login.client.call("POST", f"{_PATH}/{segment(token_id)}/rotate", {}))


def echo_secret(made: Document) -> None:
    """Print a new token: its secret alone on standard output, so that programs can take it."""
    expires = text_at(made, "status", "expires") or text_at(made, "status", "expirationTimestamp")
    click.echo(f"Token {printable(name_of(made))} works until {printable(expires)}.", err=True)
    click.echo("It is a password for docker login, under any name without a colon.", err=True)
    click.echo("Keep it safe: it cannot be shown again.", err=True)
    click.echo(text_at(made, "status", "token"))


def echo_tokens(items: list[Document], form: str) -> None:
    """Print tokens; they have no secrets any more."""
    headings = ("ID", "NAME", "TYPE", "SCOPES", "EXPIRES", "LAST USED")
    echo_items(items, form, headings, _row, none="There are no tokens.")


def _row(item: Document) -> tuple[str, ...]:
    status = ("status", "expires") if "type" in item else ("status", "expirationTimestamp")
    return (
        name_of(item),
        text_at(item, "description") or text_at(item, "spec", "description"),
        text_at(item, "type") or "robot",
        ",".join(texts_at(item, "scopes") or texts_at(item, "spec", "scopes")),
        text_at(item, *status) or "never",
        text_at(item, "status", "lastUsed") or "never",
    )
