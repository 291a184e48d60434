"""Every endpoint of the OAuth server. Anybody may call them: they are how one gets a name."""

from collections.abc import Callable
from dataclasses import dataclass

from atomic_registry.clock import Clock
from atomic_registry.faces.oauth.authorize import AuthorizeHandlers
from atomic_registry.faces.oauth.device import DeviceHandlers
from atomic_registry.faces.oauth.discovery import DiscoveryHandlers
from atomic_registry.faces.oauth.errors import OAuthErrors
from atomic_registry.faces.oauth.login import LoginHandlers
from atomic_registry.faces.oauth.logins import Logins
from atomic_registry.faces.oauth.options import OAuthOptions
from atomic_registry.faces.oauth.pages import Pages
from atomic_registry.faces.oauth.sessions import Sessions
from atomic_registry.faces.oauth.token import TokenHandlers
from atomic_registry.faces.oauth.token_request import TokenRequestHandlers
from atomic_registry.identity.consent import ConsentService
from atomic_registry.identity.device_grants import DeviceGrantService
from atomic_registry.identity.grants import GrantService
from atomic_registry.identity.tokens import TokenService
from atomic_registry.web.endpoint import Access, Converter, Endpoint, Handler

ANYBODY = Access(None)

CONVERTERS: dict[str, Converter] = {"provider": str}


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthServices:
    """What decides; the face only asks."""

    grants: GrantService
    devices: DeviceGrantService
    consent: ConsentService
    tokens: TokenService
    logins: Logins


class OAuthHandlers:
    """The handlers that the rows point at, and what renders their errors."""

    def __init__(self, services: OAuthServices, options: OAuthOptions, clock: Clock) -> None:
        pages = Pages(options)
        sessions = Sessions(options, clock)
        grants = services.grants
        self.errors = OAuthErrors(pages)
        self.authorize = AuthorizeHandlers(
            grants,
            services.consent,
            services.logins,
            sessions=sessions,
            pages=pages,
            options=options,
        )
        self.login = LoginHandlers(
            services.logins,
            grants,
            self.authorize.form_targets,
            sessions=sessions,
            pages=pages,
            options=options,
        )
        self.token = TokenHandlers(
            grants, services.devices, services.tokens, issuer=options.issuer, clock=clock
        )
        self.device = DeviceHandlers(services.devices, grants, sessions=sessions, pages=pages)
        self.token_request = TokenRequestHandlers(
            grants, sessions=sessions, pages=pages, options=options
        )
        self.discovery = DiscoveryHandlers(options.issuer)


ROWS: tuple[tuple[str, str, Access, Callable[[OAuthHandlers], Handler]], ...] = (
    ("GET", "/oauth/authorize", ANYBODY, lambda to: to.authorize.get),
    ("POST", "/oauth/authorize", ANYBODY, lambda to: to.authorize.post),
    ("POST", "/oauth/authorize/approve", ANYBODY, lambda to: to.authorize.approve),
    ("POST", "/oauth/token", ANYBODY, lambda to: to.token.post),
    ("GET", "/oauth/token", ANYBODY, lambda to: to.token.refuse_get),
    ("GET", "/oauth/token/request", ANYBODY, lambda to: to.token_request.start),
    ("GET", "/oauth/token/display", ANYBODY, lambda to: to.token_request.confirm),
    ("POST", "/oauth/token/display", ANYBODY, lambda to: to.token_request.display),
    ("GET", "/oauth/token/implicit", ANYBODY, lambda to: to.token_request.implicit),
    ("POST", "/oauth/device_authorization", ANYBODY, lambda to: to.token.start_device),
    ("GET", "/oauth/device", ANYBODY, lambda to: to.device.get),
    ("POST", "/oauth/device", ANYBODY, lambda to: to.device.post),
    ("POST", "/oauth/revoke", ANYBODY, lambda to: to.token.revoke),
    ("GET", "/oauth/info", ANYBODY, lambda to: to.token.info),
    ("GET", "/oauth/style.css", ANYBODY, lambda to: to.discovery.style),
    ("GET", "/login", ANYBODY, lambda to: to.login.choose),
    ("POST", "/login", ANYBODY, lambda to: to.login.submit),
    ("GET", "/login/{provider}", ANYBODY, lambda to: to.login.begin),
    ("POST", "/login/{provider}", ANYBODY, lambda to: to.login.submit),
    ("GET", "/oauth2callback/{provider}", ANYBODY, lambda to: to.login.callback),
    ("GET", "/logout", ANYBODY, lambda to: to.login.logout_page),
    ("POST", "/logout", ANYBODY, lambda to: to.login.logout),
    (
        "GET",
        "/.well-known/oauth-authorization-server",
        ANYBODY,
        lambda to: to.discovery.metadata,
    ),
)


def endpoints(handlers: OAuthHandlers) -> list[Endpoint]:
    """Return the rows with their handlers."""
    return [Endpoint(method, path, access, pick(handlers)) for method, path, access, pick in ROWS]
