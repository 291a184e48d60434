"""Options that several commands for objects share."""

import click

from atomic_registry.cli.objects.names import complete_words

everywhere_option = click.option(
    "-A", "--all-namespaces", "is_everywhere", is_flag=True, help="In all projects."
)
selector_option = click.option(
    "-l", "--selector", default="", metavar="LABELS", help="Only those with labels: a=b,c!=d,e,!f."
)
all_option = click.option("--all", "is_all", is_flag=True, help="All of the kind in the project.")
file_option = click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    metavar="FILE",
    help="File, directory, or - for standard input; may be given more than once.",
)
recursive_option = click.option(
    "-R", "--recursive", "is_recursive", is_flag=True, help="Directories with all below them."
)
missing_option = click.option(
    "--ignore-not-found", "is_missing_fine", is_flag=True, help="What is not there is no error."
)
words_argument = click.argument(
    "words", metavar="[KIND NAME... | KIND/NAME...]", nargs=-1, shell_complete=complete_words
)
