"""`get --watch`: what there is, then each change as it comes."""

from collections.abc import Callable

import click

from atomic_registry.cli.client import JSON
from atomic_registry.cli.documents import Document, documents_at, text_at
from atomic_registry.cli.objects.pages import TABLE, pages_of, watch_of
from atomic_registry.cli.objects.request import Request
from atomic_registry.cli.objects.targets import Target, Work


def watch(work: Work, target: Target, request: Request, *, is_only: bool) -> None:
    """Print rows or objects until somebody ends it.

    Raises:
        UsageError: the kind cannot be watched.
    """
    if "watch" not in target.kind.verbs:
        raise click.UsageError(f"{target.kind.plural} cannot be watched; leave --watch out")
    query = dict(request.query)
    if target.name:
        query["fieldSelector"] = f"metadata.name={target.name}"
    path = target.kind.path(target.namespace)
    accept = TABLE if request.is_table else JSON
    show = _shower(target, request)
    # What a watch begins after is the moment of the first page; later ones may be newer.
    since = ""
    for page in pages_of(work.client, path, accept=accept, page=request.page, query=query):
        since = since or text_at(page, "metadata", "resourceVersion")
        if is_only:
            break
        for part in [page] if request.is_table else documents_at(page, "items"):
            show(part)
    for changed in watch_of(work.client, path, since=since, accept=accept, query=query):
        show(changed)


def _shower(target: Target, request: Request) -> Callable[[Document], object]:
    if request.is_table:
        return request.writer(target.kind, with_kind=False).write
    form = request.form()
    kind = target.kind
    return lambda item: form.print_one(kind, request.cleaned(kind, item))
