"""The three ways to get a token without pasting one: password, browser, and another device.

Source: RFC 6749 section 4.1, RFC 7636, RFC 8252 section 7.3, RFC 8628, RFC 9207; for passwords
the challenge flow of OpenShift Origin.
"""

import base64
import hmac
import time
import webbrowser
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

import click

from atomic_registry.cli.client import Answer, ApiClient
from atomic_registry.cli.documents import number_at, text_at
from atomic_registry.cli.output import printable
from atomic_registry.clock import Clock
from atomic_registry.identity.oauth_clients import CHALLENGING, CLI, IMPLICIT_PATH
from atomic_registry.identity.pkce import S256, challenge_of

_METADATA_PATH = "/.well-known/oauth-authorization-server"
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_BROWSER_SECONDS = 300.0
_SLOWER_SECONDS = 5
_MAX_INTERVAL_SECONDS = 120
_MAX_DEVICE_SECONDS = 3600
_DONE = b"You are logged in. Close this window and go back to your terminal.\n"
_FAILED = b"The login did not succeed. Your terminal tells more.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One authorization request: what its answer must fit."""

    client: str
    redirect_uri: str
    state: str
    verifier: str

    @classmethod
    def make(cls, clock: Clock, client: str, redirect_uri: str) -> "_Asked":
        return cls(
            client=client,
            redirect_uri=redirect_uri,
            state=clock.new_id(),
            verifier=clock.new_id() + clock.new_id(),
        )

    @property
    def path(self) -> str:
        query = {
            "client_id": self.client,
            "response_type": "code",
            "redirect_uri": self.redirect_uri,
            "state": self.state,
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": S256,
        }
        return f"/oauth/authorize?{urlencode(query)}"


def password_login(client: ApiClient, name: str, password: str, clock: Clock) -> str:
    """Return a token for a name and a password.

    Raises:
        ClickException: they are not right, or passwords are not taken.
    """
    if ":" in name:
        raise click.ClickException(
            "a name with a colon cannot log in with a password; log in with a browser or a token"
        )
    # The redirect is not followed, so that it may name the master as no client here knows it: by
    # localhost, a tunnel or an alias it is reached all the same.
    issuer = text_at(client.send("GET", _METADATA_PATH).document(), "issuer") or client.server
    asked = _Asked.make(clock, CHALLENGING, issuer + IMPLICIT_PATH)
    credentials = base64.b64encode(f"{name}:{password}".encode()).decode()
    # The header keeps pages in browsers from making this request.
    headers = {"X-CSRF-Token": "1", "Authorization": f"Basic {credentials}"}
    answer = client.send("GET", asked.path, headers=headers)
    if answer.status == HTTPStatus.UNAUTHORIZED:
        raise click.ClickException(_refused_login(answer, client.server))
    location = answer.headers.get("location", "")
    if answer.status != HTTPStatus.FOUND or not location:
        raise _failed(client.server, answer)
    return _redeem(client, asked, dict(parse_qsl(urlsplit(location).query)))


def browser_login(client: ApiClient, clock: Clock) -> str:
    """Return a token for whoever logs in with the browser of this machine.

    Raises:
        ClickException: nobody did in time.
    """
    with _Listener() as listener:
        asked = _Asked.make(clock, CLI, listener.url)
        url = client.server + asked.path
        click.echo(f"Log in with your browser at:\n  {url}", err=True)
        click.echo("Without a browser on this machine: login --device", err=True)
        webbrowser.open(url)
        listener.state = asked.state
        end = clock.monotonic() + _BROWSER_SECONDS
        while listener.values is None:
            left = end - clock.monotonic()
            if left <= 0:
                raise click.ClickException("nobody logged in with the browser; start again")
            listener.timeout = left
            listener.handle_request()
        return _redeem(client, asked, listener.values)


def device_login(client: ApiClient, clock: Clock) -> str:
    """Return a token for whoever approves it with any browser.

    Raises:
        ClickException: nobody did in time, or they refused.
    """
    started = client.post_form("/oauth/device_authorization", client_id=CLI)
    told = started.document()
    secret = text_at(told, "device_code")
    if started.status != HTTPStatus.OK or not secret:
        raise _failed(client.server, started)
    click.echo(
        f"Open {printable(text_at(told, 'verification_uri'))} on any device, log in and enter "
        f"the code {printable(text_at(told, 'user_code'))}",
        err=True,
    )
    interval = max(1, number_at(told, "interval", default=5))
    life = min(number_at(told, "expires_in", default=600), _MAX_DEVICE_SECONDS)
    end = clock.monotonic() + life
    while clock.monotonic() < end:
        time.sleep(min(interval, _MAX_INTERVAL_SECONDS))
        answer = client.post_form(
            "/oauth/token", grant_type=_DEVICE_GRANT, client_id=CLI, device_code=secret
        )
        match text_at(answer.document(), "error"):
            case "authorization_pending":
                continue
            case "slow_down":
                interval += _SLOWER_SECONDS
            case _:
                return _token_of(client, answer)
    raise click.ClickException("nobody entered the code in time; start again")


class _Listener(HTTPServer):
    """Takes the one redirect that ends a login; whatever else arrives is refused."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Callback)
        self.state = ""
        self.values: dict[str, str] | None = None

    @property
    def url(self) -> str:
        """Where the browser is sent to."""
        return f"http://127.0.0.1:{self.server_address[1]}/callback"

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore browsers that open connections and go away."""


class _Callback(BaseHTTPRequestHandler):
    timeout = 5
    server: _Listener

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        values = dict(parse_qsl(parts.query))
        state = values.get("state", "").encode()
        is_ours = parts.path == "/callback" and hmac.compare_digest(
            state, self.server.state.encode()
        )
        if not is_ours or not self.server.state:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.server.values = values
        body = _DONE if values.get("code") else _FAILED
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Stay silent: the URL holds a code."""


def _redeem(client: ApiClient, asked: _Asked, values: dict[str, str]) -> str:
    if "error" in values:
        text = printable(values.get("error_description") or values["error"])
        raise click.ClickException(f"{client.server} refused the login: {text}")
    is_ours = hmac.compare_digest(values.get("state", "").encode(), asked.state.encode())
    if not values.get("code") or not is_ours:
        raise click.ClickException(f"{client.server} answered another login than this; start again")
    answer = client.post_form(
        "/oauth/token",
        grant_type="authorization_code",
        client_id=asked.client,
        code=values["code"],
        redirect_uri=asked.redirect_uri,
        code_verifier=asked.verifier,
    )
    return _token_of(client, answer)


def _token_of(client: ApiClient, answer: Answer) -> str:
    token = text_at(answer.document(), "access_token")
    if answer.status != HTTPStatus.OK or not token:
        raise _failed(client.server, answer)
    return token


def _refused_login(answer: Answer, server: str) -> str:
    if answer.headers.get("www-authenticate"):
        return f"{server} refused this name with this password; try again, or login --token"
    return (
        f"{server} takes no passwords from the command line; log in with a browser: "
        f"atomic-registry login {server}"
    )


def _failed(server: str, answer: Answer) -> click.ClickException:
    told = answer.document()
    text = text_at(told, "error_description") or text_at(told, "message") or text_at(told, "error")
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = answer.headers.get("retry-after", "")
        text = f"too many tries; wait {f'{wait} seconds' if wait.isdigit() else 'a while'}"
    return click.ClickException(
        f"{server} did not log you in: {printable(text) or f'it answered {answer.status}'}"
    )
