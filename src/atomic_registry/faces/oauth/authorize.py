"""The authorization endpoint: who is it, may the client, and back to the client.

Source: RFC 6749 section 4.1 and 4.2, RFC 9207, OpenShift Origin for the challenge flow.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from atomic_registry.errors import CredentialsRejected, GrantRefused, ParameterInvalid
from atomic_registry.faces.oauth.challenge import read_basic, unauthorized
from atomic_registry.faces.oauth.logins import Logins, takes_passwords
from atomic_registry.faces.oauth.options import OAuthOptions
from atomic_registry.faces.oauth.pages import (
    Pages,
    local_path,
    read_form,
    redirect,
    set_cookie,
    with_parameters,
)
from atomic_registry.faces.oauth.proxies import AUTHORIZE_PATH, ProxyLogins
from atomic_registry.faces.oauth.sessions import Session, Sessions, without_user
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.consent import ConsentService, GrantMethod
from atomic_registry.identity.grants import CodeRequest, GrantService
from atomic_registry.identity.oauth_clients import (
    CHALLENGING,
    check_client_scopes,
    get_redirect,
    redirect_source,
)
from atomic_registry.identity.oauth_scopes import parse_scopes
from atomic_registry.identity.pkce import check_challenge
from atomic_registry.identity.records import OAuthClient
from atomic_registry.web.messages import Query, Request, Response

_PARAMETERS = (
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
)
_MAX_STATE_LENGTH = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where the answer goes; it has been compared with what the client registered."""

    client: OAuthClient
    redirect_uri: str
    state: str | None
    is_implicit: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that may be granted."""

    to: Destination
    scopes: tuple[str, ...]
    challenge: str
    path: str
    """The path and query that ask the same again."""


class AuthorizeHandlers:
    """GET and POST of the endpoint, and the answer of the approval page."""

    def __init__(
        self,
        grants: GrantService,
        consent: ConsentService,
        logins: Logins,
        *,
        sessions: Sessions,
        pages: Pages,
        options: OAuthOptions,
    ) -> None:
        self._grants = grants
        self._consent = consent
        self._logins = logins
        self._proxies = ProxyLogins(logins, options)
        self._sessions = sessions
        self._pages = pages
        self._issuer = options.issuer

    async def get(self, request: Request) -> Response:
        return await self._authorize(request, request.query)

    async def post(self, request: Request) -> Response:
        return await self._authorize(request, await read_form(request))

    async def approve(self, request: Request) -> Response:
        """Take the answer of the approval page."""
        form = await read_form(request)
        session = self._sessions.read(request)
        then = local_path(form.get("then") or "")
        is_live = bool(session.user) and not await self._grants.is_used_session(session.id)
        if not is_live or not session.check_csrf(form.get("csrf")):
            return redirect(with_parameters("/login", then=then, reason="token_expired"))
        asked = await self._ask_again(then)
        if form.get("action") != "approve":
            cookie = self._sessions.cookie(without_user(session))
            refusal = GrantRefused(code="access_denied", reason="the user refused")
            return redirect(self._refuse(asked.to, refusal), cookie=cookie)
        given = set(form.get_all("scope"))
        scopes = [scope for scope in asked.scopes if scope in given]
        if not scopes:
            raise ParameterInvalid(parameter="scope", value="", reason="none was approved")
        await self._consent.record(session.actor, asked.to.client, scopes)
        return redirect(_with_scope(asked.path, scopes))

    async def form_targets(self, then: str) -> list[str]:
        """Return where a form that leads to `then` may end: the redirect URI of its client."""
        if urlsplit(then).path != AUTHORIZE_PATH:
            return []
        try:
            to = await self._destination(_query_of(then))
        except (GrantRefused, ParameterInvalid):
            return []
        return [redirect_source(to.redirect_uri)]

    async def _authorize(self, request: Request, query: Query) -> Response:
        to = await self._destination(query)
        try:
            asked = self._check(to, query)
            if to.client.respond_with_challenges:
                return await self._challenge(request, asked)
            return await self._with_session(request, asked)
        except GrantRefused as refusal:
            # RFC 6749 4.1.2.1: once it is sure where to, errors go to the client.
            return redirect(self._refuse(to, refusal))

    async def _destination(self, query: Query) -> Destination:
        name = query.get("client_id")
        if not name:
            raise GrantRefused(code="invalid_request", reason="client_id is missing")
        try:
            client = await self._grants.get_client(name)
        except GrantRefused as error:
            raise GrantRefused(
                code="unauthorized_client", reason=f"there is no client {name[:100]!r}"
            ) from error
        state = query.get("state")
        if state is not None and len(state) > _MAX_STATE_LENGTH:
            raise ParameterInvalid(parameter="state", value=state, reason="it is too long")
        return Destination(
            client=client,
            redirect_uri=get_redirect(client, query.get("redirect_uri")),
            state=state,
            is_implicit=query.get("response_type") == "token" and name == CHALLENGING,
        )

    def _check(self, to: Destination, query: Query) -> Asked:
        kind = query.get("response_type")
        if kind == "token" and not to.is_implicit:
            reason = "tokens in URLs are for openshift-challenging-client only: use code with PKCE"
            raise GrantRefused(code="unauthorized_client", reason=reason)
        if kind not in {"code", "token"}:
            raise GrantRefused(
                code="unsupported_response_type", reason="response_type must be code"
            )
        if query.get("response_mode") not in {None, "query" if kind == "code" else "fragment"}:
            raise GrantRefused(code="invalid_request", reason="this response_mode is not supported")
        challenge = ""
        if kind == "code":
            challenge = check_challenge(
                to.client, query.get("code_challenge"), query.get("code_challenge_method")
            )
        scopes = check_client_scopes(to.client, parse_scopes(query.get("scope") or ""))
        values = {name: value for name in _PARAMETERS if (value := query.get(name)) is not None}
        path = f"{AUTHORIZE_PATH}?{urlencode(values)}"
        return Asked(to=to, scopes=scopes, challenge=challenge, path=path)

    async def _challenge(self, request: Request, asked: Asked) -> Response:
        place = self._proxies.challenge_url(request, asked.path)
        if place is not None:
            return redirect(place)
        if not request.headers.get("X-CSRF-Token"):
            # Without it a page of any site could make a browser show its password dialogue, or
            # send the password that it remembers.
            return unauthorized(
                "A non-empty X-CSRF-Token header is required to receive basic-auth challenges"
            )
        actor = await self._proxies.find_program(request)
        if actor is None:
            return await self._challenge_password(request, asked)
        return await self._grant(actor, asked, session=None)

    async def _challenge_password(self, request: Request, asked: Asked) -> Response:
        if not any(it.challenge and takes_passwords(it.provider) for it in self._logins.providers):
            return unauthorized(
                f"You must obtain an API token by visiting {self._issuer}/oauth/token/request"
            )
        credentials = read_basic(request.headers.get("Authorization", ""))
        if credentials is None:
            return unauthorized()
        try:
            actor = await self._logins.login(*credentials, address=request.remote)
        except CredentialsRejected:
            return unauthorized()
        return await self._grant(actor, asked, session=None)

    async def _with_session(self, request: Request, asked: Asked) -> Response:
        session = self._sessions.read(request)
        actor = await self._proxies.find_browser(request)
        if actor is not None:
            session = self._sessions.logged_in(session, actor)
        elif not session.user or await self._grants.is_used_session(session.id):
            return redirect(with_parameters("/login", then=asked.path))
        return await self._grant(session.actor, asked, session=session)

    async def _grant(self, actor: Actor, asked: Asked, *, session: Session | None) -> Response:
        method = self._consent.method_of(asked.to.client)
        if method is GrantMethod.DENY:
            raise GrantRefused(code="access_denied", reason="this client may not get tokens")
        if method is GrantMethod.PROMPT and not await self._consent.covers(
            actor, asked.to.client, asked.scopes
        ):
            if session is None:
                raise GrantRefused(code="access_denied", reason="approve this client in a browser")
            return self._approval_page(asked, session)
        location = await self._issue(actor, asked, session)
        cookie = None if session is None else self._sessions.cookie(without_user(session))
        return redirect(location, cookie=cookie)

    async def _issue(self, actor: Actor, asked: Asked, session: Session | None) -> str:
        to = asked.to
        used = "" if session is None else session.id
        if to.is_implicit:
            issued = await self._grants.issue_token(actor, to.client, asked.scopes, session=used)
            values = {"access_token": issued.access_token, "token_type": "Bearer"}
            if issued.expires_in_seconds is not None:
                values["expires_in"] = str(issued.expires_in_seconds)
            return self._answer(to, {**values, "scope": " ".join(issued.scopes)})
        code = await self._grants.issue_code(
            actor,
            CodeRequest(
                client=to.client,
                redirect_uri=to.redirect_uri,
                scopes=asked.scopes,
                challenge=asked.challenge,
                session=used,
            ),
        )
        return self._answer(to, {"code": code})

    def _refuse(self, to: Destination, refusal: GrantRefused) -> str:
        return self._answer(to, {"error": refusal.code, "error_description": refusal.message})

    def _answer(self, to: Destination, values: Mapping[str, str]) -> str:
        """Return the redirect URI with an answer; secrets that last go into the fragment."""
        pairs = {**values}
        if to.state is not None:
            pairs["state"] = to.state
        if to.is_implicit:
            return f"{to.redirect_uri}#{urlencode(pairs)}"
        pairs["iss"] = self._issuer
        mark = "&" if "?" in to.redirect_uri else "?"
        return f"{to.redirect_uri}{mark}{urlencode(pairs)}"

    def _approval_page(self, asked: Asked, session: Session) -> Response:
        values = {
            "client": asked.to.client.metadata.name,
            "user": session.user,
            "scopes": asked.scopes,
            "redirect_uri": asked.to.redirect_uri,
            "then": asked.path,
            "csrf": session.csrf,
        }
        targets = [redirect_source(asked.to.redirect_uri)]
        page = self._pages.render("approve.html", values, form_targets=targets)
        return set_cookie(page, self._sessions.cookie(session))

    async def _ask_again(self, then: str) -> Asked:
        if urlsplit(then).path != AUTHORIZE_PATH:
            raise ParameterInvalid(parameter="then", value=then, reason="it asks for no approval")
        query = _query_of(then)
        return self._check(await self._destination(query), query)


def _with_scope(path: str, scopes: list[str]) -> str:
    pairs = dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))
    return f"{AUTHORIZE_PATH}?{urlencode({**pairs, 'scope': ' '.join(scopes)})}"


def _query_of(path: str) -> Query:
    return Query(parse_qsl(urlsplit(path).query, keep_blank_values=True, max_num_fields=50))
