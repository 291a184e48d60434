"""The command `atomic-registry`; a subcommand is imported only when it is named or listed."""

import importlib
import os
import sys
from collections.abc import Mapping

import click

from atomic_registry import __version__

_CLI = "atomic_registry.cli"

# Name -> module, and the name of the object in it where that is not `command`.
COMMANDS: Mapping[str, str] = {
    "can-i": f"{_CLI}.rights:can_i",
    "config": f"{_CLI}.config",
    "create-token": f"{_CLI}.tokens:create_token",
    "delete-project": f"{_CLI}.projects:delete_project",
    "docker-login": f"{_CLI}.docker_login",
    "groups": f"{_CLI}.groups",
    "login": f"{_CLI}.login",
    "logout": f"{_CLI}.login:logout",
    "new-project": f"{_CLI}.projects:new_project",
    "policy": f"{_CLI}.policy",
    "project": f"{_CLI}.projects:project",
    "projects": f"{_CLI}.projects:projects",
    "robots": f"{_CLI}.robots",
    "serve": f"{_CLI}.serve",
    "share": f"{_CLI}.projects:share",
    "status": f"{_CLI}.status",
    "tokens": f"{_CLI}.tokens",
    "users": f"{_CLI}.users",
    "who-can": f"{_CLI}.rights:who_can",
    "whoami": f"{_CLI}.login:whoami",
}


class _LazyGroup(click.Group):
    """A group that finds its commands in COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), attribute or "command")
        assert isinstance(command, click.Command)  # noqa: S101 - for the type checker
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="atomic-registry")
def root() -> None:
    """Keep container images: push with any OCI client, pull the same bytes back.

    \b
    Start a registry on 127.0.0.1:5000 with its data in ./data:
      atomic-registry serve --root ./data
    \b
    Log in to it, make a project, and let docker, podman and skopeo push there:
      atomic-registry login https://localhost:8443
      atomic-registry new-project demo
      atomic-registry docker-login
    """


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        code = root.main(standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        click.echo(f"error: {error.format_message()}", err=True)
        sys.exit(1)
    except click.Abort:
        click.echo("error: interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing more may be written at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
