"""`atomic-registry delete`: remove objects by name, by labels, all of a kind, or those in files."""

from collections.abc import Sequence

import click

from atomic_registry.cli.client import ApiError
from atomic_registry.cli.documents import Document
from atomic_registry.cli.objects.options import (
    all_option,
    everywhere_option,
    file_option,
    missing_option,
    recursive_option,
    selector_option,
    words_argument,
)
from atomic_registry.cli.objects.outcome import Writing
from atomic_registry.cli.objects.targets import Target, Work
from atomic_registry.cli.session import namespace_option


@click.command("delete")
@words_argument
@namespace_option
@everywhere_option
@selector_option
@all_option
@file_option
@recursive_option
@missing_option
@click.option(
    "--dry-run",
    type=click.Choice(["none", "client", "server"]),
    default="none",
    show_default=True,
    help="client sends nothing; server checks everything and keeps nothing.",
)
@click.option("-o", "--output", type=click.Choice(["", "name"]), default="", help="Only names.")
def command(  # noqa: PLR0913 - one parameter an option
    *,
    words: Sequence[str],
    namespace: str | None,
    is_everywhere: bool,
    selector: str,
    is_all: bool,
    files: Sequence[str],
    is_recursive: bool,
    is_missing_fine: bool,
    dry_run: str,
    output: str,
) -> int:
    """Delete objects without a question, and say which. A project takes all that is in it along.

    With -l or --all those are deleted that exist when the command starts, one by one.

    \b
    Examples:
      atomic-registry delete istag web:old
      atomic-registry delete is -l stage=trial --dry-run server
      atomic-registry delete -f streams.yaml --ignore-not-found
    """
    work = Work.open(namespace, everywhere=is_everywhere)
    writing = Writing(work=work, dry_run=dry_run)
    found = work.objects(words, files, is_recursive=is_recursive, selector=selector, is_all=is_all)
    count, failures = 0, 0
    # Who was chosen by labels is looked up first, so that the lists are of one state.
    for target in list(found):
        count += 1
        try:
            _delete(writing, target, is_short=output == "name")
        except ApiError as error:
            # Somebody else was faster with what was found in a list.
            if error.status == 404 and (is_missing_fine or selector or is_all):
                continue
            failures += 1
            click.echo(f"error: {target.label}: {error.format_message()}", err=True)
    if not count:
        click.echo("No resources found", err=True)
    return 1 if failures else 0


def _delete(writing: Writing, target: Target, *, is_short: bool) -> None:
    if writing.is_sent:
        # The one that was listed, not a namesake made meanwhile.
        options: Document | None = {"preconditions": {"uid": target.uid}} if target.uid else None
        writing.send("DELETE", target.path, options)
    if is_short:
        click.echo(target.label)
    else:
        writing.tell(target, "deleted")
