"""The command `atomic-registry`; a subcommand is imported only when it is named or listed."""

import importlib
import sys
from collections.abc import Mapping

import click

from atomic_registry import __version__

# Name -> module with an object called `command`.
COMMANDS: Mapping[str, str] = {
    "config": "atomic_registry.cli.config",
    "serve": "atomic_registry.cli.serve",
}


class _LazyGroup(click.Group):
    """A group that finds its commands in COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name]).command
        assert isinstance(command, click.Command)  # noqa: S101 - for the type checker
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="atomic-registry")
def root() -> None:
    """Keep container images: push with any OCI client, pull the same bytes back.

    \b
    Start a registry on 127.0.0.1:5000 with its data in ./data:
      atomic-registry serve --root ./data
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
    sys.exit(code if isinstance(code, int) else 0)
