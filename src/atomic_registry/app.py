"""Composition root: settings in, a running service out; the only place that names adapters."""

import asyncio
import contextlib
import ipaddress
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import structlog

from atomic_registry.clock import SystemClock
from atomic_registry.config.settings import Settings, parse_listen
from atomic_registry.content.blobs import BlobService
from atomic_registry.content.leases import UploadLimits
from atomic_registry.content.listings import ListingService
from atomic_registry.content.manifests import ManifestService
from atomic_registry.content.ports import BlobStore
from atomic_registry.content.uploads import UploadService
from atomic_registry.errors import DomainError
from atomic_registry.faces.registry import routes
from atomic_registry.faces.registry.blobs import BlobHandlers
from atomic_registry.faces.registry.errors import render_error, render_internal
from atomic_registry.faces.registry.listings import ListingHandlers
from atomic_registry.faces.registry.manifests import ManifestHandlers
from atomic_registry.faces.registry.probes import ProbeHandlers
from atomic_registry.faces.registry.uploads import UploadHandlers
from atomic_registry.identity.actors import ANONYMOUS
from atomic_registry.identity.policy import OpenPolicy, Policy
from atomic_registry.store.blobs.filesystem import FilesystemBlobStore
from atomic_registry.store.metadata import MetadataDatabase, open_metadata, prepare_metadata
from atomic_registry.system.serve import CannotServe, run_service
from atomic_registry.system.workers import WorkerOptions
from atomic_registry.web.endpoint import Router
from atomic_registry.web.guard import Face, Guard
from atomic_registry.web.logs import configure_logging
from atomic_registry.web.metrics import HttpMetrics
from atomic_registry.web.server import ServerLimits

_logger = structlog.get_logger(__name__)
_CLOCK = SystemClock()
_EXPIRY_INTERVAL_SECONDS = 600.0
_DEFAULT_HEADERS = {
    "Docker-Distribution-Api-Version": "registry/2.0",
    "X-Content-Type-Options": "nosniff",
}


def serve(settings: Settings) -> int:
    """Run the registry until it is told to stop; return the exit code.

    Raises:
        CannotServe, DomainError, OSError: it cannot start; the message says what to do.
    """
    configure_logging(level=settings.log.level.upper())
    policy = OpenPolicy()
    listen = parse_listen(settings.http.listen)
    refuse_open_policy_in_public(policy, listen[0])
    for directory in (settings.root, settings.datastore_directory, settings.storage_directory):
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    url = database_url(settings)
    prepare_metadata(url)
    workers = settings.http.workers or len(os.sched_getaffinity(0))
    metrics = HttpMetrics(((row[0], row[1]) for row in routes.ROWS), workers=workers)
    node = _node_id(settings.root)

    async def build(index: int) -> RegistryWorker:
        metrics.attach(index)
        metadata = open_metadata(url, _CLOCK)
        blobs = FilesystemBlobStore(settings.storage_directory)
        worker = RegistryWorker(
            settings, metadata, blobs, policy=policy, metrics=metrics, node=f"{node}.{index}"
        )
        await worker.start(expires_uploads=index == 0)
        return worker

    return run_service(
        listen=listen,
        root=settings.root,
        workers=workers,
        options=_worker_options(settings, build),
        on_ready=lambda: _announce(settings, listen),
    )


def database_url(settings: Settings) -> str:
    """Return the URL of the metadata database: the one that is set, or SQLite below the root."""
    if settings.database.url:
        return settings.database.url
    return f"sqlite:///{settings.datastore_directory.absolute()}/metadata.db"


def refuse_open_policy_in_public(policy: Policy, host: str) -> None:
    """Return if the address is a loopback one, or not everybody may do everything.

    Raises:
        CannotServe: anybody on the network could read and overwrite every image.
    """
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = host == "localhost"
    if policy.is_open and not is_loopback:
        raise CannotServe(
            f"the registry does not listen on {host}: it has no access control yet, so that anybody "
            "who reaches it could read and overwrite every image; listen on 127.0.0.1 or [::1]"
        )


class RegistryWorker:
    """The services and the face of the registry in one worker process."""

    def __init__(
        self,
        settings: Settings,
        metadata: MetadataDatabase,
        blobs: BlobStore,
        *,
        policy: Policy,
        metrics: HttpMetrics,
        node: str,
    ) -> None:
        self._metadata = metadata
        self._metrics = metrics
        self._node = node
        self._expiry: asyncio.Task[None] | None = None
        self._uploads = UploadService(
            metadata,
            blobs,
            _CLOCK,
            node=node,
            limits=UploadLimits(
                lease=timedelta(seconds=settings.uploads.lease_seconds),
                expiry=timedelta(hours=settings.uploads.expire_hours),
            ),
        )
        blob_service = BlobService(metadata, blobs, policy, _CLOCK)
        page_size = settings.limits.page_size
        handlers = routes.Handlers(
            manifests=ManifestHandlers(
                ManifestService(metadata, _CLOCK), max_bytes=settings.limits.manifest_bytes
            ),
            blobs=BlobHandlers(blob_service, _CLOCK),
            uploads=UploadHandlers(self._uploads, blob_service),
            listings=ListingHandlers(ListingService(metadata, policy), page_size=page_size),
            probes=ProbeHandlers(
                {"database": metadata.ping, "storage": blobs.probe}, self._render_metrics
            ),
        )
        face = Face(
            name="registry",
            router=Router(routes.endpoints(handlers), routes.CONVERTERS),
            render_error=render_error,
            render_internal=render_internal,
            default_headers=_DEFAULT_HEADERS,
        )
        self.guard = Guard(
            face,
            policy,
            lambda _request: ANONYMOUS,
            metrics=metrics,
            clock=_CLOCK,
            access_log=settings.log.access,
        )

    async def start(self, *, expires_uploads: bool) -> None:
        """Free what a predecessor of this worker held, and begin the work in the background."""
        await self._uploads.release_leases(f"{self._node}/")
        if expires_uploads:
            self._expiry = asyncio.create_task(self._expire_uploads())

    async def close(self) -> None:
        """Stop the work in the background and let go of the database."""
        if self._expiry is not None:
            self._expiry.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._expiry
        await self._metadata.close()

    async def _expire_uploads(self) -> None:
        while True:
            try:
                count = await self._uploads.expire()
                if count:
                    _logger.info("abandoned uploads removed", count=count)
            except DomainError as error:
                _logger.warning("abandoned uploads not removed", reason=error.message)
            await asyncio.sleep(_EXPIRY_INTERVAL_SECONDS)

    async def _render_metrics(self) -> bytes:
        try:
            self._metrics.set_gauge(
                "atomic_registry_uploads_open",
                "Upload sessions that are open.",
                await self._uploads.count_open(),
            )
        except DomainError as error:
            _logger.warning("open uploads not counted", reason=error.message)
        return self._metrics.render()


def _worker_options(
    settings: Settings, build: Callable[[int], Awaitable[RegistryWorker]]
) -> WorkerOptions:
    http = settings.http
    certificate, key = http.tls.certificate, http.tls.key
    return WorkerOptions(
        build=build,
        tls=(certificate, key) if certificate is not None and key is not None else None,
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


def _announce(settings: Settings, listen: tuple[str, int]) -> None:
    host = f"[{listen[0]}]" if ":" in listen[0] else listen[0]
    address = f"{host}:{listen[1]}"
    scheme = "https" if settings.http.tls.certificate else "http"
    tls = "" if settings.http.tls.certificate else " --dest-tls-verify=false"
    sys.stdout.write(
        f"Atomic Registry listens on {scheme}://{address}\n"
        f"Its data lies in {settings.root.absolute()}\n"
        "Anybody on this machine may push and pull: there is no access control yet.\n"
        "Try a push:\n"
        f"  skopeo copy{tls} docker-archive:image.tar docker://{address}/demo/hello:v1\n"
        f"  podman push{tls.replace('dest-', '')} IMAGE {address}/demo/hello:v1\n"
        f"  docker tag IMAGE {address}/demo/hello:v1 && docker push {address}/demo/hello:v1\n"
    )
    sys.stdout.flush()
