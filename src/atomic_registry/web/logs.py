"""Log lines: JSON to stderr, or a readable form on a terminal; secrets never leave the process."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Literal, TextIO

import msgspec
import structlog

from atomic_registry.clock import Clock
from atomic_registry.web.messages import Request

_SECRET = re.compile(r"authorization|cookie|password|passwd|token|secret", re.IGNORECASE)
_encode = msgspec.json.Encoder().encode
_access = structlog.get_logger("atomic_registry.access")


LogFormat = Literal["auto", "json", "text", "logstash"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStyle:
    """What log lines look like, and the fields that each has besides; its own go before these."""

    format: LogFormat = "auto"
    fields: Mapping[str, str] = field(default_factory=dict)

    def is_readable(self, stream: TextIO) -> bool:
        """Tell whether lines are for people."""
        return self.format == "text" or (self.format == "auto" and stream.isatty())

    def shape(
        self, _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Add the fields; give all the names that the format has for them."""
        for name, value in self.fields.items():
            event.setdefault(name, value)
        if self.format == "logstash":
            event["@timestamp"] = event.pop("timestamp", None)
            event["@version"] = "1"
            event["message"] = event.pop("event", "")
        return event


def configure_logging(
    *, level: str = "INFO", stream: TextIO | None = None, style: LogStyle | None = None
) -> None:
    """Send every log line of the process, also those of libraries, to the stream or to stderr."""
    target = sys.stderr if stream is None else stream
    style = style or LogStyle()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    final: list[structlog.typing.Processor]
    if style.is_readable(target):
        # The other way to show a traceback adds local variables, and so credentials.
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=plain, colors=target.isatty())
        final = [style.shape, renderer]
    else:
        final = [structlog.processors.format_exc_info, style.shape, _render_json]
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # Its progress is of no use to an administrator; what matters is raised.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Mask every value whose key names a secret, also inside mappings."""
    for key, value in event.items():
        if _SECRET.search(key):
            event[key] = "***"
        elif isinstance(value, dict):
            event[key] = redact(None, "", dict(value))
    return event


class AccessLog:
    """Writes the one canonical line of each request, in the same form as every other line.

    It goes round structlog, whose processors would cost as much as the rest of a small request.
    """

    def __init__(
        self, clock: Clock, *, stream: TextIO | None = None, style: LogStyle | None = None
    ) -> None:
        target = sys.stderr if stream is None else stream
        self._clock = clock
        self._style = style or LogStyle()
        self._stream = None if self._style.is_readable(target) else target

    def write(
        self, request: Request, status: int, route: str, received: int, sent: int, seconds: float
    ) -> None:
        """Write the line of a request that was answered."""
        event = request_facts(request, status, route, received, sent, seconds)
        if self._stream is None:
            _access.info("request", **event)
            return
        event.update(
            event="request",
            level="info",
            logger="atomic_registry.access",
            timestamp=self._clock.now(),
        )
        # One write for each line, so that the lines of several workers do not mix.
        self._style.shape(None, "", event)
        self._stream.write(_encode(event).decode() + "\n")
        self._stream.flush()


def request_facts(
    request: Request, status: int, route: str, received: int, sent: int, seconds: float
) -> dict[str, object]:
    """Return what a line says of a request that was answered."""
    facts: dict[str, object] = {
        "id": request.id,
        "method": request.method,
        "route": route,
        "path": escape(request.path),
        "status": status,
        "bytes_in": received,
        "bytes_out": sent,
        "ms": round(seconds * 1000, 2),
        "actor": request.actor.name,
        "remote": request.remote,
    }
    if request.impersonator:
        facts["impersonated_by"] = request.impersonator
    return facts


def escape(text: str) -> str:
    """Return the text with everything that could break a line or a terminal escaped."""
    return text if text.isascii() and text.isprintable() else ascii(text)[1:-1]


def _render_json(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    try:
        return _encode(event).decode()
    except (TypeError, ValueError):
        return _encode({key: str(value) for key, value in event.items()}).decode()
