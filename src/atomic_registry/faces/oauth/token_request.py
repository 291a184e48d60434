"""Pages that give a person a token to paste, and the page where command lines stop.

The code arrives in a URL and is worth nothing without the verifier in the session; the token
itself is shown only in the answer to a form.
"""

import hmac

from atomic_registry.faces.oauth.options import OAuthOptions
from atomic_registry.faces.oauth.pages import (
    Pages,
    read_form,
    redirect,
    set_cookie,
    with_parameters,
)
from atomic_registry.faces.oauth.sessions import Sessions, with_flow
from atomic_registry.identity.grants import GrantService
from atomic_registry.identity.oauth_clients import BROWSER, DISPLAY_PATH
from atomic_registry.identity.pkce import S256, challenge_of
from atomic_registry.web.messages import Request, Response

REQUEST_PATH = "/oauth/token/request"


class TokenRequestHandlers:
    """The server is its own client here, `openshift-browser-client`."""

    def __init__(
        self,
        grants: GrantService,
        *,
        sessions: Sessions,
        pages: Pages,
        options: OAuthOptions,
    ) -> None:
        self._grants = grants
        self._sessions = sessions
        self._pages = pages
        self._options = options

    async def start(self, request: Request) -> Response:
        """Begin the code flow of the browser client."""
        verifier, state = self._sessions.new_secret(), self._sessions.new_secret()
        session = with_flow(
            self._sessions.read(request), display_verifier=verifier, display_state=state
        )
        location = with_parameters(
            "/oauth/authorize",
            client_id=BROWSER,
            redirect_uri=self._options.url_for(request) + DISPLAY_PATH,
            response_type="code",
            state=state,
            code_challenge=challenge_of(verifier),
            code_challenge_method=S256,
        )
        return redirect(location, cookie=self._sessions.cookie(session))

    async def confirm(self, request: Request) -> Response:
        """Ask before the token is shown, so that no link can make it appear on a screen."""
        session = self._sessions.read(request)
        state = request.query.get("state") or ""
        code = request.query.get("code") or ""
        expected = session.flow.get("display_state", "")
        is_ours = bool(expected) and hmac.compare_digest(expected.encode(), state.encode())
        if not is_ours or not code:
            values = {
                "code": request.query.get("error") or "token_expired",
                "message": "No token was made. Ask for one again at "
                + self._options.url_for(request)
                + REQUEST_PATH,
            }
            return self._pages.render("error.html", values, status=400)
        values = {"csrf": session.csrf, "code": code}
        page = self._pages.render("display.html", values)
        return set_cookie(page, self._sessions.cookie(session))

    async def display(self, request: Request) -> Response:
        """Redeem the code and show the token, this once."""
        form = await read_form(request)
        session = self._sessions.read(request)
        verifier = session.flow.get("display_verifier", "")
        if not verifier or not session.check_csrf(form.get("csrf")):
            return redirect(REQUEST_PATH)
        client = await self._grants.get_client(BROWSER)
        issued = await self._grants.redeem_code(
            client,
            code=form.get("code") or "",
            redirect_uri=self._options.url_for(request) + DISPLAY_PATH,
            verifier=verifier,
        )
        values = {
            "token": issued.access_token,
            "user": issued.user,
            "server": self._options.url_for(request),
        }
        page = self._pages.render("token.html", values)
        return set_cookie(page, self._sessions.drop())

    async def implicit(self, request: Request) -> Response:
        """Where the redirect of a command line would lead a browser."""
        return self._pages.render("implicit.html", {"request_path": REQUEST_PATH})
