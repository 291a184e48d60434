"""The forms in which objects are printed: `-o json|yaml|name|jsonpath|custom-columns`."""

import json
from collections.abc import Callable, Iterator
from typing import Protocol

import click

from atomic_registry.cli.documents import Document, document_at, name_of
from atomic_registry.cli.objects.discovery import Kind
from atomic_registry.cli.objects.yaml_text import dump_document
from atomic_registry.cli.output import printable

TABLES = frozenset({"", "wide"})
_OF_PATHS = frozenset({"jsonpath", "jsonpath-file", "custom-columns"})
_HINT = (
    "choose wide, json, yaml, name, jsonpath=TEMPLATE, jsonpath-file=FILE or "
    "custom-columns=NAME:PATH,..."
)

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
    if name in _OF_PATHS and detail:
        # Most who ask want tables, and should not wait for the reader of templates.
        from atomic_registry.cli.objects.path_forms import parse_path_form  # noqa: PLC0415

        return parse_path_form(name, detail, with_headings=with_headings)
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


_PLAIN: dict[str, Callable[[], Form]] = {"json": _Json, "yaml": _Yaml, "name": _Name}
