"""`atomic-registry get`: objects of any kind, as tables and in other forms, once or as they change."""

from collections.abc import Callable, Iterator, Sequence

import click

from atomic_registry.cli.client import ApiError
from atomic_registry.cli.documents import Document, document_at, documents_at
from atomic_registry.cli.objects.discovery import Kind
from atomic_registry.cli.objects.options import (
    everywhere_option,
    file_option,
    missing_option,
    recursive_option,
    selector_option,
    words_argument,
)
from atomic_registry.cli.objects.pages import PAGE, TABLE, pages_of
from atomic_registry.cli.objects.request import Request
from atomic_registry.cli.objects.targets import Target, Work
from atomic_registry.cli.objects.watch import watch
from atomic_registry.cli.output import echo_table
from atomic_registry.cli.session import namespace_option


@click.command("get")
@words_argument
@namespace_option
@everywhere_option
@selector_option
@click.option("--field-selector", default="", metavar="FIELDS", help="Only those: metadata.name=x.")
@click.option(
    "-o",
    "--output",
    default="",
    metavar="FORM",
    help="wide, json, yaml, name, jsonpath=TEMPLATE, jsonpath-file=FILE, custom-columns=NAME:PATH.",
)
@click.option("-w", "--watch", "is_watch", is_flag=True, help="Go on with what changes.")
@click.option("--watch-only", is_flag=True, help="Only what changes from now on.")
@click.option("--no-headers", is_flag=True, help="Rows without headings.")
@click.option("--show-labels", is_flag=True, help="A last column with the labels.")
@click.option("--show-managed-fields", is_flag=True, help="Also who manages which field.")
@click.option("--sort-by", default="", metavar="PATH", help="Rows in the order of a JSONPath.")
@click.option(
    "--chunk-size", type=click.IntRange(0), default=PAGE, show_default=True, help="Objects a page."
)
@missing_option
@file_option
@recursive_option
def command(  # noqa: PLR0913 - one parameter an option
    *,
    words: Sequence[str],
    namespace: str | None,
    is_everywhere: bool,
    selector: str,
    field_selector: str,
    output: str,
    is_watch: bool,
    watch_only: bool,
    no_headers: bool,
    show_labels: bool,
    show_managed_fields: bool,
    sort_by: str,
    chunk_size: int,
    is_missing_fine: bool,
    files: Sequence[str],
    is_recursive: bool,
) -> int:
    """Show objects; without a kind, list the kinds that the master serves.

    KIND is a plural, a singular or a short name; several with commas between.

    \b
    Examples:
      atomic-registry get imagestreams -n demo
      atomic-registry get is,istag -o wide
      atomic-registry get istag web:v1 -o yaml
      atomic-registry get projects -o jsonpath='{.items[*].metadata.name}'
      atomic-registry get is -A --watch
    """
    request = Request(
        output=output,
        query={"labelSelector": selector, "fieldSelector": field_selector},
        page=chunk_size,
        with_headings=not no_headers,
        with_labels=show_labels,
        with_managers=show_managed_fields,
        order=_order(sort_by),
        is_missing_fine=is_missing_fine,
        is_everywhere=is_everywhere,
    )
    if not request.is_table:
        request.form()
    work = Work.open(namespace, everywhere=is_everywhere)
    if not words and not files:
        _list_kinds(work.catalogue.kinds())
        return 0
    targets = _targets(work, words, files, is_recursive=is_recursive)
    if any(target.name for target in targets) and (selector or field_selector):
        raise click.UsageError("names and selectors exclude each other")
    if is_watch or watch_only:
        if len(targets) != 1:
            raise click.UsageError("a watch is of one kind, or of one object")
        watch(work, targets[0], request, is_only=watch_only)
        return 0
    if request.is_table:
        return _show_tables(work, targets, request)
    return _show_objects(work, targets, request)


def _order(path: str) -> Callable[[Document], tuple[int, float, str]] | None:
    if not path:
        return None
    # Loaded where it is wanted: most lists come as the master sorts them.
    from atomic_registry.cli.objects.path_forms import parse_order  # noqa: PLC0415

    return parse_order(path)


def _targets(
    work: Work, words: Sequence[str], files: Sequence[str], *, is_recursive: bool
) -> list[Target]:
    if not files:
        return work.targets(words)
    if words:
        raise click.UsageError("-f names the objects; give no kind with it")
    return [target for target, _ in work.in_files(files, is_recursive=is_recursive)]


def _list_kinds(kinds: Sequence[Kind]) -> None:
    # A kind that several groups serve is one kind; the first of them is the one that is meant.
    first = {kind.plural: kind for kind in reversed(kinds)}
    rows = [
        (
            it.plural,
            ",".join(it.short_names),
            it.api_version,
            str(it.is_namespaced).lower(),
            it.kind,
        )
        for it in kinds
        if "list" in it.verbs and first[it.plural] == it
    ]
    echo_table(("NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"), rows)


def _show_tables(work: Work, targets: Sequence[Target], request: Request) -> int:
    kinds = list(dict.fromkeys(target.kind for target in targets))
    failures, is_empty = 0, True
    for kind in kinds:
        writer = request.writer(kind, with_kind=len(kinds) > 1)
        for target in targets:
            if target.kind != kind:
                continue
            try:
                for table in _tables(work, target, request):
                    is_apart = request.with_headings and not is_empty
                    if is_apart and not writer.has_begun and documents_at(table, "rows"):
                        click.echo()
                    is_empty = not writer.write(table) and is_empty
            except ApiError as error:
                failures += _failed(error, request, is_last=len(targets) == 1)
    if is_empty and not failures and not any(target.name for target in targets):
        click.echo(_nothing(targets), err=True)
    return 1 if failures else 0


def _nothing(targets: Sequence[Target]) -> str:
    namespaces = {target.namespace for target in targets}
    [namespace] = namespaces if len(namespaces) == 1 else [""]
    return f"No resources found in {namespace} namespace." if namespace else "No resources found"


def _tables(work: Work, target: Target, request: Request) -> Iterator[Document]:
    if target.name:
        yield work.client.request("GET", target.path, accept=TABLE).document()
        return
    query = dict(request.query)
    if request.order:
        query["includeObject"] = "Object"
    pages = pages_of(work.client, target.path, accept=TABLE, page=request.page, query=query)
    if not request.order:
        yield from pages
        return
    found, order = list(pages), request.order
    rows = [row for page in found for row in documents_at(page, "rows")]
    rows.sort(key=lambda row: order(document_at(row, "object")))
    yield {**found[0], "rows": rows}


def _show_objects(work: Work, targets: Sequence[Target], request: Request) -> int:
    form = request.form()
    if len(targets) == 1 and targets[0].name:
        [target] = targets
        try:
            item = work.client.get(target.path)
        except ApiError as error:
            return 1 if _failed(error, request, is_last=True) else 0
        form.print_one(target.kind, request.cleaned(target.kind, item))
        return 0
    failures: list[ApiError] = []
    form.print_list(_items(work, targets, request, failures))
    return 1 if failures else 0


def _items(
    work: Work, targets: Sequence[Target], request: Request, failures: list[ApiError]
) -> Iterator[tuple[Kind, Document]]:
    for target in targets:
        try:
            found = _items_of(work, target, request)
            if request.order:
                found = iter(sorted(found, key=request.order))
            for item in found:
                yield target.kind, request.cleaned(target.kind, item)
        except ApiError as error:
            if _failed(error, request, is_last=not target.name):
                failures.append(error)


def _items_of(work: Work, target: Target, request: Request) -> Iterator[Document]:
    if target.name:
        yield work.client.get(target.path)
        return
    for page in pages_of(work.client, target.path, page=request.page, query=request.query):
        yield from documents_at(page, "items")


def _failed(error: ApiError, request: Request, *, is_last: bool) -> bool:
    """Tell whether this is a failure; say so here if more objects are to come."""
    if error.status == 404 and request.is_missing_fine:
        return False
    if is_last:
        raise error
    click.echo(f"error: {error.format_message()}", err=True)
    return True
