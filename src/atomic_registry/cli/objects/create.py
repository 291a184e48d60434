"""`atomic-registry create`: make objects from files, or one of a kind from options."""

from collections.abc import Sequence

import click

from atomic_registry.cli.client import ApiError
from atomic_registry.cli.objects import generators, secrets
from atomic_registry.cli.objects.making import making_options, open_writing
from atomic_registry.cli.objects.options import file_option, recursive_option
from atomic_registry.cli.objects.targets import Work


class _ByShortName(click.Group):
    """Knows its commands by all names of their kinds."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        if found is not None or ctx.resilient_parsing:
            return found
        for kind in Work.open().catalogue.kinds():
            if kind.goes_by(cmd_name):
                names = (kind.singular, *kind.short_names)
                commands = (self.commands[name] for name in names if name in self.commands)
                return next(commands, None)
        return None


@click.group("create", cls=_ByShortName, invoke_without_command=True)
@file_option
@recursive_option
@making_options
@click.pass_context
def command(context: click.Context, *, files: Sequence[str], is_recursive: bool) -> int:
    """Make objects: those in files, or one of a kind from options.

    \b
    Examples:
      atomic-registry create -f stream.yaml
      atomic-registry create imagestream web -n demo
    """
    if context.invoked_subcommand is not None:
        if files:
            raise click.UsageError("-f and a kind exclude each other")
        return 0
    if not files:
        raise click.UsageError("name a file with -f FILE, or a kind; --help lists the kinds")
    writing = open_writing()
    failures = 0
    # All are read before one is sent: a mistake in the last file stops the first.
    for target, document in list(writing.work.in_files(files, is_recursive=is_recursive)):
        try:
            writing.create(target, document)
        except ApiError as error:
            failures += 1
            click.echo(f"error: {target.label}: {error.format_message()}", err=True)
    return 1 if failures else 0


for _command in (*generators.COMMANDS, secrets.command):
    command.add_command(_command)
