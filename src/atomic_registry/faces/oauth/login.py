"""Login in a browser: choice of a provider, password page, way to other providers and back."""

import hmac
from collections.abc import Awaitable, Callable

from atomic_registry.errors import (
    CredentialsRejected,
    DomainError,
    LoginRefused,
    ObjectUnknown,
    ProviderFailed,
    TooMany,
)
from atomic_registry.faces.oauth.logins import (
    AnyProvider,
    Logins,
    OfferedProvider,
    redirects,
    sends_headers,
    takes_passwords,
)
from atomic_registry.faces.oauth.options import OAuthOptions
from atomic_registry.faces.oauth.pages import (
    Pages,
    local_path,
    read_form,
    redirect,
    set_cookie,
    with_parameters,
)
from atomic_registry.faces.oauth.proxies import ProxyLogins
from atomic_registry.faces.oauth.sessions import Session, Sessions, with_flow
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.grants import GrantService
from atomic_registry.web.messages import Request, Response

_CALLBACK_PARAMETERS = (
    "code",
    "state",
    "error",
    "error_description",
    "error_uri",
    "iss",
    "scope",
    "session_state",
)
_TEXTS = {
    "user_required": "Login is required. Please try again.",
    "token_expired": "The form has expired. Please try again.",
    "access_denied": "Invalid login or password. Please try again.",
    "mapping_claim_error": "Could not create user: the name belongs to another login.",
    "mapping_lookup_error": "Could not find user.",
    "too_many": "Too many failed logins. Wait a while, then try again.",
    "authentication_error": "An authentication error occurred. Please try again later.",
    "grant_error": "The grant failed. Please try again.",
}
_AFTER_LOGIN = "/oauth/token/request"


class LoginHandlers:
    """`form_targets` tells where the client waits that a login is for."""

    def __init__(
        self,
        logins: Logins,
        grants: GrantService,
        form_targets: Callable[[str], Awaitable[list[str]]],
        *,
        sessions: Sessions,
        pages: Pages,
        options: OAuthOptions,
    ) -> None:
        self._logins = logins
        self._proxies = ProxyLogins(logins, options)
        self._grants = grants
        self._form_targets = form_targets
        self._sessions = sessions
        self._pages = pages
        self._options = options

    async def choose(self, request: Request) -> Response:
        """Show the choice of providers, or go on at once where there is none."""
        then = _then(request.query.get("then"))
        reason = request.query.get("reason") or ""
        actor = await self._proxies.find_browser(request)
        if actor is not None:
            return self._logged_in(self._sessions.read(request), actor, then)
        names = [it.provider.name for it in self._offered()]
        if len(names) == 1 and not self._options.always_shows_selection:
            return await self._begin(request, names[0], then, reason)
        values = {
            "providers": [
                {"name": name, "url": with_parameters(f"/login/{name}", then=then)}
                for name in names
            ],
            "error": _TEXTS.get(reason, ""),
        }
        return self._pages.render("selection.html", values)

    async def begin(self, request: Request) -> Response:
        """Show the password page of a provider, or send the browser to it."""
        then = _then(request.query.get("then"))
        reason = request.query.get("reason") or ""
        name = request.parameters["provider"]
        actor = await self._proxies.find_browser(request, name)
        if actor is not None:
            return self._logged_in(self._sessions.read(request), actor, then)
        return await self._begin(request, name, then, reason)

    async def submit(self, request: Request) -> Response:
        """Take the password page."""
        form = await read_form(request)
        name = request.parameters.get("provider") or self._first_password_provider()
        if not takes_passwords(self._get(name)):
            raise ObjectUnknown(kind="identity provider with passwords", name=name)
        then = _then(form.get("then"))
        session = self._sessions.read(request)
        username, password = form.get("username") or "", form.get("password") or ""
        if not session.check_csrf(form.get("csrf")):
            return await self._page(session, name, then, "token_expired", username=username)
        if not username or not password:
            return await self._page(session, name, then, "user_required", username=username)
        try:
            actor = await self._logins.login(
                username, password, address=request.remote, provider=name
            )
        except (CredentialsRejected, TooMany, LoginRefused, ProviderFailed) as error:
            code = _code_of(error)
            return await self._page(session, name, then, code, username=username)
        return self._logged_in(session, actor, then)

    async def callback(self, request: Request) -> Response:
        """Take what another provider sends back."""
        session = self._sessions.read(request)
        name = request.parameters["provider"]
        expected = session.flow.get("login_state", "")
        state = request.query.get("state") or ""
        # The provider must be the one that was asked, or one could speak for another.
        is_ours = bool(expected) and hmac.compare_digest(expected.encode(), state.encode())
        if not is_ours or session.flow.get("login_provider") != name:
            return redirect(with_parameters("/login", then=_AFTER_LOGIN, reason="token_expired"))
        then = local_path(session.flow["login_then"])
        try:
            actor = await self._complete(request, session, name)
        except (CredentialsRejected, LoginRefused, ProviderFailed) as error:
            if len(self._offered()) == 1:
                # The only provider would be asked again at once, round and round.
                raise
            location = with_parameters("/login", then=then, reason=_code_of(error))
            return redirect(location, cookie=self._sessions.drop())
        return self._logged_in(session, actor, then)

    async def _complete(self, request: Request, session: Session, name: str) -> Actor:
        provider = self._get(name)
        if not redirects(provider):
            raise ObjectUnknown(kind="identity provider", name=name)
        query = request.query
        found = {
            key: value for key in _CALLBACK_PARAMETERS if (value := query.get(key)) is not None
        }
        person = await provider.complete(
            found,
            redirect_uri=self._callback_url(name),
            nonce=session.flow["login_nonce"],
            verifier=session.flow["login_verifier"],
        )
        if person is None:
            raise CredentialsRejected(what="the answer of the identity provider is")
        return await self._logins.admit(name, person)

    async def logout_page(self, request: Request) -> Response:
        session = self._sessions.read(request)
        page = self._pages.render("logout.html", {"csrf": session.csrf, "is_done": False})
        return set_cookie(page, self._sessions.cookie(session))

    async def logout(self, request: Request) -> Response:
        """End the browser's session; a bearer token that comes along is revoked."""
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            await self._grants.end_login(secret.strip())
            return Response(status=204, headers={"Cache-Control": "no-store"})
        session = self._sessions.read(request)
        form = await read_form(request)
        if not session.check_csrf(form.get("csrf")):
            return await self.logout_page(request)
        page = self._pages.render("logout.html", {"csrf": "", "is_done": True})
        return set_cookie(page, self._sessions.drop())

    async def _begin(self, request: Request, name: str, then: str, reason: str) -> Response:
        provider = self._get(name)
        if sends_headers(provider):
            place = self._proxies.login_url(request, provider, then)
            if place is None:
                raise ObjectUnknown(kind="login page of identity provider", name=name)
            return redirect(place)
        session = self._sessions.read(request)
        if not redirects(provider):
            return await self._page(session, name, then, reason)
        state, nonce, verifier = (self._sessions.new_secret() for _ in range(3))
        location = await provider.begin(
            redirect_uri=self._callback_url(name), state=state, nonce=nonce, verifier=verifier
        )
        session = with_flow(
            session,
            login_state=state,
            login_nonce=nonce,
            login_verifier=verifier,
            login_then=then,
            login_provider=name,
        )
        return redirect(location, cookie=self._sessions.cookie(session))

    def _logged_in(self, before: Session, actor: Actor, then: str) -> Response:
        fresh = self._sessions.logged_in(before, actor)
        return redirect(then, cookie=self._sessions.cookie(fresh))

    async def _page(
        self, session: Session, name: str, then: str, code: str, *, username: str = ""
    ) -> Response:
        is_refusal = bool(code)
        values = {
            "action": f"/login/{name}",
            "provider": name,
            "then": then,
            "csrf": session.csrf,
            "username": username,
            "error_code": code if code in _TEXTS else "",
            "error": _TEXTS.get(code, ""),
        }
        targets = await self._form_targets(then)
        status = _STATUS.get(code, 403) if is_refusal else 200
        page = self._pages.render("login.html", values, status=status, form_targets=targets)
        return set_cookie(page, self._sessions.cookie(session))

    def _offered(self) -> list[OfferedProvider]:
        return [it for it in self._logins.providers if it.login]

    def _get(self, name: str) -> AnyProvider:
        for it in self._offered():
            if it.provider.name == name:
                return it.provider
        raise ObjectUnknown(kind="identity provider", name=name)

    def _first_password_provider(self) -> str:
        for it in self._offered():
            if takes_passwords(it.provider):
                return it.provider.name
        raise ObjectUnknown(kind="identity provider", name="with passwords")

    def _callback_url(self, name: str) -> str:
        return f"{self._options.issuer}/oauth2callback/{name}"


_STATUS = {"too_many": 429, "authentication_error": 503}


def _then(text: str | None) -> str:
    return local_path(text) if text else _AFTER_LOGIN


def _code_of(error: DomainError) -> str:
    match error:
        case LoginRefused():
            return error.code
        case CredentialsRejected():
            return "access_denied"
        case TooMany():
            return "too_many"
        case _:
            return "authentication_error"
