"""`atomic-registry login`, `logout` and `whoami`."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import click

from atomic_registry.cli.client import ApiClient, ApiError
from atomic_registry.cli.documents import Document, name_of, text_at
from atomic_registry.cli.kubeconfig import (
    Kubeconfig,
    cluster_nickname,
    find_entry,
    put_entry,
    put_login,
    without_credentials,
)
from atomic_registry.cli.output import printable
from atomic_registry.cli.session import (
    PROJECTS,
    USERS,
    check_server,
    my_kubeconfig,
    open_login,
    warn_of_open_login,
)
from atomic_registry.cli.trust import Trust

_DEFAULT_SERVER = "https://localhost:8443"
_SHOWN_PROJECTS = 20
_MAX_PASSWORD = 1 << 16
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How the caller wants to prove who they are."""

    username: str
    password: str | None
    token: str
    is_device: bool


@click.command("login")
@click.argument("server", metavar="[URL]", default="")
@click.option("-u", "--username", default="", help="Log in with this name and a password.")
@click.option("-p", "--password", help="The password; others on this machine may see it here.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--token", default="", help="Log in with a token.")
@click.option("--device", is_flag=True, help="Log in with a browser on another device.")
@click.option("--certificate-authority", type=_FILE, help="Authority to trust for this server.")
@click.option("--insecure-skip-tls-verify", is_flag=True, help="Trust whoever answers.")
@click.option("--client-certificate", type=_FILE, help="Log in with a certificate.")
@click.option("--client-key", type=_FILE, help="The certificate's key.")
def command(  # noqa: PLR0913 - one parameter an option
    *,
    server: str,
    username: str,
    password: str | None,
    password_stdin: bool,
    token: str,
    device: bool,
    certificate_authority: Path | None,
    insecure_skip_tls_verify: bool,
    client_certificate: Path | None,
    client_key: Path | None,
) -> None:
    """Log in to the master at URL, by default with your browser.

    The login is kept in $KUBECONFIG or ~/.kube/config, which `oc` and `kubectl` share. Without a
    URL it goes where you were last, or to https://localhost:8443.

    \b
    Examples:
      atomic-registry login https://registry.example.com:8443
      atomic-registry login https://registry.example.com:8443 --device
      atomic-registry login -u mary --password-stdin < password.txt
      atomic-registry login --certificate-authority ./data/master/ca.crt
    """
    kubeconfig = my_kubeconfig()
    server = _server(kubeconfig, server)
    way = _Way(
        username=username,
        password=_password(username, password, is_piped=password_stdin),
        token=token,
        is_device=device,
    )
    _check_way(way, client_certificate, client_key)
    trust = _trust(kubeconfig, server, certificate_authority, is_insecure=insecure_skip_tls_verify)
    if client_certificate is not None and client_key is not None:
        trust = replace(
            trust,
            certificate=str(client_certificate.resolve()),
            key=str(client_key.resolve()),
        )
    _log_in(kubeconfig, ApiClient(server, trust), way)


@click.command("logout")
def logout() -> None:
    """Make the current login worthless and forget it.

    A token that you made yourself, and gave to `login --token`, is only forgotten.

    \b
    Example:
      atomic-registry logout
    """
    login = open_login()
    name = login.context.user_name

    def forget(document: Document) -> None:
        user = find_entry(document, "users", name)
        if user is not None:
            put_entry(document, "users", name, without_credentials(user))

    try:
        outcome = _revoke(login.client)
    except click.ClickException as error:
        outcome = f"The token could not be revoked and works until it expires: {error.message}"
    login.kubeconfig.change_all(forget)
    click.echo(f"Logged out of {login.context.server}.")
    if outcome:
        click.echo(outcome, err=True)


@click.command("whoami")
@click.option("-t", "--token", "shows_token", is_flag=True, help="Print the login's token.")
@click.option("--show-server", is_flag=True, help="Print the master's URL.")
@click.option("-c", "--show-context", is_flag=True, help="Print the name of the login.")
def whoami(*, shows_token: bool, show_server: bool, show_context: bool) -> None:
    """Print your name, as the master knows it.

    \b
    Examples:
      atomic-registry whoami
      atomic-registry whoami -t | podman login -u mary --password-stdin HOST:5000
    """
    login = open_login()
    if show_server:
        click.echo(login.context.server)
    elif show_context:
        click.echo(login.context.name)
    elif not shows_token:
        click.echo(printable(name_of(login.client.get(f"{USERS}/users/~"))))
    elif login.client.token:
        click.echo(login.client.token)
    else:
        raise click.ClickException(
            "this login has a certificate and no token; make one for a robot: "
            "atomic-registry robots token NAME"
        )


def _server(kubeconfig: Kubeconfig, asked: str) -> str:
    if not asked:
        context = kubeconfig.find_context()
        asked = context.server if context is not None and context.server else _DEFAULT_SERVER
    server = (asked if "://" in asked else f"https://{asked}").rstrip("/")
    check_server(server)
    return server


def _password(username: str, given: str | None, *, is_piped: bool) -> str | None:
    if (given is not None or is_piped) and not username:
        raise click.UsageError("a password needs a name: give -u NAME too")
    if given is not None and is_piped:
        raise click.UsageError("give the password once: -p or --password-stdin")
    if is_piped:
        text = sys.stdin.read(_MAX_PASSWORD)
        return text.removesuffix("\n").removesuffix("\r")
    return given


def _check_way(way: _Way, certificate: Path | None, key: Path | None) -> None:
    ways = [bool(way.username), bool(way.token), way.is_device, certificate is not None]
    if sum(ways) > 1:
        raise click.UsageError(
            "choose one way to log in: --username, --token, --device or --client-certificate"
        )
    if (certificate is None) != (key is None):
        raise click.UsageError("a certificate and its key come together: give both")


def _trust(
    kubeconfig: Kubeconfig, server: str, authority: Path | None, *, is_insecure: bool
) -> Trust:
    if is_insecure and authority is not None:
        raise click.UsageError(
            "--certificate-authority and --insecure-skip-tls-verify exclude each other"
        )
    if is_insecure or authority is not None:
        path = "" if authority is None else str(authority.resolve())
        return Trust(authority=path, is_insecure=is_insecure)
    # What was said at an earlier login still holds.
    known = find_entry(kubeconfig.read(), "clusters", cluster_nickname(server)) or {}
    return Trust.of(known if text_at(known, "server").rstrip("/") == server else {}, {})


def _log_in(kubeconfig: Kubeconfig, client: ApiClient, way: _Way) -> None:
    user: Document
    if client.trust.certificate:
        user = {"client-certificate": client.trust.certificate, "client-key": client.trust.key}
    else:
        client.token = _token(client, way)
        user = {"token": client.token}
    try:
        name = name_of(client.get(f"{USERS}/users/~"))
    except ApiError as error:
        if error.status == 401:
            raise click.ClickException(
                f"{client.server} does not accept this token: it has expired, was revoked or is "
                "another server's; log in without --token, or make a new one with create-token"
            ) from error
        raise
    projects = sorted(name_of(item) for item in client.list(f"{PROJECTS}/projects"))
    last = _last_namespace(kubeconfig, client.server, name)
    namespace = last if last in projects else _first(projects)
    cluster = client.trust.cluster_entry(client.server)
    kubeconfig.change(
        lambda document: put_login(document, cluster, user, user_name=name, namespace=namespace)
    )
    click.echo(f"Logged in to {client.server} as {printable(name)}.")
    warn_of_open_login(client)
    _tell_projects(projects, namespace)


def _token(client: ApiClient, way: _Way) -> str:
    # They bring a small server for the browser to come back to, which no other command needs.
    from atomic_registry.cli.oauth_login import (  # noqa: PLC0415
        browser_login,
        device_login,
        password_login,
    )
    from atomic_registry.clock import SystemClock  # noqa: PLC0415

    clock = SystemClock()
    if way.token:
        return way.token
    if way.is_device:
        return device_login(client, clock)
    if not way.username:
        return browser_login(client, clock)
    password = way.password
    if password is None:
        password = click.prompt(f"Password for {way.username}", hide_input=True, err=True)
    return password_login(client, way.username, str(password), clock)


def _last_namespace(kubeconfig: Kubeconfig, server: str, user: str) -> str:
    context = kubeconfig.find_context()
    nickname = cluster_nickname(server)
    if context is None or context.user_name != f"{user}/{nickname}":
        return ""
    return context.namespace


def _first(projects: list[str]) -> str:
    # Everybody sees the shared project, but it is hardly anybody's own.
    own = [name for name in projects if name not in {"default", "openshift"}]
    return own[0] if own else ""


def _tell_projects(projects: list[str], namespace: str) -> None:
    if projects:
        click.echo(f"\nYou can see {len(projects)} project{'s' if len(projects) > 1 else ''}:")
        for name in projects[:_SHOWN_PROJECTS]:
            click.echo(f"  {'*' if name == namespace else ' '} {printable(name)}")
        if len(projects) > _SHOWN_PROJECTS:
            click.echo("  ... all of them: atomic-registry projects")
    click.echo("\nWhat to do next:")
    if not namespace:
        click.echo("  atomic-registry new-project NAME    make a project to push to")
    click.echo("  atomic-registry docker-login        let docker, podman and skopeo in")


def _revoke(client: ApiClient) -> str:
    """Revoke the token of a login; return what else there is to say."""
    if not client.token:
        return ""
    headers = {"Authorization": f"Bearer {client.token}"}
    answer = client.send("GET", "/oauth/info", headers=headers)
    told = answer.document()
    if answer.status == 401:
        return ""
    if text_at(told, "kind") != "access":
        return (
            "The token that you had given still works; revoke it where it was made "
            "(atomic-registry tokens, atomic-registry robots)."
        )
    name = text_at(told, "client_id")
    revoked = client.post_form("/oauth/revoke", client_id=name, token=client.token)
    if revoked.status != 200:
        raise click.ClickException(f"the master answered {revoked.status}")
    return ""
