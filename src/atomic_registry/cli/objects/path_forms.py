"""What JSONPath is for in `get`: forms that print what templates find, and the order of a list."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from atomic_registry.cli.documents import Document
from atomic_registry.cli.objects.discovery import Kind
from atomic_registry.cli.objects.jsonpath import parse_path, parse_template
from atomic_registry.cli.objects.jsonpath_parts import Part, TemplateInvalid
from atomic_registry.cli.objects.jsonpath_values import fill, shown, values_at
from atomic_registry.cli.output import printable

_GAP = 3

Items = Iterator[tuple[Kind, Document]]


def parse_path_form(name: str, detail: str, *, with_headings: bool) -> "JsonPathForm | ColumnsForm":
    """Return the form `name` of `-o NAME=DETAIL`: jsonpath, jsonpath-file or custom-columns.

    Raises:
        UsageError: its template cannot be read.
    """
    try:
        if name == "custom-columns":
            return ColumnsForm(detail, with_headings=with_headings)
        if name == "jsonpath-file":
            detail = Path(detail).read_text(encoding="utf-8").removesuffix("\n")
        return JsonPathForm(parse_template(detail))
    except TemplateInvalid as error:
        raise click.UsageError(f"-o {name}: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"-o {name}: {detail} cannot be read: {error}") from error


def parse_order(text: str) -> Callable[[Document], tuple[int, float, str]]:
    """Return a key that sorts numbers at a path as such, texts after them, and no value first.

    Raises:
        UsageError: it is no path.
    """
    try:
        path = parse_path(text)
    except TemplateInvalid as error:
        raise click.UsageError(f"--sort-by: {error}") from error

    def order(item: Document) -> tuple[int, float, str]:
        try:
            found = values_at(path, item)
        except TemplateInvalid as error:
            raise click.ClickException(f"--sort-by: {error}") from error
        value = found[0] if found else None
        if value is None:
            return 0, 0, ""
        if isinstance(value, int | float):
            return 1, value, ""
        return 2, 0, str(value)

    return order


class JsonPathForm:
    """What a template finds in an object, or in the list of them."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts

    def print_list(self, items: Items) -> None:
        # A template may go through the list more than once.
        found = [item for _, item in items]
        metadata = {"resourceVersion": ""}
        self._print({"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": found})

    def print_one(self, kind: Kind, item: Document) -> None:
        self._print(item)

    def _print(self, document: Document) -> None:
        try:
            click.echo(fill(self._parts, document), nl=False)
        except TemplateInvalid as error:
            raise click.ClickException(f"-o jsonpath: {error}") from error


class ColumnsForm:
    """Columns that the user chose, each by a path."""

    def __init__(self, text: str, *, with_headings: bool) -> None:
        columns = [part.partition(":") for part in text.split(",")]
        if not all(name and path for name, _, path in columns):
            raise TemplateInvalid("write NAME:PATH, with commas between")
        self._names = [name for name, _, _ in columns]
        self._paths = [parse_path(path) for _, _, path in columns]
        self._heading = self._names if with_headings else None

    def print_list(self, items: Items) -> None:
        self._print([self._row(item) for _, item in items])

    def print_one(self, kind: Kind, item: Document) -> None:
        self._print([self._row(item)])

    def _row(self, item: Document) -> list[str]:
        try:
            found = [values_at(path, item) for path in self._paths]
        except TemplateInvalid as error:
            raise click.ClickException(f"-o custom-columns: {error}") from error
        return [printable(",".join(map(shown, values))) or "<none>" for values in found]

    def _print(self, rows: list[list[str]]) -> None:
        lines = rows if self._heading is None else [self._heading, *rows]
        self._heading = None
        if not lines:
            return
        widths = [max(len(line[at]) for line in lines) + _GAP for at in range(len(self._paths))]
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            click.echo("".join(cells).rstrip())
