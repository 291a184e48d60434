"""`atomic-registry create secret`: keys and values, or the login to another registry."""

import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from atomic_registry.cli.documents import Document
from atomic_registry.cli.objects.making import make, making_options

_DOCKER_TYPE = "kubernetes.io/dockerconfigjson"
_DOCKER_KEY = ".dockerconfigjson"
_MAX_BYTES = 1 << 20


@click.group("secret")
def command() -> None:
    """Make a secret.

    \b
    Example:
      atomic-registry create secret generic keys --from-file signing.key
    """


@command.command("generic")
@click.argument("name")
@click.option(
    "--from-literal", "literals", multiple=True, metavar="KEY=VALUE", help="A value as it stands."
)
@click.option(
    "--from-file", "files", multiple=True, metavar="[KEY=]FILE", help="The content of a file."
)
@click.option("--type", "kind", default="Opaque", show_default=True, help="Type of the secret.")
@making_options
def generic(name: str, literals: Sequence[str], files: Sequence[str], kind: str) -> None:
    """Make secret NAME from values and files; others on this machine may see --from-literal.

    \b
    Example:
      atomic-registry create secret generic keys --from-file signing.key
    """
    data: dict[str, bytes] = {}
    for text in literals:
        key, is_set, value = text.partition("=")
        if not is_set:
            raise click.UsageError(f"--from-literal: {text!r} is no KEY=VALUE")
        _put(data, key, value.encode())
    for text in files:
        key, is_set, path = text.partition("=")
        _put(data, key if is_set else Path(text).name, _read(path if is_set else text))
    make("v1", "Secret", name, _parts(kind, data))


@command.command("docker-registry")
@click.argument("name")
@click.option("--docker-server", default="", metavar="HOST", help="Registry to log in to.")
@click.option("--docker-username", "username", default="", help="Name there.")
@click.option("--docker-password", "password", help="Password; others may see it here.")
@click.option("--docker-password-stdin", "is_piped", is_flag=True, help="Read the password.")
@click.option("--docker-email", "email", default="", help="Address that old registries ask for.")
@click.option("--from-file", "file", default="", metavar="FILE", help="A config.json instead.")
@making_options
def docker_registry(  # noqa: PLR0913 - one parameter an option
    *,
    name: str,
    docker_server: str,
    username: str,
    password: str | None,
    is_piped: bool,
    email: str,
    file: str,
) -> None:
    """Make secret NAME, a login to another registry.

    \b
    Examples:
      atomic-registry create secret docker-registry hub --docker-server quay.io \\
        --docker-username mary --docker-password-stdin < password.txt
      atomic-registry create secret docker-registry hub --from-file ~/.docker/config.json
    """
    if file:
        if docker_server or username or password is not None or is_piped:
            raise click.UsageError("--from-file and a login by options exclude each other")
        content = _read(file.removeprefix(f"{_DOCKER_KEY}="))
    else:
        if is_piped:
            if password is not None:
                raise click.UsageError("give the password once")
            password = sys.stdin.read(_MAX_BYTES).removesuffix("\n").removesuffix("\r")
        if not docker_server or not username or not password:
            raise click.UsageError(
                "give --docker-server, --docker-username and a password, or --from-file"
            )
        content = _docker_config(docker_server, username, password, email)
    make("v1", "Secret", name, _parts(_DOCKER_TYPE, {_DOCKER_KEY: content}))


def _docker_config(server: str, username: str, password: str, email: str) -> bytes:
    pair = base64.b64encode(f"{username}:{password}".encode()).decode()
    entry: Document = {"username": username, "password": password, "auth": pair}
    if email:
        entry["email"] = email
    return json.dumps({"auths": {server: entry}}).encode()


def _put(data: dict[str, bytes], key: str, value: bytes) -> None:
    if not key or key in data:
        raise click.UsageError(f"key {key!r} is empty, or stands twice")
    data[key] = value


def _read(path: str) -> bytes:
    try:
        content = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > _MAX_BYTES:
        raise click.ClickException(f"{path} is too large for a secret")
    return content


def _parts(kind: str, data: dict[str, bytes]) -> Document:
    encoded: Document = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {"type": kind, "data": encoded}
