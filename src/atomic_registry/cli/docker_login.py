"""`atomic-registry docker-login`: lets container clients use the login, without a copied secret."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import click

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
@click.option(
    "--registry",
    metavar="HOST:PORT",
    default="",
    help="The registry, as the clients name it; port 5000 on the master's host by default.",
)
def command(registry: str) -> None:
    """Let docker, podman, buildah and skopeo push and pull as you, until you log out.

    The clients ask the helper docker-credential-atomic-registry, so that no secret stands in
    their configuration. A registry that listens elsewhere than on port 5000 of the master's host
    is named with --registry, and images are then pushed to HOST:PORT/PROJECT/NAME:TAG.

    \b
    Examples:
      atomic-registry docker-login
      atomic-registry docker-login --registry images.example.com:5001
    """
    login = open_login()
    if not login.client.token:
        raise click.ClickException("this login has a certificate and no token; log in as a user")
    host = urlsplit(login.context.server).hostname or ""
    shown = f"[{host}]" if ":" in host else host
    key = _checked(registry_key(registry or f"{shown}:{_PORT}"))
    environment = process_environment()
    path = docker_config_path(environment)
    use_login(login.kubeconfig, key, login.context.user_name)
    enter_helper(path, key)
    click.echo(f"{path} now sends clients of {key} to {_PROGRAM}.")
    if shutil.which(_PROGRAM, path=environment.get("PATH")) is None:
        click.echo(f"Warning: {_PROGRAM} is not on the PATH; the clients need it there.", err=True)
    namespace = login.context.namespace or "PROJECT"
    click.echo(f"\nWhat to do next:\n  podman push IMAGE {key}/{namespace}/IMAGE:TAG")


def _checked(key: str) -> str:
    try:
        parts = urlsplit(f"//{key}")
        is_good = bool(parts.hostname) and parts.port != 0 and not set(key) & set(" /?#\\")
    except ValueError:
        is_good = False
    if not is_good:
        raise click.UsageError(f"--registry: {key!r} is no HOST:PORT, like localhost:5001")
    return key


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
        content = json.dumps(document, indent=2, ensure_ascii=False)
        write_file(target, f"{content}\n".encode(), 0o600)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error


def _read(path: Path) -> Document:
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise click.ClickException(f"{path} is not JSON; mend it or move it away") from error
    if not isinstance(document, dict):
        raise click.ClickException(f"{path} is no configuration of docker; move it away")
    return document
