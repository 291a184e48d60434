"""Lists page by page, and watches that go on when a connection ends."""

import json
import time
from collections.abc import Iterator
from urllib.parse import urlencode

import click

from atomic_registry.cli.client import JSON, ApiClient, ApiError, Unreachable
from atomic_registry.cli.documents import Document, document_at, documents_at, text_at
from atomic_registry.cli.output import printable

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PAGE = 500
_MAX_PAGES = 100_000
_MAX_LINE = 32 << 20
# Bookmarks come once a minute.
_SILENCE_SECONDS = 180.0
_PAUSES = (0.5, 1, 2, 4, 8, 16)


def pages_of(
    client: ApiClient,
    path: str,
    *,
    accept: str = JSON,
    page: int = PAGE,
    query: dict[str, str] | None = None,
) -> Iterator[Document]:
    """Yield the pages of a list; no more than one is held."""
    asked = {key: value for key, value in (query or {}).items() if value}
    if page:
        asked["limit"] = str(page)
    for _ in range(_MAX_PAGES):
        found = client.request("GET", f"{path}?{urlencode(asked)}", accept=accept).document()
        yield found
        after = text_at(found, "metadata", "continue")
        if not after:
            return
        asked["continue"] = after


def items_of(
    client: ApiClient, path: str, *, selector: str = "", page: int = PAGE
) -> Iterator[Document]:
    """Yield the objects of a list."""
    query = {"labelSelector": selector}
    for found in pages_of(client, path, page=page, query=query):
        yield from documents_at(found, "items")


def watch_of(
    client: ApiClient, path: str, *, since: str, accept: str, query: dict[str, str]
) -> Iterator[Document]:
    """Yield what changes after a revision, for good; a connection that ends is followed by another.

    Raises:
        ClickException: the master refuses, or stays away.
    """
    failures = 0
    while True:
        asked = {key: value for key, value in query.items() if value}
        asked |= {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": since}
        try:
            url = f"{path}?{urlencode(asked)}"
            with client.stream(url, accept=accept, silence=_SILENCE_SECONDS) as response:
                while line := response.readline(_MAX_LINE):
                    if not line.endswith(b"\n"):
                        break
                    failures = 0
                    event = json.loads(line)
                    changed = document_at(event, "object")
                    since = _revision(changed) or since
                    if text_at(event, "type") == "ERROR":
                        raise _ended(changed)
                    if text_at(event, "type") != "BOOKMARK":
                        yield changed
            time.sleep(_PAUSES[0])
        except Unreachable:
            if failures == len(_PAUSES):
                raise
            time.sleep(_PAUSES[failures])
            failures += 1


def _revision(changed: Document) -> str:
    for row in documents_at(changed, "rows"):
        return text_at(row, "object", "metadata", "resourceVersion")
    return text_at(changed, "metadata", "resourceVersion")


def _ended(status: Document) -> click.ClickException:
    message = printable(text_at(status, "message")) or "the watch has ended"
    reason = text_at(status, "reason")
    code = status.get("code")
    return ApiError(
        f"{message}; start the command again",
        status=code if isinstance(code, int) else 0,
        reason=reason,
    )
