"""`atomic-registry apply`: make objects be as files say, by apply on the server."""

from collections.abc import Sequence

import click

from atomic_registry.cli.client import ApiError
from atomic_registry.cli.documents import Document
from atomic_registry.cli.objects.options import file_option, recursive_option
from atomic_registry.cli.objects.outcome import APPLY, Writing, write_options
from atomic_registry.cli.objects.targets import Target, Work
from atomic_registry.cli.session import namespace_option


@click.command("apply")
@file_option
@recursive_option
@namespace_option
@click.option("--force-conflicts", is_flag=True, help="Take fields that others manage.")
@click.option(
    "--server-side",
    is_flag=True,
    expose_value=False,
    help="Always so; taken for the sake of old scripts.",
)
@write_options
def command(  # noqa: PLR0913 - one parameter an option
    *,
    files: Sequence[str],
    is_recursive: bool,
    namespace: str | None,
    force_conflicts: bool,
    dry_run: str,
    output: str,
    manager: str,
) -> int:
    """Make objects be as the documents in files say; what is not there yet is made.

    The server merges, and remembers who manages which field (server-side apply; there is no other
    way here). Fields that this manager applied before and the documents leave out are removed. A
    field that another manager has is a conflict, and that object stays as it is.

    \b
    Examples:
      atomic-registry apply -f streams.yaml
      atomic-registry apply -R -f settings/ --dry-run server
      kubectl kustomize . | atomic-registry apply -f -
    """
    if not files:
        raise click.UsageError("name the documents with -f FILE")
    work = Work.open(namespace)
    writing = Writing(work=work, dry_run=dry_run, output=output, manager=manager)
    failures = 0
    # All are read before one is sent: a mistake in the last file stops the first.
    for target, document in list(work.in_files(files, is_recursive=is_recursive)):
        try:
            _apply(writing, target, document, force=force_conflicts)
        except ApiError as error:
            failures += 1
            click.echo(f"error: {target.label}: {_explained(error)}", err=True)
    return 1 if failures else 0


def _apply(writing: Writing, target: Target, document: Document, *, force: bool) -> None:
    if not target.name:
        raise click.ClickException(
            f"a document of kind {target.kind.kind} has no metadata.name; apply needs one, and "
            "`create` does not"
        )
    if not writing.is_sent:
        writing.tell(target, "applied", document)
        return
    options = {"force": "true"} if force else {}
    answer = writing.send("PATCH", target.path, document, kind=APPLY, **options)
    writing.tell(target, "created" if answer.status == 201 else "applied", answer.document())


def _explained(error: ApiError) -> str:
    message = error.format_message()
    if error.reason != "Conflict":
        return message
    told = message.removesuffix("\nIt has changed meanwhile: try again.")
    return (
        f"{told}\nLeave these fields out of the file, or take them with --force-conflicts; whose "
        "they are: get -o yaml --show-managed-fields"
    )
