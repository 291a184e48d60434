"""Composition root: settings in, running services out; the only place that names adapters."""

import asyncio
import ipaddress
import os
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path

import structlog

from atomic_registry.app.access import ANYBODY, AccessControl
from atomic_registry.app.announcement import allows_all, announce, announce_console
from atomic_registry.app.database import database_url
from atomic_registry.app.logs import audit_file, start_logging
from atomic_registry.app.master_files import (
    ADMINISTRATOR_NAME,
    MasterFiles,
    prepare_master_files,
    tls_options,
)
from atomic_registry.app.registry import RegistryWorker
from atomic_registry.app.renewals import master_renewal, registry_renewal
from atomic_registry.clock import SystemClock
from atomic_registry.config.environment import process_environment
from atomic_registry.config.settings import RegistryTlsSettings, Settings, TlsSettings, parse_listen
from atomic_registry.faces.registry import routes
from atomic_registry.identity.defaults import ensure_defaults
from atomic_registry.store.blobs.filesystem import FilesystemBlobStore
from atomic_registry.store.metadata import open_metadata, prepare_metadata
from atomic_registry.system.backup.journal import JOURNAL, is_interrupted
from atomic_registry.system.failures import CannotServe
from atomic_registry.system.renewal import Renewal
from atomic_registry.system.serve import Service, run_services
from atomic_registry.system.tls import TLS_VERSIONS, TlsOptions
from atomic_registry.system.workers import WorkerApp, WorkerOptions
from atomic_registry.web.metrics import HttpMetrics
from atomic_registry.web.server import ServerLimits

__all__ = [
    "SERVICES",
    "RegistryWorker",
    "database_url",
    "refuse_open_policy_in_public",
    "serve",
    "serve_console",
]

SERVICES = ("registry", "master")

_logger = structlog.get_logger(__name__)
_CLOCK = SystemClock()


def serve(
    settings: Settings, services: Collection[str] = SERVICES, *, ignored: Sequence[str] = ()
) -> int:
    """Run the services until they are told to stop; return the exit code.

    `ignored` are keys of the configuration that have no effect; the log says so.

    Raises:
        CannotServe, DomainError, OSError: they cannot start; the message says what to do.
    """
    start_logging(settings.log, ignored)
    if settings.access.policy == "open":
        refuse_open_policy_in_public(parse_listen(settings.http.listen)[0])
    _refuse_interrupted_restore(settings.datastore_directory)
    for directory in (settings.root, settings.datastore_directory, settings.storage_directory):
        directory.mkdir(mode=0o770, parents=True, exist_ok=True)
    files = None
    if settings.access.policy == "rbac":
        files = prepare_master_files(settings, _CLOCK, with_secrets="master" in services)
    url = database_url(settings)
    prepare_metadata(url)
    if files is not None:
        administrator = ADMINISTRATOR_NAME if files.first_password else ""
        asyncio.run(_store_defaults(url, administrator, settings.master.administrator))
        if allows_all(files):
            _logger.warning(ANYBODY)
    made = []
    if "registry" in services:
        made.append(_registry_service(settings, files))
    if "master" in services and files is not None:
        made.append(_master_service(settings, files))
    return run_services(
        made,
        root=settings.root,
        environment=process_environment(),
        on_ready=lambda: announce(settings, files, services),
    )


def serve_console(settings: Settings, *, ignored: Sequence[str] = ()) -> int:
    """Run the console until it is told to stop; it needs neither the database nor the keys.

    Raises:
        CannotServe, OSError: it cannot start; the message says what to do.
    """
    # Here, as the other services do without it.
    from atomic_registry.app.console import CONSOLE_ROWS, ConsoleWorker  # noqa: PLC0415

    start_logging(settings.log, ignored)
    settings.root.mkdir(mode=0o770, parents=True, exist_ok=True)
    metrics = HttpMetrics(CONSOLE_ROWS, workers=1)

    async def build(index: int) -> ConsoleWorker:
        metrics.attach(index)
        return ConsoleWorker(settings, metrics=metrics, clock=_CLOCK)

    service = Service(
        name="console",
        listen=parse_listen(settings.console.listen),
        workers=1,
        options=_worker_options(settings, build, _own_tls(settings.console.tls)),
    )
    return run_services(
        [service],
        root=settings.root,
        environment=process_environment(),
        on_ready=lambda: announce_console(settings),
    )


def _refuse_interrupted_restore(datastore: Path) -> None:
    if is_interrupted(datastore):
        raise CannotServe(
            f"a restore was interrupted while it moved files ({datastore / JOURNAL}): run "
            "`atomic-registry restore` again, as before; it first brings back what was there, and "
            "without --force it leaves it at that"
        )


def refuse_open_policy_in_public(host: str) -> None:
    """Return if the address is a loopback one; asked where everybody may do everything.

    Raises:
        CannotServe: anybody on the network could read and overwrite every image.
    """
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = host == "localhost"
    if not is_loopback:
        raise CannotServe(
            f"the registry does not listen on {host} with access.policy=open: anybody who reaches "
            "it could read and overwrite every image; use access.policy=rbac, or listen on "
            "127.0.0.1 or [::1]"
        )


async def _store_defaults(url: str, administrator: str, founder: str) -> None:
    # Closed before the workers are forked: no connection and no thread goes with them.
    metadata = open_metadata(url, _CLOCK)
    try:
        restored = await metadata.write(
            lambda tx: ensure_defaults(
                tx, _CLOCK.now(), administrator=administrator, founder=founder
            )
        )
    finally:
        await metadata.close()
    if restored:
        _logger.warning(
            "default roles and bindings were missing and are there again; "
            "to keep a binding from giving rights, leave it without subjects",
            restored=restored,
        )


def _registry_service(settings: Settings, files: MasterFiles | None) -> Service:
    url = database_url(settings)
    http = settings.http
    workers = http.workers or len(os.sched_getaffinity(0))
    metrics = HttpMetrics(((row[0], row[1]) for row in routes.ROWS), workers=workers)
    node = _node_id(settings.root)

    async def build(index: int) -> RegistryWorker:
        metrics.attach(index)
        metadata = open_metadata(url, _CLOCK)
        access = None
        if files is not None:
            access = AccessControl(
                metadata,
                files.config.oauth_config.identity_providers,
                trusted_proxies=http.trusted_proxies,
                clock=_CLOCK,
            )
        blobs = FilesystemBlobStore(settings.storage_directory)
        worker = RegistryWorker(
            settings, metadata, blobs, access=access, metrics=metrics, node=f"{node}.{index}"
        )
        await worker.start(expires_uploads=index == 0)
        return worker

    tls = _registry_tls(http.tls)
    renewal = None
    if tls is not None and settings.master.makes_files:
        renewal = registry_renewal(settings, tls, _CLOCK)
    return Service(
        name="registry",
        listen=parse_listen(http.listen),
        workers=workers,
        options=_worker_options(settings, build, tls, renewal),
    )


def _own_tls(tls: TlsSettings) -> TlsOptions | None:
    if tls.certificate is None or tls.key is None:
        return None
    return TlsOptions(certificate=tls.certificate, key=tls.key)


def _registry_tls(tls: RegistryTlsSettings) -> TlsOptions | None:
    if tls.certificate is None or tls.key is None:
        return None
    authorities = [part.strip() for part in tls.client_authorities.split(",") if part.strip()]
    return TlsOptions(
        certificate=tls.certificate,
        key=tls.key,
        proxy_cas=tuple(map(Path, authorities)),
        requires_client=bool(authorities),
        minimum=TLS_VERSIONS[tls.minimum],
        ciphers=tls.ciphers,
    )


def _master_service(settings: Settings, files: MasterFiles) -> Service:
    # A registry by itself starts sooner, and its workers are smaller, without the master's parts.
    from atomic_registry.app.master import MASTER_ROWS, MasterWorker  # noqa: PLC0415

    url = database_url(settings)
    metrics = HttpMetrics(
        ((method, path) for method, path in MASTER_ROWS), workers=settings.master.workers
    )

    async def build(index: int) -> MasterWorker:
        metrics.attach(index)
        metadata = open_metadata(url, _CLOCK)
        worker = MasterWorker(
            settings,
            files,
            metadata,
            blobs=FilesystemBlobStore(settings.storage_directory),
            metrics=metrics,
            clock=_CLOCK,
        )
        await worker.start(cleans_up=index == 0)
        return worker

    audit = audit_file(files.config.audit_config, _CLOCK)
    if audit is not None:
        # A worker opens its own; that it can is known before there are any.
        audit.close()
    tls = tls_options(files)
    renewal = None
    if settings.master.makes_files:
        renewal = master_renewal(settings, files, tls, _CLOCK)
    return Service(
        name="master",
        listen=parse_listen(files.config.serving_info.bind_address),
        workers=settings.master.workers,
        options=_worker_options(settings, build, tls, renewal),
    )


def _worker_options(
    settings: Settings,
    build: Callable[[int], Awaitable[WorkerApp]],
    tls: TlsOptions | None,
    renewal: Renewal | None = None,
) -> WorkerOptions:
    http = settings.http
    return WorkerOptions(
        build=build,
        tls=tls,
        renewal=renewal,
        limits=ServerLimits(
            header_seconds=http.header_seconds,
            body_idle_seconds=http.body_idle_seconds,
            send_seconds=http.send_idle_seconds,
        ),
        max_connections=http.max_connections,
        drain_seconds=http.drain_seconds,
    )


def _node_id(root: Path) -> str:
    """Return the name of this installation in leases; it outlives restarts."""
    path = root / "node-id"
    if not path.exists():
        path.write_text(_CLOCK.new_id())
    return path.read_text().strip()
