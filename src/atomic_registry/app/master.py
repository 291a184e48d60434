"""The master in one worker process: OAuth and the API on one listener."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import cast

from atomic_registry.app.access import AccessControl
from atomic_registry.app.events import EventCounting, EventReading
from atomic_registry.app.gates import master_gate
from atomic_registry.app.images import Images, registry_host
from atomic_registry.app.logs import access_log, audit_file
from atomic_registry.app.master_files import MasterFiles
from atomic_registry.app.quotas import Quotas
from atomic_registry.app.site import site_options
from atomic_registry.app.watching import WatchedKinds, Watching
from atomic_registry.clock import Clock
from atomic_registry.config.master_config import OAuthConfig, SessionSecret, origin_pattern
from atomic_registry.config.settings import Settings, parse_listen
from atomic_registry.content import ports as content
from atomic_registry.content.projects import delete_contents
from atomic_registry.content.tags import Mover
from atomic_registry.errors import DomainError
from atomic_registry.faces.api import errors as api_errors
from atomic_registry.faces.api import routes as api
from atomic_registry.faces.api.discovery import DiscoveryHandlers
from atomic_registry.faces.api.objects import (
    EmptyHandlers,
    ObjectHandlers,
    ProjectRequestHandlers,
    Writing,
)
from atomic_registry.faces.api.openapi import OpenApiHandlers
from atomic_registry.faces.api.reviews import ReviewHandlers
from atomic_registry.faces.api.time_limits import TimeLimit
from atomic_registry.faces.api.token_reviews import TokenReviewHandlers
from atomic_registry.faces.api.tokens import (
    AccessTokenHandlers,
    OwnTokenHandlers,
    RobotTokenHandlers,
)
from atomic_registry.faces.api.watch import WatchHandlers
from atomic_registry.faces.oauth import routes as oauth
from atomic_registry.faces.oauth.options import OAuthOptions
from atomic_registry.faces.site import routes as site
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.consent import ConsentService, GrantMethod
from atomic_registry.identity.device_grants import DeviceGrantService
from atomic_registry.identity.grants import GrantOptions, GrantService
from atomic_registry.identity.oauth_clients import ensure_default_clients
from atomic_registry.identity.ports import Transaction
from atomic_registry.resources.engine import ObjectService
from atomic_registry.resources.identity_mappings import IdentityMappingService
from atomic_registry.resources.kinds import EVENTS, QUOTAS
from atomic_registry.resources.patching import PatchService
from atomic_registry.resources.ports import Authority
from atomic_registry.resources.projects import ProjectLimit, ProjectService, RequestRules
from atomic_registry.resources.rehearsal import RehearsalStore
from atomic_registry.resources.reviews import ReviewService
from atomic_registry.resources.tokens import (
    AccessTokenService,
    OwnTokenService,
    RobotTokenService,
)
from atomic_registry.store.metadata import MetadataDatabase
from atomic_registry.web.cors import Cors
from atomic_registry.web.endpoint import Endpoint, Router
from atomic_registry.web.guard import Face, Guard
from atomic_registry.web.health import ProbeHandlers
from atomic_registry.web.impersonation import Impersonator
from atomic_registry.web.messages import Request, Response
from atomic_registry.web.metrics import HttpMetrics

MASTER_ROWS: tuple[tuple[str, str], ...] = tuple(
    (row[0], row[1]) for row in (*oauth.ROWS, *site.ROWS, *api.ROWS)
)
_API_PREFIXES = (
    "/api",
    "/apis",
    "/oapi",
    "/version",
    "/healthz",
    "/readyz",
    "/livez",
    "/metrics",
    "/openapi",
)


class MasterWorker:
    """The services of the master and their faces."""

    def __init__(
        self,
        settings: Settings,
        files: MasterFiles,
        metadata: MetadataDatabase,
        *,
        blobs: content.BlobStore,
        metrics: HttpMetrics,
        clock: Clock,
    ) -> None:
        self._metadata = metadata
        self._clock = clock
        self._metrics = metrics
        self._files, self._blobs = files, blobs
        self._console_port = parse_listen(settings.console.listen)[1]
        config = files.config
        named = config.image_policy_config.registry
        self._registry_host = registry_host(settings, files.public_url, named)
        self.access = AccessControl(
            metadata,
            config.oauth_config.identity_providers,
            trusted_proxies=settings.http.trusted_proxies,
            clock=clock,
        )
        self._counting = EventCounting(settings, metadata, self.access.directory, clock)
        self._oauth = self._build_oauth(config.oauth_config)
        pages = site.SiteHandlers(site_options(files, self._registry_host), clock)
        rows = [
            *oauth.endpoints(self._oauth),
            *site.endpoints(pages),
            *api.endpoints(self._build_api(settings)),
        ]
        self.guard = Guard(
            self._build_face(settings, rows),
            self.access.policy,
            self.access.credentials,
            metrics=metrics,
            clock=clock,
            access_log=access_log(settings.log, clock),
        )

    def _build_face(self, settings: Settings, rows: Sequence[Endpoint]) -> Face:
        config = self._files.config
        seconds = config.serving_info.request_timeout_seconds or settings.master.request_seconds
        return Face(
            name="master",
            router=Router(rows, {**oauth.CONVERTERS, **site.CONVERTERS, **api.CONVERTERS}),
            render_error=self._render_error,
            render_internal=api_errors.render_internal,
            default_headers={
                "X-Content-Type-Options": "nosniff",
                "Strict-Transport-Security": "max-age=31536000",
                "Cache-Control": "no-store",
            },
            forwarding=self.access.forwarding,
            on_denied=self._counting.denied,
            impersonator=Impersonator(self.access.policy, self.access.directory),
            time_limit=TimeLimit(seconds=seconds, prefixes=_API_PREFIXES).of,
            gate=master_gate(settings, config, _API_PREFIXES),
            audit=audit_file(config.audit_config, self._clock),
            cors=Cors(map(origin_pattern, config.cors_allowed_origins), prefixes=_API_PREFIXES),
        )

    async def start(self, *, cleans_up: bool) -> None:
        """Register the product's own OAuth clients and follow who may do what."""
        urls = self._files.urls
        consoles = [f"{url.rpartition(':')[0]}:{self._console_port}" for url in urls]
        now = self._clock.now()
        await self._metadata.write(lambda tx: ensure_default_clients(tx, urls, consoles, now=now))
        await self.access.start(cleans_up=cleans_up)
        self._watching.start(compacts=cleans_up)
        self._counting.start(cleans_up=cleans_up)

    async def close(self) -> None:
        """Stop the work in the background and let go of the database."""
        await self._watching.close()
        await self._counting.close()
        await self.access.close()
        await self._metadata.close()

    def _build_oauth(self, config: OAuthConfig) -> oauth.OAuthHandlers:
        store, clock, access = self._metadata, self._clock, self.access
        life = config.token_config
        grants = GrantService(
            store,
            access.tokens,
            clock,
            GrantOptions(
                access_lifetime=timedelta(seconds=life.access_token_max_age_seconds),
                code_lifetime=timedelta(seconds=life.authorize_token_max_age_seconds),
                inactivity_seconds=life.access_token_inactivity_timeout_seconds or None,
            ),
        )
        method = GrantMethod(config.grant_config.method)
        services = oauth.OAuthServices(
            grants=grants,
            devices=DeviceGrantService(store, access.tokens, grants, clock),
            consent=ConsentService(store, clock, default=method),
            tokens=access.tokens,
            logins=access.logins,
        )
        templates = {
            "login": config.templates.login,
            "providerSelection": config.templates.provider_selection,
            "error": config.templates.error,
        }
        options = OAuthOptions(
            issuer=self._files.public_url,
            aliases=self._files.urls[1:],
            session_keys=tuple(session_keys(self._files.session_secrets)),
            session_name=config.session_config.session_name,
            session_max_age_seconds=config.session_config.session_max_age_seconds,
            always_shows_selection=config.always_show_provider_selection,
            templates={name: path for name, path in templates.items() if path is not None},
        )
        return oauth.OAuthHandlers(services, options, clock)

    def _build_api(self, settings: Settings) -> api.Handlers:
        store, clock, access = self._metadata, self._clock, self.access
        authority = Authority(policy=access.policy, rights=access.policy, accounts=access.directory)
        reviews = ReviewService(store, authority)
        said = self._files.config.project_config
        make_projects = partial(
            ProjectService,
            clock=clock,
            authority=authority,
            rules=RequestRules(
                message=said.project_request_message,
                limits=(ProjectLimit(max_projects=said.max_projects_per_user),),
            ),
            delete_contents=_delete_contents,
        )
        projects, tries = make_projects(store), RehearsalStore(store)
        patches = PatchService(clock, access.policy)
        images = Images(
            store,
            self._blobs,
            access.policy,
            clock,
            host=self._registry_host,
            history_kept=settings.images.history_kept,
        )
        events = EventReading(settings, store, access.policy, clock)
        quotas = Quotas(store, authority, clock)
        self._watching = self._build_watching(
            settings, projects, images=images, quotas=quotas, events=events
        )
        return api.Handlers(
            objects=ObjectHandlers(
                ObjectService(store, clock, authority),
                clock,
                Writing(service=patches, rehearsal=ObjectService(tries, clock, authority)),
            ),
            projects=ObjectHandlers(
                projects, clock, Writing(service=patches, rehearsal=make_projects(tries))
            ),
            requests=ProjectRequestHandlers(projects),
            reviews=ReviewHandlers(reviews),
            robot_tokens=RobotTokenHandlers(RobotTokenService(store, access.tokens)),
            own_tokens=OwnTokenHandlers(OwnTokenService(store, access.tokens)),
            access_tokens=AccessTokenHandlers(AccessTokenService(store, access.tokens), clock),
            token_reviews=TokenReviewHandlers(access.credentials, reviews),
            mappings=ObjectHandlers(IdentityMappingService(store, clock, authority), clock),
            quotas=quotas.handlers(patches),
            images=images.handlers(patches),
            events=events.handlers,
            empty=EmptyHandlers(clock),
            discovery=DiscoveryHandlers(),
            openapi=OpenApiHandlers(api.ROWS),
            watches=WatchHandlers(self._watching.watches, clock),
            probes=ProbeHandlers(
                {"database": store.ping}, self._render_metrics, notices=access.notices
            ),
        )

    def _build_watching(
        self,
        settings: Settings,
        projects: ProjectService,
        *,
        images: Images,
        quotas: Quotas,
        events: EventReading,
    ) -> Watching:
        return Watching(
            self._metadata,
            self.access,
            projects,
            self._clock,
            kinds=WatchedKinds(
                projectors={
                    **images.projectors,
                    QUOTAS.plural: quotas.projector,
                    EVENTS.plural: events.projector,
                },
                narrowed={EVENTS.plural: events.narrowed},
            ),
            settings=settings,
        )

    async def _render_metrics(self) -> bytes:
        return self._metrics.render()

    def _render_error(self, error: DomainError, request: Request | None) -> Response:
        if request is None or request.path.startswith(_API_PREFIXES):
            return api_errors.render_error(error, request)
        return self._oauth.errors.render_error(error, request)


def session_keys(secrets: Iterable[SessionSecret]) -> list[bytes]:
    """Return one key of 32 bytes for each pair of the original's session secrets.

    Both texts go into it, so that changing either one rotates it.
    """
    return [
        sha256(json.dumps([it.authentication, it.encryption]).encode()).digest() for it in secrets
    ]


def _delete_contents(tx: Transaction, actor: Actor, project: str, now: datetime) -> None:
    # The store's transactions have the parts of both packages.
    delete_contents(cast("content.Transaction", tx), Mover(actor=actor, now=now), project)
