"""The forms in which objects are printed: `-o json|yaml|name|jsonpath|custom-columns`."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import click

from atomic_registry.cli.documents import Document, document_at, name_of
from atomic_registry.cli.objects.discovery import Kind
from atomic_registry.cli.objects.jsonpath import parse_path, parse_template
from atomic_registry.cli.objects.jsonpath_parts import Part, TemplateInvalid
from atomic_registry.cli.objects.jsonpath_values import fill, shown, values_at
from atomic_registry.cli.objects.yaml_text import dump_document
from atomic_registry.cli.output import printable

TABLES = frozenset({"", "wide"})
_HINT = (
    "choose wide, json, yaml, name, jsonpath=TEMPLATE, jsonpath-file=FILE or "
    "custom-columns=NAME:PATH,..."
)
_GAP = 3

Items = Iterator[tuple[Kind, Document]]


class Form(Protocol):
    """A way to print objects."""

    def print_list(self, items: Items) -> None:
        """Print the objects of a list; as far as the form lets it, as they come."""
        ...

    def print_one(self, kind: Kind, item: Document) -> None:
        """Print one object by itself, as one of a watch too."""
        ...


def parse_form(output: str, *, with_headings: bool = True) -> Form:
    """Return the form that `-o` names, other than tables.

    Raises:
        UsageError: it names none, or its template cannot be read.
    """
    name, _, detail = output.partition("=")
    if name in _PLAIN and not detail:
        return _PLAIN[name]()
    try:
        if name == "jsonpath" and detail:
            return _JsonPath(parse_template(detail))
        if name == "jsonpath-file" and detail:
            text = Path(detail).read_text(encoding="utf-8")
            return _JsonPath(parse_template(text.removesuffix("\n")))
        if name == "custom-columns" and detail:
            return _Columns(detail, with_headings=with_headings)
    except TemplateInvalid as error:
        raise click.UsageError(f"-o {name}: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"-o {name}: {detail} cannot be read: {error}") from error
    raise click.UsageError(f"-o {output!r} is not known; {_HINT}")


def without_managers(item: Document, output: str) -> Document:
    """Return an object without the list of who manages which field, which people seldom read.

    As in kubectl, templates find it.
    """
    if output not in {"json", "yaml"}:
        return item
    metadata = document_at(item, "metadata")
    if "managedFields" not in metadata:
        return item
    kept = {key: value for key, value in metadata.items() if key != "managedFields"}
    return item | {"metadata": kept}


def json_text(document: object) -> str:
    """Return JSON as kubectl writes it."""
    return json.dumps(document, indent=4, sort_keys=True, ensure_ascii=False)


class _Json:
    def print_list(self, items: Items) -> None:
        click.echo('{\n    "apiVersion": "v1",\n    "items": [', nl=False)
        is_first = True
        for _, item in items:
            text = "\n".join(f"        {line}" for line in json_text(item).split("\n"))
            click.echo(("\n" if is_first else ",\n") + text, nl=False)
            is_first = False
        end = "]" if is_first else "\n    ]"
        rest = ',\n    "kind": "List",\n    "metadata": {\n        "resourceVersion": ""\n    }\n}'
        click.echo(end + rest)

    def print_one(self, kind: Kind, item: Document) -> None:
        click.echo(json_text(item))


class _Yaml:
    def __init__(self) -> None:
        self._is_second = False

    def print_list(self, items: Items) -> None:
        is_empty = True
        for _, item in items:
            if is_empty:
                click.echo("apiVersion: v1\nitems:")
            is_empty = False
            click.echo(dump_document([item]), nl=False)
        if is_empty:
            click.echo("apiVersion: v1\nitems: []")
        click.echo('kind: List\nmetadata:\n  resourceVersion: ""')

    def print_one(self, kind: Kind, item: Document) -> None:
        if self._is_second:
            click.echo("---")
        self._is_second = True
        click.echo(dump_document(item), nl=False)


class _Name:
    def print_list(self, items: Items) -> None:
        for kind, item in items:
            self.print_one(kind, item)

    def print_one(self, kind: Kind, item: Document) -> None:
        click.echo(printable(f"{kind.full_name}/{name_of(item)}"))


class _JsonPath:
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


class _Columns:
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


_PLAIN: dict[str, Callable[[], Form]] = {"json": _Json, "yaml": _Yaml, "name": _Name}
