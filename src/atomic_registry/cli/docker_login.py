"""`atomic-registry docker-login`: lets container clients use the login, without a copied secret."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec

from atomic_registry.cli.credentials import registry_key, use_login
from atomic_registry.cli.documents import Document, document_at
from atomic_registry.cli.kubeconfig import home_of
from atomic_registry.cli.session import open_login
from atomic_registry.config.environment import process_environment
from atomic_registry.system.durable_files import write_file

HELPER = "atomic-registry"
_PROGRAM = f"docker-credential-{HELPER}"
_PORT = 5000


@click.command("docker-login")
@click.argument("registry", default="")
def command(registry: str) -> None:
    """Let docker, podman, buildah and skopeo push and pull as you, until you log out.

    REGISTRY is its HOST:PORT; by default port 5000 on the master's host. The clients ask the
    helper docker-credential-atomic-registry, so that no secret stands in their configuration.

    \b
    Examples:
      atomic-registry docker-login
      atomic-registry docker-login registry.example.com:5000
    """
    login = open_login()
    if not login.client.token:
        raise click.ClickException("this login has a certificate and no token; log in as a user")
    host = urlsplit(login.context.server).hostname or ""
    shown = f"[{host}]" if ":" in host else host
    key = registry_key(registry or f"{shown}:{_PORT}")
    environment = process_environment()
    path = docker_config_path(environment)
    use_login(login.kubeconfig, key, login.context.user_name)
    enter_helper(path, key)
    click.echo(f"{path} now sends clients of {key} to {_PROGRAM}.")
    if shutil.which(_PROGRAM, path=environment.get("PATH")) is None:
        click.echo(f"Warning: {_PROGRAM} is not on the PATH; the clients need it there.", err=True)
    namespace = login.context.namespace or "PROJECT"
    click.echo(f"\nWhat to do next:\n  podman push IMAGE {key}/{namespace}/IMAGE:TAG")


def docker_config_path(environment: Mapping[str, str]) -> Path:
    """Return the configuration that docker reads, and the others after their own."""
    named = environment.get("DOCKER_CONFIG", "")
    return (Path(named) if named else home_of(environment) / ".docker") / "config.json"


def enter_helper(path: Path, registry: str) -> None:
    """Name the helper for the registry; all else in the file stays.

    Raises:
        ClickException: the file cannot be used.
    """
    target = path.resolve()
    try:
        document = _read(target)
        helpers = {**document_at(document, "credHelpers"), registry: HELPER}
        document["credHelpers"] = helpers
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = msgspec.json.format(msgspec.json.encode(document), indent=2)
        write_file(target, content + b"\n", 0o600)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error


def _read(path: Path) -> Document:
    try:
        document = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (msgspec.DecodeError, RecursionError) as error:
        raise click.ClickException(f"{path} is not JSON; mend it or move it away") from error
    if not isinstance(document, dict):
        raise click.ClickException(f"{path} is no configuration of docker; move it away")
    return document
