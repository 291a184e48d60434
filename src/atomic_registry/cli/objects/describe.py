"""`atomic-registry describe`: objects told for people, with what happened to them lately."""

from collections.abc import Sequence
from datetime import datetime

import click

from atomic_registry.cli.client import ApiError
from atomic_registry.cli.documents import Document, documents_at, name_of, number_at, text_at
from atomic_registry.cli.objects.descriptions import described_lines
from atomic_registry.cli.objects.options import (
    everywhere_option,
    file_option,
    recursive_option,
    selector_option,
    words_argument,
)
from atomic_registry.cli.objects.pages import pages_of
from atomic_registry.cli.objects.targets import Target, Work
from atomic_registry.cli.output import printable
from atomic_registry.cli.session import namespace_option
from atomic_registry.clock import SystemClock
from atomic_registry.kube.table import age

_MOST_EVENTS = 20


@click.command("describe")
@words_argument
@namespace_option
@everywhere_option
@selector_option
@file_option
@recursive_option
@click.option(
    "--show-events/--no-events", "with_events", default=True, help="What happened lately, too."
)
def command(  # noqa: PLR0913 - one parameter an option
    *,
    words: Sequence[str],
    namespace: str | None,
    is_everywhere: bool,
    selector: str,
    files: Sequence[str],
    is_recursive: bool,
    with_events: bool,
) -> int:
    """Tell about objects in words for people: by name, all of a kind, or those with labels.

    Of an image stream it shows each tag with what it named before; of an image the layers and
    what runs in it; of a secret the names of its values, and never a value.

    \b
    Examples:
      atomic-registry describe is web
      atomic-registry describe istag/web:v1 -n demo
      atomic-registry describe quota
    """
    work = Work.open(namespace, everywhere=is_everywhere)
    is_all = bool(words) and "/" not in words[0] and len(words) == 1 and not selector
    found = work.objects(words, files, is_recursive=is_recursive, selector=selector, is_all=is_all)
    count, failures = 0, 0
    now = SystemClock().now()
    for target in found:
        if count:
            click.echo("\n")
        count += 1
        try:
            _describe(work, target, now, with_events=with_events)
        except ApiError as error:
            failures += 1
            click.echo(f"error: {target.label}: {error.format_message()}", err=True)
    if not count:
        click.echo("No resources found", err=True)
    return 1 if failures else 0


def _describe(work: Work, target: Target, now: datetime, *, with_events: bool) -> None:
    item = work.client.get(target.path)
    lines = described_lines(target.kind.kind, item, now)
    if with_events:
        lines += _event_lines(work, target, item, now)
    click.echo("\n".join(map(printable, lines)))


def _event_lines(work: Work, target: Target, item: Document, now: datetime) -> list[str]:
    kinds = [kind for kind in work.catalogue.kinds() if kind.kind == "Event"]
    if not kinds or not target.namespace:
        return []
    asked = f"involvedObject.kind={target.kind.kind},involvedObject.name={name_of(item)}"
    pages = pages_of(work.client, kinds[0].path(target.namespace), query={"fieldSelector": asked})
    try:
        events = [event for page in pages for event in documents_at(page, "items")]
    except ApiError as error:
        # Who may see an object need not see what happened to it.
        if error.status == 403:
            return []
        raise
    events.sort(key=lambda event: text_at(event, "lastTimestamp"))
    lines = ["", "Events:" if events else "Events:  <none>"]
    for event in events[-_MOST_EVENTS:]:
        count = number_at(event, "count", default=1)
        times = f" (x{count})" if count > 1 else ""
        ago = age(event.get("lastTimestamp"), now)
        what = f"{text_at(event, 'type')}  {text_at(event, 'reason')}"
        lines.append(f"  {ago}{times}  {what}  {text_at(event, 'message')}")
    return lines
