"""How the services log, from the settings."""

from collections.abc import Sequence

import structlog

from atomic_registry.clock import Clock
from atomic_registry.config.registry_values import read_fields
from atomic_registry.config.settings import LogSettings
from atomic_registry.web.logs import AccessLog, LogStyle, configure_logging

_logger = structlog.get_logger(__name__)


def start_logging(settings: LogSettings, ignored: Sequence[str] = ()) -> None:
    """Send all lines where they go; say which keys of the configuration have no effect."""
    configure_logging(level=settings.level.upper(), style=_style(settings))
    if ignored:
        _logger.warning("keys without effect here", keys=list(ignored))


def access_log(settings: LogSettings, clock: Clock) -> AccessLog | None:
    """Return what writes a line for each request, if that is wanted."""
    return AccessLog(clock, style=_style(settings)) if settings.access else None


def _style(settings: LogSettings) -> LogStyle:
    return LogStyle(format=settings.format, fields=read_fields(settings.fields))
