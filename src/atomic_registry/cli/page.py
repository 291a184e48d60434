"""Makes the page of all commands from the commands themselves."""

from collections.abc import Iterator

import click

from atomic_registry.cli.main import root

_HEAD = """\
# Commands

Made from the commands by `make docs`; do not edit.
Each of them has this text under `--help` too.
An error goes to standard error with exit code 1, or 2 where the command itself was written wrongly.
"""


def render_page() -> str:
    """Return `docs/cli.md`."""
    context = click.Context(root, info_name="atomic-registry", help_option_names=["-h", "--help"])
    return "\n".join([_HEAD, *_sections(root, context)])


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"## {context.command_path}\n\n```text\n{_help(command, context)}\n```\n"
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        if found is not None and not found.hidden:
            yield from _sections(found, click.Context(found, info_name=name, parent=context))


def _help(command: click.Command, context: click.Context) -> str:
    # Not by the width of the terminal that happens to be here.
    formatter = click.HelpFormatter(width=90, max_width=90)
    command.format_help(context, formatter)
    return "\n".join(line.rstrip() for line in formatter.getvalue().strip().splitlines())
