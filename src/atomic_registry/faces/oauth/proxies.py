"""People whom an authenticating proxy names in headers, and the way to such a proxy.

A header counts only where the provider finds that the connection is its proxy's.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from atomic_registry.errors import CredentialsRejected
from atomic_registry.faces.oauth.logins import Logins, sends_headers
from atomic_registry.faces.oauth.options import OAuthOptions
from atomic_registry.faces.oauth.pages import with_parameters
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.ports import HeaderProvider
from atomic_registry.web.messages import Request

AUTHORIZE_PATH = "/oauth/authorize"


class ProxyLogins:
    """Asks the providers that believe a proxy, in their order."""

    def __init__(self, logins: Logins, options: OAuthOptions) -> None:
        self._logins = logins
        self._issuer = options.issuer

    async def find_browser(self, request: Request, name: str = "") -> Actor | None:
        """Return the person at a browser, with a name only if that provider knows them.

        Raises:
            LoginRefused, CredentialsRejected: they may not have an account here.
        """
        return await self._find(request, self._offered(name))

    async def find_program(self, request: Request) -> Actor | None:
        """Return the person of a program that takes challenges.

        Raises:
            LoginRefused, CredentialsRejected: they may not have an account here.
        """
        return await self._find(request, self._challenging())

    def challenge_url(self, request: Request, path: str) -> str | None:
        """Return where a program that asks for a path has to go to log in."""
        for provider in self._challenging():
            if not provider.is_proxy(request.peer_certificate):
                return provider.challenge_url(self._issuer + path)
        return None

    def login_url(self, request: Request, provider: HeaderProvider, path: str) -> str | None:
        """Return where a browser that asks for a path has to go to log in.

        Raises:
            CredentialsRejected: it comes from there, so it would go round and round.
        """
        if provider.is_proxy(request.peer_certificate):
            raise CredentialsRejected(what="the request of the proxy, which names nobody,")
        if urlsplit(path).path != AUTHORIZE_PATH:
            # The proxy serves the authorization endpoint for sure; what lies elsewhere is asked
            # for again behind this one.
            path = with_parameters(f"/login/{provider.name}", then=path)
        return provider.login_url(self._issuer + path)

    async def _find(self, request: Request, providers: Iterator[HeaderProvider]) -> Actor | None:
        for provider in providers:
            person = provider.recognise(request.headers, request.peer_certificate)
            if person is not None:
                return await self._logins.admit(provider.name, person)
        return None

    def _offered(self, name: str) -> Iterator[HeaderProvider]:
        for it in self._logins.providers:
            provider = it.provider
            if it.login and sends_headers(provider) and name in {"", provider.name}:
                yield provider

    def _challenging(self) -> Iterator[HeaderProvider]:
        for it in self._logins.providers:
            if it.challenge and sends_headers(it.provider):
                yield it.provider
