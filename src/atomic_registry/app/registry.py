"""The registry service in one worker process."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import structlog

from atomic_registry.app.access import AccessControl
from atomic_registry.app.compaction import make_compaction
from atomic_registry.app.events import EventCounting
from atomic_registry.app.gates import registry_gate
from atomic_registry.app.logs import access_log
from atomic_registry.clock import SystemClock
from atomic_registry.config.registry_values import read_headers
from atomic_registry.config.settings import Settings, UploadSettings
from atomic_registry.content.admission import Admission
from atomic_registry.content.blobs import BlobService
from atomic_registry.content.leases import UploadLimits
from atomic_registry.content.listings import ListingService
from atomic_registry.content.manifests import ManifestService
from atomic_registry.content.ports import BlobStore
from atomic_registry.content.uploads import UploadService
from atomic_registry.errors import DomainError
from atomic_registry.faces.registry import routes
from atomic_registry.faces.registry.blobs import BlobHandlers
from atomic_registry.faces.registry.challenge import Challenger
from atomic_registry.faces.registry.errors import render_error, render_internal
from atomic_registry.faces.registry.listings import ListingHandlers
from atomic_registry.faces.registry.manifests import ManifestHandlers
from atomic_registry.faces.registry.token import NoTokens, TokenHandlers
from atomic_registry.faces.registry.uploads import UploadHandlers
from atomic_registry.identity.policy import OpenPolicy, Policy, Verb
from atomic_registry.store.metadata import MetadataDatabase
from atomic_registry.web.endpoint import Router
from atomic_registry.web.forwarded import Forwarding
from atomic_registry.web.guard import Face, Guard, NobodyKnown
from atomic_registry.web.health import ProbeHandlers
from atomic_registry.web.messages import Request, Response
from atomic_registry.web.metrics import HttpMetrics

_logger = structlog.get_logger(__name__)
_CLOCK = SystemClock()
_DEFAULT_HEADERS = {
    "Docker-Distribution-Api-Version": "registry/2.0",
    "X-Content-Type-Options": "nosniff",
}


class RegistryWorker:
    """The services and the face of the registry in one worker process."""

    def __init__(
        self,
        settings: Settings,
        metadata: MetadataDatabase,
        blobs: BlobStore,
        *,
        access: AccessControl | None,
        metrics: HttpMetrics,
        node: str,
    ) -> None:
        policy = OpenPolicy() if access is None else access.policy
        self._access = access
        self._metadata = metadata
        self._metrics = metrics
        self._node = node
        self._counting = (
            None if access is None else EventCounting(settings, metadata, access.directory, _CLOCK)
        )
        self._cleaning: list[asyncio.Task[None]] = []
        self._expiry = _expiry(settings)
        self._compaction = make_compaction(settings, metadata, _CLOCK)
        self._uploads = UploadService(
            metadata,
            blobs,
            _CLOCK,
            node=node,
            admission=Admission(policy),
            limits=UploadLimits(
                lease=timedelta(seconds=settings.uploads.lease_seconds),
                expiry=timedelta(hours=settings.uploads.expire_hours),
                quotas=settings.limits.quotas,
            ),
        )
        handlers = self._build_handlers(settings, blobs, policy)
        face = Face(
            name="registry",
            router=Router(
                routes.endpoints(handlers, metadata.hot, closed=_closed(settings)),
                routes.CONVERTERS,
            ),
            render_error=render_error if access is None else _challenger(settings),
            render_internal=render_internal,
            default_headers={**_DEFAULT_HEADERS, **read_headers(settings.http.headers)},
            forwarding=Forwarding() if access is None else access.forwarding,
            gate=registry_gate(settings.limits),
            on_denied=None if self._counting is None else self._counting.denied,
        )
        self.guard = Guard(
            face,
            policy,
            NobodyKnown() if access is None else access.credentials,
            metrics=metrics,
            clock=_CLOCK,
            access_log=access_log(settings.log, _CLOCK),
        )

    def _build_handlers(
        self, settings: Settings, blobs: BlobStore, policy: Policy
    ) -> routes.Handlers:
        access = self._access
        blob_service = BlobService(
            self._metadata, blobs, policy, _CLOCK, quotas=settings.limits.quotas
        )
        page_size = settings.limits.page_size
        return routes.Handlers(
            manifests=ManifestHandlers(
                ManifestService(
                    self._metadata,
                    Admission(policy),
                    _CLOCK,
                    history_kept=settings.images.history_kept,
                    quotas=settings.limits.quotas,
                ),
                max_bytes=settings.limits.manifest_bytes,
                on_pull=None if self._counting is None else self._counting.pulled,
            ),
            blobs=BlobHandlers(blob_service, _CLOCK),
            uploads=UploadHandlers(self._uploads, blob_service),
            listings=ListingHandlers(ListingService(self._metadata, policy), page_size=page_size),
            probes=ProbeHandlers(
                {"database": self._metadata.ping, "storage": blobs.probe},
                self._render_metrics,
                notices=None if access is None else access.notices,
            ),
            tokens=NoTokens() if access is None else _token_handlers(access),
        )

    async def start(self, *, expires_uploads: bool) -> None:
        """Free what a predecessor of this worker held, and begin the work in the background."""
        if self._access is not None:
            await self._access.start(cleans_up=expires_uploads)
        if self._counting is not None:
            self._counting.start(cleans_up=expires_uploads)
        await self._uploads.release_leases(f"{self._node}/")
        if expires_uploads:
            self._cleaning.append(asyncio.create_task(self._compaction.run()))
            if self._expiry.expires:
                self._cleaning.append(asyncio.create_task(self._expire_uploads()))

    async def close(self) -> None:
        """Stop the work in the background and let go of the database."""
        for task in self._cleaning:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._counting is not None:
            await self._counting.close()
        if self._access is not None:
            await self._access.close()
        await self._metadata.close()

    async def _expire_uploads(self) -> None:
        while True:
            try:
                count = await self._uploads.expire()
                if count:
                    _logger.info("abandoned uploads removed", count=count)
            except DomainError as error:
                _logger.warning("abandoned uploads not removed", reason=error.message)
            await asyncio.sleep(self._expiry.interval_seconds)

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


def _token_handlers(access: AccessControl) -> TokenHandlers:
    return TokenHandlers(
        access.credentials,
        access.policy,
        access.directory,
        access.registry_tokens,
        access.tokens,
        _CLOCK,
    )


def _challenger(
    settings: Settings,
) -> Callable[[DomainError, Request | None], Response]:
    scheme = "https" if settings.http.tls.certificate else "http"
    origin = f"{scheme}://{settings.http.listen}"
    return Challenger(default_origin=origin, token_origin=settings.http.token_url).render_error


def _closed(settings: Settings) -> frozenset[Verb]:
    if settings.storage.read_only:
        return frozenset({Verb.PUSH, Verb.DELETE})
    return frozenset() if settings.storage.deletes else frozenset({Verb.DELETE})


def _expiry(settings: Settings) -> UploadSettings:
    """Return how abandoned uploads are removed: not at all from a storage that is not written."""
    if settings.storage.read_only:
        return replace(settings.uploads, expires=False)
    return settings.uploads
