"""`atomic-registry completion`: what a shell needs to complete commands and options."""

import click
from click.shell_completion import get_completion_class

from atomic_registry.cli.main import COMPLETE_VARIABLE

_PROGRAM = "atomic-registry"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print a script for SHELL that completes commands and options; bash needs 4.4 or newer.

    \b
    Examples:
      atomic-registry completion bash > ~/.local/share/bash-completion/completions/atomic-registry
      atomic-registry completion fish > ~/.config/fish/completions/atomic-registry.fish
      source <(atomic-registry completion zsh)
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - each choice has one
    click.echo(kind(context.find_root().command, {}, _PROGRAM, COMPLETE_VARIABLE).source())
