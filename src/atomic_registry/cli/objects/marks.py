"""`atomic-registry label` and `annotate`: set and remove what is written on objects."""

from collections.abc import Sequence
from dataclasses import dataclass

import click

from atomic_registry.cli.client import ApiError
from atomic_registry.cli.documents import Document, document_at, text_at
from atomic_registry.cli.objects.names import complete_words
from atomic_registry.cli.objects.options import (
    all_option,
    everywhere_option,
    file_option,
    recursive_option,
    selector_option,
)
from atomic_registry.cli.objects.outcome import MERGE, Writing, write_options
from atomic_registry.cli.objects.targets import Target, Work
from atomic_registry.cli.output import printable
from atomic_registry.cli.session import namespace_option

_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is set, and with None removed, in one map of an object's metadata."""

    map_name: str
    values: dict[str, str | None]
    overwrites: bool
    version: str = ""

    def patch(self, item: Document) -> Document | None:
        """Return the patch of an object, None if there is nothing to do.

        Raises:
            ClickException: another value stands there.
        """
        known = document_at(item, "metadata", self.map_name)
        new = {key: value for key, value in self.values.items() if known.get(key) != value}
        taken = sorted(key for key, value in new.items() if value is not None and key in known)
        if taken and not self.overwrites:
            shown = ", ".join(f"{key}={known[key]}" for key in taken)
            raise click.ClickException(
                f"it has {printable(shown)} already; --overwrite sets another value"
            )
        if not new:
            return None
        # Only if nobody wrote meanwhile: what was looked at is what is changed.
        version = self.version or text_at(item, "metadata", "resourceVersion")
        metadata: Document = {self.map_name: new}
        if version:
            metadata["resourceVersion"] = version
        return {"metadata": metadata}


def _command(name: str, map_name: str, done: str, text: str) -> click.Command:
    @click.command(name, help=text)
    @click.argument(
        "words",
        metavar="KIND NAME... KEY=VALUE... KEY-...",
        nargs=-1,
        shell_complete=complete_words,
    )
    @namespace_option
    @everywhere_option
    @selector_option
    @all_option
    @file_option
    @recursive_option
    @click.option("--overwrite", is_flag=True, help="Also where another value stands.")
    @click.option("--resource-version", default="", help="Only if the object is still of this one.")
    @write_options
    def run(  # noqa: PLR0913 - one parameter an option
        *,
        words: Sequence[str],
        namespace: str | None,
        is_everywhere: bool,
        selector: str,
        is_all: bool,
        files: Sequence[str],
        is_recursive: bool,
        overwrite: bool,
        resource_version: str,
        dry_run: str,
        output: str,
        manager: str,
    ) -> int:
        named, values = split_words(words)
        change = Change(
            map_name=map_name, values=values, overwrites=overwrite, version=resource_version
        )
        work = Work.open(namespace, everywhere=is_everywhere)
        writing = Writing(work=work, dry_run=dry_run, output=output, manager=manager)
        targets = work.objects(
            named, files, is_recursive=is_recursive, selector=selector, is_all=is_all
        )
        return _mark_all(writing, list(targets), change, done)

    return run


label = _command(
    "label",
    "labels",
    "labeled",
    """Set labels of objects, KEY=VALUE, or remove them, KEY-.

    A value that stands there already is only replaced with --overwrite.

    \b
    Examples:
      atomic-registry label is web stage=prod
      atomic-registry label is --all stage-
    """,
)
annotate = _command(
    "annotate",
    "annotations",
    "annotated",
    """Set annotations of objects, KEY=VALUE, or remove them, KEY-.

    A value that stands there already is only replaced with --overwrite.

    \b
    Examples:
      atomic-registry annotate is web team=shop 'note=kept for audits'
      atomic-registry annotate is web note-
    """,
)


def split_words(words: Sequence[str]) -> tuple[list[str], dict[str, str | None]]:
    """Return the words that name objects, and those after them that say what to change.

    Raises:
        UsageError: nothing is to be changed, or one key in two ways.
    """
    named: list[str] = []
    values: dict[str, str | None] = {}
    for word in words:
        key, is_set, value = word.partition("=")
        is_removal = not is_set and word.endswith("-") and len(word) > 1
        if not is_set and not is_removal:
            if values:
                raise click.UsageError(f"{word!r} is neither KEY=VALUE nor KEY-")
            named.append(word)
            continue
        key = key if is_set else word[:-1]
        if not key or key in values:
            raise click.UsageError(f"{word!r}: each key stands once, and has a name")
        values[key] = value if is_set else None
    if not values:
        raise click.UsageError("say what to change: KEY=VALUE, or KEY- to remove it")
    return named, values


def _mark_all(writing: Writing, targets: Sequence[Target], change: Change, done: str) -> int:
    if not targets:
        click.echo("No resources found", err=True)
    failures = 0
    for target in targets:
        try:
            item = _mark(writing, target, change)
        except click.ClickException as error:
            failures += 1
            click.echo(f"error: {target.label}: {error.format_message()}", err=True)
            continue
        if item is None:
            writing.tell(target, f"not {done}: nothing changes")
        else:
            writing.tell(target, done, item)
    return 1 if failures else 0


def _mark(writing: Writing, target: Target, change: Change) -> Document | None:
    client = writing.work.client
    for _ in range(_TRIES):
        item = client.get(target.path)
        patch = change.patch(item)
        if patch is None:
            return None
        if not writing.is_sent:
            return item
        try:
            return writing.send("PATCH", target.path, patch, kind=MERGE).document()
        except ApiError as error:
            if error.status != 409 or change.version:
                raise
    raise click.ClickException("others keep changing it; try again")
