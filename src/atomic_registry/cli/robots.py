"""`atomic-registry robots`: accounts for machines, with tokens and roles of their own."""

import click

from atomic_registry.cli.bindings import add_subject, cluster_role, robot_subject
from atomic_registry.cli.client import segment
from atomic_registry.cli.documents import Document, name_of, text_at
from atomic_registry.cli.durations import expires_option
from atomic_registry.cli.output import echo_items, output_option
from atomic_registry.cli.session import Login, namespace_option, open_login
from atomic_registry.cli.tokens import echo_secret, echo_tokens


@click.group("robots")
def command() -> None:
    """Make and remove robots of a project, and their tokens.

    A robot may pull in its own project from the start, by the binding system:image-pullers that
    each project comes with. For anything else it is given a role, in this project or another.

    \b
    Examples:
      atomic-registry robots create ci -n demo
      atomic-registry robots grant ci registry-editor -n demo
      atomic-registry robots token ci -n demo --expires 90d
    """


@command.command("create")
@click.argument("name")
@namespace_option
def create(name: str, namespace: str | None) -> None:
    """Make robot NAME.

    \b
    Example:
      atomic-registry robots create ci -n demo
    """
    login = open_login()
    document: Document = {
        "kind": "ServiceAccount",
        "apiVersion": "v1",
        "metadata": {"name": name},
    }
    login.client.call("POST", login.below(namespace, "serviceaccounts"), document)
    where = login.namespace(namespace)
    click.echo(f"Made robot {where}/{name}.")
    click.echo("\nWhat to do next:")
    click.echo(f"  atomic-registry robots grant {name} registry-editor -n {where}")
    click.echo(f"  atomic-registry robots token {name} -n {where}")


@command.command("list")
@namespace_option
@output_option
def list_robots(namespace: str | None, output: str) -> None:
    """List the robots of a project.

    \b
    Example:
      atomic-registry robots list -n demo
    """
    login = open_login()

    def row(item: Document) -> tuple[str, str, str]:
        state = "disabled" if item.get("disabled") is True else "active"
        return name_of(item), state, text_at(item, "metadata", "creationTimestamp")

    echo_items(
        login.client.list(login.below(namespace, "serviceaccounts")),
        output,
        ("NAME", "STATE", "MADE"),
        row,
        none="There is no robot; make one: atomic-registry robots create NAME",
    )


@command.command("token")
@click.argument("name")
@namespace_option
@click.option("--description", default="", help="What the token is for.")
@click.option("--scope", "scopes", multiple=True, help="What it may be used for.")
@expires_option("30d")
def token(
    name: str, namespace: str | None, description: str, scopes: tuple[str, ...], expires: int
) -> None:
    """Make a token of robot NAME and print its secret, this once.

    \b
    Example:
      atomic-registry robots token ci -n demo --expires 90d
    """
    login = open_login()
    spec: Document = {
        "expirationSeconds": expires,
        "scopes": list(scopes),
        "description": description or name,
    }
    made = login.client.call("POST", _tokens(login, namespace, name), {"spec": spec})
    echo_secret(made)


@command.command("tokens")
@click.argument("name")
@namespace_option
@output_option
def tokens(name: str, namespace: str | None, output: str) -> None:
    """List the tokens of robot NAME.

    \b
    Example:
      atomic-registry robots tokens ci -n demo
    """
    login = open_login()
    echo_tokens(login.client.list(_tokens(login, namespace, name)), output)


@command.command("revoke")
@click.argument("name")
@click.argument("ids", nargs=-1, required=True)
@namespace_option
def revoke(name: str, ids: tuple[str, ...], namespace: str | None) -> None:
    """Make tokens of robot NAME worthless.

    \b
    Example:
      atomic-registry robots revoke ci sha256~... -n demo
    """
    login = open_login()
    for token_id in ids:
        path = f"{_tokens(login, namespace, name)}/{segment(token_id)}"
        login.client.call("DELETE", path)
        click.echo(f"Revoked {token_id}.")


@command.command("delete")
@click.argument("name")
@namespace_option
def delete(name: str, namespace: str | None) -> None:
    """Remove robot NAME; its tokens are worthless at once.

    \b
    Example:
      atomic-registry robots delete ci -n demo
    """
    login = open_login()
    login.client.call("DELETE", f"{login.below(namespace, 'serviceaccounts')}/{segment(name)}")
    click.echo(f"Removed robot {login.namespace(namespace)}/{name}.")


@command.command("grant")
@click.argument("name", metavar="[PROJECT/]NAME")
@click.argument("role")
@namespace_option
def grant(name: str, role: str, namespace: str | None) -> None:
    """Give robot NAME a role in project -n, which may be another than its own.

    \b
    Examples:
      atomic-registry robots grant ci registry-editor
      atomic-registry robots grant demo/ci registry-viewer -n base-images
    """
    login = open_login()
    home, slash, short = name.rpartition("/")
    where = login.namespace(namespace)
    home = home if slash else login.context.namespace or where
    subject = robot_subject(home, short)
    # A binding of a name that nobody has yet would arm whoever makes it later.
    login.client.get(f"{login.below(home, 'serviceaccounts')}/{segment(short)}")
    is_new = add_subject(login.client, where, cluster_role(role), subject)
    verb = "now has" if is_new else "already had"
    click.echo(f"Robot {home}/{short} {verb} role {role} in project {where}.")


def _tokens(login: Login, namespace: str | None, name: str) -> str:
    return f"{login.below(namespace, 'serviceaccounts')}/{segment(name)}/token"
