"""The login that commands act with, taken from the kubeconfig."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import click

from atomic_registry.cli.client import ApiClient, ApiError, segment
from atomic_registry.cli.documents import Document, text_at
from atomic_registry.cli.kubeconfig import Context, Kubeconfig
from atomic_registry.cli.output import printable
from atomic_registry.cli.trust import Trust
from atomic_registry.config.environment import process_environment

USERS = "/apis/user.openshift.io/v1"
PROJECTS = "/apis/project.openshift.io/v1"
OAUTH = "/apis/oauth.openshift.io/v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
IMAGES = "/apis/image.openshift.io/v1"
ACCESS = "/apis/authorization.k8s.io/v1"
OLD_ACCESS = "/apis/authorization.openshift.io/v1"
_PROJECT_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")

namespace_option = click.option(
    "-n", "--namespace", metavar="PROJECT", help="Project to act in; the current one by default."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Where the caller is logged in, as whom, and the project they work in."""

    kubeconfig: Kubeconfig
    context: Context
    client: ApiClient

    def namespace(self, asked: str | None = None) -> str:
        """Return the project to act in."""
        name = asked or self.context.namespace
        if not name:
            raise click.ClickException(
                "no project is chosen; name one with -n PROJECT, or choose one for good: "
                "atomic-registry project NAME"
            )
        check_project_name(name)
        return name

    def below(self, asked: str | None, plural: str, *, group: str = "/api/v1") -> str:
        """Return the path of a collection in the project to act in."""
        return f"{group}/namespaces/{segment(self.namespace(asked))}/{plural}"


def my_kubeconfig() -> Kubeconfig:
    """Return the caller's file of logins."""
    return Kubeconfig.of(process_environment())


def open_login() -> Login:
    """Return the current login.

    Raises:
        ClickException: nobody is logged in.
    """
    kubeconfig = my_kubeconfig()
    context = kubeconfig.find_context()
    if context is None or not context.server:
        raise click.ClickException(
            "you are not logged in; start with: atomic-registry login https://HOST:8443"
        )
    trust = Trust.of(context.cluster, context.user)
    token = text_at(context.user, "token")
    if not token and not (trust.certificate or trust.certificate_data):
        raise click.ClickException(
            f"you are logged out of {context.server}; log in again: "
            f"atomic-registry login {context.server}"
        )
    check_server(context.server)
    return Login(
        kubeconfig=kubeconfig,
        context=context,
        client=ApiClient(context.server, trust, token=token),
    )


def check_project_name(name: str) -> None:
    """Return if a project may be called so.

    Raises:
        ClickException: none can be, so that asking for it would mislead.
    """
    if _PROJECT_NAME.match(name) is None:
        raise click.ClickException(
            f"{printable(name)!r} is not the name of a project: it has 1 to 63 lower-case letters, "
            "digits or '-', with a letter or digit at both ends; those that you can see: "
            "atomic-registry projects"
        )


def check_server(server: str) -> None:
    """Return if the address may be sent passwords and tokens.

    Raises:
        ClickException: it is no https URL.
    """
    fault = f"{server} is not the address of a master; it looks like https://HOST:8443"
    try:
        parts = urlsplit(server)
        is_good = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise click.ClickException(fault) from error
    if not is_good or parts.username is not None or parts.query or parts.fragment:
        raise click.ClickException(fault)


def warn_of_open_login(client: ApiClient) -> None:
    """Say so where anybody can log in under any name, so that a name proves little."""
    sentence = identity_sentence(client)
    if sentence:
        click.echo(f"Warning: {sentence}", err=True)


def identity_sentence(client: ApiClient) -> str:
    """Return the master's own words on that, none where names are proven."""
    try:
        # Also a master that is not ready tells it, with another status.
        answer = client.send("GET", "/readyz", headers={"Accept": "application/json"})
    except click.ClickException:
        return ""
    return printable(text_at(answer.document(), "identity"))


def find_document(client: ApiClient, path: str) -> Document | None:
    """Return a document, None where there is none."""
    try:
        return client.get(path)
    except ApiError as error:
        if error.status == 404:
            return None
        raise
