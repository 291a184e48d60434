"""Completes kinds and names at the shell's prompt."""

from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from atomic_registry.cli.documents import documents_at, name_of
from atomic_registry.cli.objects.discovery import Kind
from atomic_registry.cli.objects.pages import pages_of
from atomic_registry.cli.objects.targets import Work

_MOST = 200


def complete_words(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the kinds, after a kind the names of its objects, that go on from what is typed."""
    typed = context.params.get(parameter.name or "")
    before = [str(word) for word in typed] if isinstance(typed, tuple | list) else []
    namespace = context.params.get("namespace")
    try:
        found = _complete(namespace if isinstance(namespace, str) else None, before, incomplete)
    except click.ClickException:
        # A prompt is no place for messages.
        return []
    return [CompletionItem(name) for name in found]


def _complete(namespace: str | None, before: Sequence[str], incomplete: str) -> list[str]:
    work = Work.open(namespace)
    if "/" in incomplete:
        kind_word, _, begun = incomplete.partition("/")
        return [f"{kind_word}/{name}" for name in _names(work, kind_word, begun)]
    if before and "/" not in before[0]:
        return _names(work, before[0], incomplete)
    return _kinds(work.catalogue.kinds(), incomplete)


def _kinds(kinds: Sequence[Kind], begun: str) -> list[str]:
    found = (name for kind in kinds for name in (kind.plural, *kind.short_names))
    return sorted({name for name in found if name.startswith(begun)})


def _names(work: Work, kind_word: str, begun: str) -> list[str]:
    [kind, *more] = work.catalogue.named(kind_word)
    if more or "list" not in kind.verbs:
        return []
    # One page: whoever presses a key does not wait for the rest.
    page = next(pages_of(work.client, kind.path(work.namespace_of(kind)), page=_MOST))
    names = [name_of(item) for item in documents_at(page, "items")]
    return [name for name in names if name.startswith(begun)]
