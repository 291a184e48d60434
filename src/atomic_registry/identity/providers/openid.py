"""Logs people in at an OpenID Connect provider: code flow with PKCE, nonce and verified ID token."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from atomic_registry.clock import Clock
from atomic_registry.errors import ProviderFailed
from atomic_registry.identity.ports import HttpClient, Person
from atomic_registry.identity.providers.code_flow import CodeFlow, text_of
from atomic_registry.identity.providers.id_tokens import IdTokenInvalid, IdTokenVerifier, KeyRing
from atomic_registry.identity.providers.openid_claims import (
    OpenIdClaims,
    find_person,
    lacks_something,
    merge,
)

DISCOVERY_SECONDS = 3600
_WELL_KNOWN = "/.well-known/openid-configuration"
# What this flow sets itself; an option that changed it would break its checks.
_OWN_PARAMETERS = frozenset(
    {
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "nonce",
        "redirect_uri",
        "request",
        "request_uri",
        "response_mode",
        "response_type",
        "scope",
        "state",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdUrls:
    """The provider's endpoints; what is empty is discovered."""

    authorize: str = ""
    token: str = ""
    user_info: str = ""
    keys: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdOptions:
    """What the administrator says about one provider.

    `required_claims` must stand in the ID token with exactly these values.
    """

    name: str
    issuer: str
    client_id: str
    client_secret: str = ""
    urls: OpenIdUrls = field(default_factory=OpenIdUrls)
    claims: OpenIdClaims = field(default_factory=OpenIdClaims)
    extra_scopes: tuple[str, ...] = ()
    extra_authorize_parameters: Mapping[str, str] = field(default_factory=dict)
    required_claims: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Endpoints:
    authorize: str
    token: str
    keys: str
    user_info: str = ""
    basic: bool = True
    names_issuer: bool = False


class OpenIdProvider:
    """A `RedirectProvider` for one issuer."""

    def __init__(self, options: OpenIdOptions, *, http: HttpClient, clock: Clock) -> None:
        """Check the options.

        Raises:
            ValueError: they cannot work; the text says what to change.
        """
        _check(options)
        self._options = options
        self._http = http
        self._clock = clock
        self._endpoints: _Endpoints | None = None
        self._discovered_at = 0.0
        self._verifier = IdTokenVerifier(
            issuer=options.issuer,
            client_id=options.client_id,
            keys=KeyRing(self._fetch_keys, clock),
            clock=clock,
        )

    @property
    def name(self) -> str:
        return self._options.name

    async def begin(self, *, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        endpoints = await self._discover()
        scopes = dict.fromkeys(("openid", *self._options.extra_scopes))
        parameters = {
            **self._options.extra_authorize_parameters,
            "scope": " ".join(scopes),
            "redirect_uri": redirect_uri,
            "state": state,
            "nonce": nonce,
        }
        return self._flow(endpoints).authorize_url(
            endpoints.authorize, parameters, verifier=verifier
        )

    async def complete(
        self, parameters: Mapping[str, str], *, redirect_uri: str, nonce: str, verifier: str
    ) -> Person | None:
        endpoints = await self._discover()
        self._check_issuer(parameters, endpoints)
        flow = self._flow(endpoints)
        code = flow.find_code(parameters)
        if code is None:
            return None
        tokens = await flow.exchange(
            endpoints.token, code=code, redirect_uri=redirect_uri, verifier=verifier
        )
        if tokens is None:
            return None
        try:
            claims = await self._verifier.verify(text_of(tokens, "id_token"), nonce=nonce)
        except IdTokenInvalid as error:
            raise self._failed(f"its ID token is refused: {error}") from error
        if any(claims.get(key) != value for key, value in self._options.required_claims.items()):
            return None
        if self._needs_user_info(claims, endpoints):
            claims = await self._add_user_info(
                claims, flow, endpoints.user_info, text_of(tokens, "access_token")
            )
        person = find_person(claims, self._options.claims)
        if person is None:
            wanted = ", ".join(self._options.claims.id)
            raise self._failed(f"it says nothing usable in the claims {wanted}")
        return person

    def _check_issuer(self, parameters: Mapping[str, str], endpoints: _Endpoints) -> None:
        # RFC 9207: the browser may come back from a provider that another one was mixed up with.
        given = parameters.get("iss")
        if given is None and not endpoints.names_issuer:
            return
        if given != self._options.issuer:
            raise self._failed("the browser came back from another issuer")

    def _flow(self, endpoints: _Endpoints) -> CodeFlow:
        return CodeFlow(
            provider=self._options.name,
            client_id=self._options.client_id,
            client_secret=self._options.client_secret,
            http=self._http,
            basic=endpoints.basic,
        )

    async def _discover(self) -> _Endpoints:
        now = self._clock.monotonic()
        known = self._endpoints
        if known is not None and now - self._discovered_at < DISCOVERY_SECONDS:
            return known
        urls = self._options.urls
        endpoints = (
            _Endpoints(
                authorize=urls.authorize, token=urls.token, keys=urls.keys, user_info=urls.user_info
            )
            if urls.authorize and urls.token and urls.keys
            else await self._ask_for_endpoints()
        )
        self._endpoints, self._discovered_at = endpoints, now
        return endpoints

    async def _ask_for_endpoints(self) -> _Endpoints:
        document = await self._get_document(
            self._options.issuer.rstrip("/") + _WELL_KNOWN, "its discovery"
        )
        if document.get("issuer") != self._options.issuer:
            raise self._failed("its discovery names another issuer; compare the option 'issuer'")
        urls = self._options.urls
        methods = document.get("token_endpoint_auth_methods_supported")
        endpoints = _Endpoints(
            authorize=urls.authorize or text_of(document, "authorization_endpoint"),
            token=urls.token or text_of(document, "token_endpoint"),
            keys=urls.keys or text_of(document, "jwks_uri"),
            user_info=urls.user_info or text_of(document, "userinfo_endpoint"),
            basic=not isinstance(methods, list)
            or "client_secret_basic" in methods
            or "client_secret_post" not in methods,
            names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        )
        if not (endpoints.authorize and endpoints.token and endpoints.keys):
            raise self._failed("its discovery lacks an endpoint")
        # The browser goes there with the person's password; what this server itself asks is
        # subject to the client's own rules.
        if not _is_secure(endpoints.authorize, like=self._options.issuer):
            raise self._failed("its authorization endpoint is not https")
        return endpoints

    async def _fetch_keys(self) -> Mapping[str, object]:
        endpoints = await self._discover()
        return await self._get_document(endpoints.keys, "its key set")

    async def _get_document(self, url: str, what: str) -> Mapping[str, object]:
        flow = CodeFlow(
            provider=self._options.name, client_id="", client_secret="", http=self._http
        )
        answer = await flow.send("GET", url, headers={"Accept": "application/json"})
        flow.expect_ok(answer, what)
        return flow.document(answer)

    def _needs_user_info(self, claims: Mapping[str, object], endpoints: _Endpoints) -> bool:
        if self._options.urls.user_info:
            return True
        return bool(endpoints.user_info) and lacks_something(claims, self._options.claims)

    async def _add_user_info(
        self, claims: Mapping[str, object], flow: CodeFlow, url: str, access_token: str
    ) -> Mapping[str, object]:
        answer = await flow.get(url, access_token)
        flow.expect_ok(answer, "its user info")
        more = flow.document(answer)
        # OpenID Connect Core 5.3.2: without this somebody else's answer could be slipped in.
        if more.get("sub") != claims["sub"]:
            raise self._failed("its user info is about somebody else")
        return merge(claims, more)

    def _failed(self, reason: str) -> ProviderFailed:
        return ProviderFailed(provider=self._options.name, reason=reason)


def _check(options: OpenIdOptions) -> None:
    where = f"identity provider {options.name}"
    if urlsplit(options.issuer).scheme not in {"https", "http"}:
        raise ValueError(
            f"{where}: set 'issuer' to the https URL that the provider calls itself; "
            "without it nobody can tell whose ID tokens are believed"
        )
    if not options.client_id:
        raise ValueError(f"{where}: set 'clientID'")
    if not options.claims.id:
        raise ValueError(f"{where}: name at least one claim in 'claims.id', for example sub")
    clashing = sorted(_OWN_PARAMETERS & set(options.extra_authorize_parameters))
    if clashing:
        raise ValueError(
            f"{where}: 'extraAuthorizeParameters' may not set {', '.join(clashing)}; remove it"
        )
    if options.urls.authorize and not _is_secure(options.urls.authorize, like=options.issuer):
        raise ValueError(f"{where}: 'urls.authorize' must be https")


def _is_secure(url: str, *, like: str) -> bool:
    scheme = urlsplit(url).scheme
    return scheme == "https" or (scheme == "http" and urlsplit(like).scheme == "http")
