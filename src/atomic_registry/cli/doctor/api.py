"""The hop of changes: what is pushed shows in a watch of the API at once."""

import json
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from urllib.parse import urlencode

import click

from atomic_registry.cli.client import JSON, ApiClient, segment
from atomic_registry.cli.doctor.checklist import Checklist
from atomic_registry.cli.doctor.scratch import Scratch
from atomic_registry.cli.documents import text_at
from atomic_registry.cli.session import IMAGES
from atomic_registry.clock import Clock

_HOP = "api"
_SLOW_SECONDS = 2.0
_SECONDS = 10
_LINE = 1 << 22
_ADVICE = (
    "does a proxy stand before the master? it must not hold back answers: nginx: proxy_buffering "
    "off; proxy_read_timeout 3600s\n"
    "the master's log: journalctl -u atomic-registry-master -e"
)


def watch_while(
    client: ApiClient, scratch: Scratch, act: Callable[[], None], checklist: Checklist, clock: Clock
) -> None:
    """Act, and measure how long the watch of the project takes to tell of it."""
    streams = f"{IMAGES}/namespaces/{segment(scratch.project)}/imagestreams"
    name = scratch.repository.rpartition("/")[2]
    acted = False
    try:
        since = text_at(client.get(streams, limit="1"), "metadata", "resourceVersion")
        query = {
            "watch": "1",
            "resourceVersion": since,
            "fieldSelector": f"metadata.name={name}",
            "timeoutSeconds": str(_SECONDS),
        }
        path = f"{streams}?{urlencode(query)}"
        with client.stream(path, accept=JSON, silence=_SECONDS) as answer:
            acted = True
            act()
            start = clock.monotonic()
            is_told = _is_told(answer)
        _judge(is_told, clock.monotonic() - start, checklist)
    except click.ClickException as error:
        checklist.fail(_HOP, f"no watch of image streams: {error.message}", _ADVICE)
    if not acted:
        act()


def _is_told(answer: HTTPResponse) -> bool:
    try:
        line = answer.readline(_LINE)
        return text_at(json.loads(line or b"{}"), "type") in {"ADDED", "MODIFIED"}
    except (OSError, HTTPException, ValueError):
        return False


def _judge(is_told: bool, seconds: float, checklist: Checklist) -> None:  # noqa: FBT001
    if not is_told:
        checklist.fail(_HOP, f"a watch did not tell of the push within {_SECONDS} s", _ADVICE)
    elif seconds > _SLOW_SECONDS:
        checklist.warn(_HOP, f"a watch told of the push after {seconds:.1f} s", _ADVICE)
    else:
        checklist.ok(_HOP, f"a watch told of the push after {seconds * 1000:.0f} ms")
