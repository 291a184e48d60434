"""Watches over HTTP: one event in JSON on each line, until one of the two sides ends it.

Source: Kubernetes API concepts, "Efficient detection of changes".
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing

import msgspec

from atomic_registry.clock import Clock
from atomic_registry.errors import DomainError, ParameterInvalid
from atomic_registry.faces.api.errors import status_document
from atomic_registry.faces.api.negotiate import Shape, shape_of
from atomic_registry.faces.api.objects import place_of
from atomic_registry.faces.api.status import Document
from atomic_registry.resources.kinds import Resource
from atomic_registry.resources.selectors import parse_field_selector, parse_label_selector
from atomic_registry.resources.watch import WatchService
from atomic_registry.resources.watch_stream import Watch, WatchOptions
from atomic_registry.web.messages import Query, Request, Response, StreamBody

Listing = Callable[[Resource, str, Request], Awaitable[Response]]

_TRUE = frozenset({"1", "t", "T", "true", "True", "TRUE"})
_FALSE = frozenset({"", "0", "f", "F", "false", "False", "FALSE"})
_FROM_THE_START = frozenset({"", "0"})
_MAX_DIGITS = 18
_STREAM = "application/json;stream=watch"


class WatchHandlers:
    """Serves watches at every place of the table."""

    def __init__(self, watches: WatchService, clock: Clock) -> None:
        self._watches = watches
        self._clock = clock

    async def list_or_watch(
        self, listing: Listing, resource: Resource, group: str, request: Request
    ) -> Response:
        if asks_to_watch(request.query):
            return await self.watch(resource, group, request)
        return await listing(resource, group, request)

    async def watch(self, resource: Resource, group: str, request: Request) -> Response:
        place = place_of(resource, group, request)
        options = read_watch_options(
            request.query, named=request.parameters.get("name", ""), fields=resource.fields
        )
        shape = shape_of(request, self._clock)
        watch, close = await self._watches.watch(request.actor, place, options)
        is_asked = "stream=watch" in request.headers.get("Accept", "").replace(" ", "")
        return Response(
            status=200,
            headers={
                "Content-Type": _STREAM if is_asked else "application/json",
                "Cache-Control": "no-store",
            },
            body=StreamBody(pieces=_lines(watch, shape), on_end=(close,)),
        )


async def _lines(watch: Watch, shape: Shape) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(watch.events()) as events:
            async for event in events:
                yield _line(event.type, shape(event.document))
    except DomainError as error:
        # The status of the answer is long gone.
        yield _line("ERROR", status_document(error))


def _line(kind: str, document: Document) -> bytes:
    return msgspec.json.encode({"type": kind, "object": document}) + b"\n"


def asks_to_watch(query: Query) -> bool:
    """Tell whether a list is asked for as a watch.

    Raises:
        ParameterInvalid: it is neither yes nor no.
    """
    return _read_flag(query, "watch") or False


def read_watch_options(
    query: Query, *, named: str = "", fields: Collection[str] = ()
) -> WatchOptions:
    """Return the options of a watch; `named` is the object that the path names.

    `fields` are those that the kind is selected by, besides name and namespace.

    Raises:
        ParameterInvalid: one of them cannot be read.
    """
    version = query.get("resourceVersion") or ""
    bookmarks = _read_flag(query, "allowWatchBookmarks") or False
    streams_list = _read_flag(query, "sendInitialEvents")
    starts = version in _FROM_THE_START if streams_list is None else streams_list
    since = None if starts or version in _FROM_THE_START else _read_number(query, "resourceVersion")
    return WatchOptions(
        since=since,
        sends_initial=starts,
        marks_initial_end=bool(streams_list) and bookmarks,
        bookmarks=bookmarks,
        labels=parse_label_selector(query.get("labelSelector") or ""),
        fields=parse_field_selector(query.get("fieldSelector") or "", fields),
        named=named,
        timeout_seconds=_read_number(query, "timeoutSeconds"),
    )


def _read_flag(query: Query, name: str) -> bool | None:
    text = query.get(name)
    if text is None:
        return None
    if text not in _TRUE | _FALSE:
        raise ParameterInvalid(parameter=name, value=text, reason="it must be true or false")
    return text in _TRUE


def _read_number(query: Query, name: str) -> int:
    text = query.get(name) or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise ParameterInvalid(parameter=name, value=text, reason="it must be a number, 0 or more")
    return int(text)
