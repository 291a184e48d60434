"""How results are printed: plain aligned tables for people, JSON and names for programs."""

import json
from collections.abc import Callable, Sequence

import click

from atomic_registry.cli.documents import Document, name_of

output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "name"]),
    default="table",
    show_default=True,
    help="Form of the answer.",
)


def printable(text: str) -> str:
    """Return a text of others without what would steer the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def echo_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their headings, each column as wide as it must be."""
    cells = [list(headings), *([printable(cell) or "-" for cell in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(headings))]
    for row in cells:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def echo_items(
    items: Sequence[Document],
    form: str,
    headings: Sequence[str],
    row: Callable[[Document], Sequence[str]],
    *,
    none: str,
) -> None:
    """Print objects in the form that was asked for; `none` says what an empty list means."""
    if form == "json":
        echo_json({"kind": "List", "apiVersion": "v1", "items": list(items)})
    elif form == "name":
        for item in items:
            click.echo(printable(name_of(item)))
    elif items:
        echo_table(headings, [row(item) for item in items])
    else:
        # Not on standard output: a program that counts lines must count none.
        click.echo(none, err=True)


def echo_json(document: object) -> None:
    """Print a document for programs."""
    click.echo(json.dumps(document, indent=2))
