"""How the services log, from the settings."""

from collections.abc import Sequence

import structlog

from atomic_registry.clock import Clock
from atomic_registry.config.client_rules import AuditConfig
from atomic_registry.config.registry_values import read_fields
from atomic_registry.config.settings import LogSettings
from atomic_registry.system.failures import CannotServe
from atomic_registry.web.audit import AuditFile, AuditLimits
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


def audit_file(config: AuditConfig, clock: Clock) -> AuditFile | None:
    """Return the file that changes and refusals are recorded in, if one is wanted.

    Raises:
        CannotServe: it cannot be written.
    """
    if not config.enabled or config.audit_file_path is None:
        return None
    limits = AuditLimits(
        max_bytes=config.maximum_file_size_megabytes * 1024 * 1024,
        kept_files=config.maximum_retained_files,
        kept_days=config.maximum_file_retention_days,
    )
    try:
        return AuditFile(config.audit_file_path, limits, clock)
    except OSError as error:
        raise CannotServe(
            f"cannot write {config.audit_file_path}: {error.strerror}; auditConfig.auditFilePath "
            "must lie where the master may write, for example in /var/lib/atomic-registry"
        ) from error


def _style(settings: LogSettings) -> LogStyle:
    return LogStyle(format=settings.format, fields=read_fields(settings.fields))
