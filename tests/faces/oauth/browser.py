"""The OAuth face in process, and a browser with one cookie jar."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from atomic_registry.errors import CredentialsRejected, LoginRefused, ProviderFailed, TooMany
from atomic_registry.faces.oauth import routes
from atomic_registry.faces.oauth.options import OAuthOptions
from atomic_registry.faces.oauth.routes import OAuthHandlers, OAuthServices
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.consent import ConsentService, GrantMethod
from atomic_registry.identity.device_grants import DeviceGrantService
from atomic_registry.identity.grants import GrantService
from atomic_registry.identity.oauth_clients import ensure_default_clients
from atomic_registry.identity.pkce import challenge_of
from atomic_registry.identity.policy import OpenPolicy
from atomic_registry.identity.ports import (
    HeaderProvider,
    PasswordProvider,
    Person,
    RedirectProvider,
)
from atomic_registry.identity.records import OAuthClient
from atomic_registry.identity.tokens import TokenService
from atomic_registry.kube.objects import ObjectMeta
from atomic_registry.web.endpoint import Router
from atomic_registry.web.guard import Face, Guard, NobodyKnown
from atomic_registry.web.messages import Request, Response
from atomic_registry.web.metrics import HttpMetrics
from atomic_registry.web.target import read_target
from tests.kit.bodies import BytesBody
from tests.kit.clock import ManualClock
from tests.kit.identity_store import MemoryIdentityStore

ISSUER = "https://registry.test:8443"
ALIAS = "https://192.0.2.7:8443"
CONSOLE = "https://registry.test:9090"
KEY = b"k" * 32
VERIFIER = "v" * 43
FORM = "application/x-www-form-urlencoded"


@dataclass
class Passwords:
    name: str = "local"

    async def authenticate(self, username: str, password: str) -> Person | None:
        return Person(id=username)


@dataclass
class Elsewhere:
    """A provider that keeps what it was asked and recognises carol."""

    name: str = "elsewhere"
    asked: dict[str, str] = field(default_factory=dict)

    async def begin(self, *, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        self.asked = {"uri": redirect_uri, "state": state, "nonce": nonce, "verifier": verifier}
        return f"https://idp.test/authorize?state={state}"

    async def complete(
        self, parameters: object, *, redirect_uri: str, nonce: str, verifier: str
    ) -> Person | None:
        assert (redirect_uri, nonce, verifier) == (
            self.asked["uri"],
            self.asked["nonce"],
            self.asked["verifier"],
        )
        assert isinstance(parameters, dict)
        return None if "error" in parameters else Person(id="carol")


@dataclass
class Offered:
    provider: PasswordProvider | RedirectProvider | HeaderProvider
    challenge: bool = True
    login: bool = True


@dataclass
class FakeLogins:
    providers: Sequence[Offered]
    addresses: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def login(
        self, username: str, password: str, *, address: str, provider: str = ""
    ) -> Actor:
        self.addresses.append(address)
        self.asked.append(provider)
        match username:
            case "throttled":
                raise TooMany(what="failed logins", limit=10, retry_after_seconds=60)
            case "claimed":
                raise LoginRefused(code="mapping_claim_error", reason="taken")
            case "broken":
                raise ProviderFailed(provider="local", reason="down")
            case _ if password != f"{username}-password":
                raise CredentialsRejected
        return Actor(name=username)

    async def admit(self, provider_name: str, person: Person) -> Actor:
        return Actor(name=person.id)


@dataclass
class Server:
    """Everything behind the guard."""

    store: MemoryIdentityStore
    clock: ManualClock
    tokens: TokenService
    grants: GrantService
    logins: FakeLogins
    handlers: OAuthHandlers
    guard: Guard

    async def add_client(self, name: str, **fields: object) -> None:
        client = OAuthClient(metadata=ObjectMeta(name=name), **fields)  # type: ignore[arg-type]
        now = self.clock.now()
        await self.store.write(lambda tx: tx.objects.add(client, actor="root", now=now))


async def make_server(
    *,
    providers: Sequence[PasswordProvider | RedirectProvider] = (),
    templates: dict[str, Path] | None = None,
    offered: Sequence[Offered] | None = None,
) -> Server:
    clock = ManualClock()
    store = MemoryIdentityStore()
    now = clock.now()
    await store.write(lambda tx: ensure_default_clients(tx, [ISSUER, ALIAS], [CONSOLE], now=now))
    tokens = TokenService(store, clock)
    grants = GrantService(store, tokens, clock)
    logins = FakeLogins(offered or [Offered(it) for it in providers or (Passwords(),)])
    services = OAuthServices(
        grants=grants,
        devices=DeviceGrantService(store, tokens, grants, clock),
        consent=ConsentService(store, clock, default=GrantMethod.AUTO),
        tokens=tokens,
        logins=logins,
    )
    options = OAuthOptions(
        issuer=ISSUER, aliases=(ALIAS,), session_keys=(KEY,), templates=templates or {}
    )
    handlers = OAuthHandlers(services, options, clock)
    face = Face(
        name="oauth",
        router=Router(routes.endpoints(handlers), routes.CONVERTERS),
        render_error=handlers.errors.render_error,
        render_internal=handlers.errors.render_internal,
        default_headers={},
    )
    metrics = HttpMetrics(((row[0], row[1]) for row in routes.ROWS), workers=1)
    metrics.attach(0)
    guard = Guard(
        face,
        OpenPolicy(),
        NobodyKnown(),
        metrics=metrics,
        clock=clock,
    )
    return Server(store, clock, tokens, grants, logins, handlers, guard)


class Browser:
    """Keeps one cookie, follows redirects within the server, as long as its name stays the same."""

    def __init__(self, server: Server, url: str = ISSUER) -> None:
        self.server = server
        self.url = url
        self.cookie = ""
        self.certificate = b""

    async def send(
        self,
        method: str,
        target: str,
        *,
        form: dict[str, str] | Sequence[tuple[str, str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Response:
        path, query = read_target(target.removeprefix(self.url))
        sent = {"Host": self.url.removeprefix("https://"), **(headers or {})}
        if self.cookie:
            sent["Cookie"] = f"other=1; {self.cookie}"
        body = b""
        if form is not None:
            sent["Content-Type"] = FORM
            body = urlencode(form).encode()
        request = Request(
            method=method,
            path=path,
            query=query,
            headers=sent,
            body=BytesBody(body),
            id="request-1",
            remote="192.0.2.7",
            scheme="https",
            peer_certificate=self.certificate,
        )
        response = await self.server.guard.serve(request)
        cookie = response.headers.get("Set-Cookie")
        if cookie is not None:
            assert "HttpOnly; Secure; SameSite=Lax" in cookie
            assert cookie.startswith("__Host-ssn=")
            self.cookie = cookie.partition(";")[0]
        return response

    async def get(self, target: str, **headers: str) -> Response:
        return await self.send(
            "GET", target, headers={key.replace("_", "-"): it for key, it in headers.items()}
        )

    async def post(self, target: str, **form: str) -> Response:
        return await self.send("POST", target, form=form)

    async def follow(self, response: Response) -> Response:
        """Go where redirects lead as long as they stay here."""
        for _ in range(10):
            location = response.headers.get("Location", "")
            if response.status != 302 or not (location.startswith(("/", f"{self.url}/"))):
                return response
            response = await self.get(location)
        raise AssertionError("too many redirects")

    async def log_in(self, page: Response, user: str = "mary") -> Response:
        """Fill in the login page."""
        values = fields_of(page)
        values |= {"username": user, "password": f"{user}-password"}
        return await self.send("POST", "/login", form=values)


def fields_of(page: Response) -> dict[str, str]:
    """The hidden fields of a page."""
    assert isinstance(page.body, bytes)
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.body.decode())
    return {name: value.replace("&amp;", "&") for name, value in found}


def text_of(page: Response) -> str:
    assert isinstance(page.body, bytes)
    return page.body.decode()


def json_of(body: object) -> Any:
    """What a JSON body holds."""
    assert isinstance(body, bytes)
    return msgspec.json.decode(body)


def query_of(response: Response) -> dict[str, str]:
    """What a redirect says in its query."""
    return dict(parse_qsl(urlsplit(response.headers["Location"]).query))


def fragment_of(response: Response) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(response.headers["Location"]).fragment))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def authorize_path(client: str, redirect_uri: str, **more: str) -> str:
    values = {
        "client_id": client,
        "redirect_uri": redirect_uri,
        "response_type": "code",
        "state": "s-1",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
    }
    return "/oauth/authorize?" + urlencode({**values, **more})


async def get_code(browser: Browser, path: str, user: str = "mary") -> str:
    """Log in for an authorization and return its code."""
    page = await browser.follow(await browser.get(path))
    done = await browser.follow(await browser.log_in(page, user))
    assert done.status == 302, done
    return query_of(done)["code"]
