"""Login sessions: everything is in one cookie, encrypted and authenticated with AES-GCM."""

import base64
import binascii
import contextlib
import hmac
from datetime import timedelta

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from atomic_registry.clock import Clock
from atomic_registry.errors import ParameterInvalid
from atomic_registry.faces.oauth.options import OAuthOptions
from atomic_registry.identity.actors import AUTHENTICATED, AUTHENTICATED_OAUTH, Actor
from atomic_registry.identity.tokens import new_secret
from atomic_registry.web.messages import Request

DISPLAY = "display_"
_MAX_COOKIE = 4000
_NONCE_BYTES = 12


class Session(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one browser is in the middle of; `user` is empty until somebody has logged in.

    `flow` holds what a redirect must find again: states, verifiers, where to go then.
    """

    id: str
    csrf: str
    expires_at: float
    user: str = ""
    uid: str = ""
    flow: dict[str, str] = {}

    @property
    def actor(self) -> Actor:
        """Who is logged in."""
        groups = frozenset({AUTHENTICATED, AUTHENTICATED_OAUTH})
        return Actor(name=self.user, uid=self.uid, groups=groups)

    def check_csrf(self, given: str | None) -> bool:
        """Tell whether a form was made for this session."""
        return given is not None and hmac.compare_digest(self.csrf.encode(), given.encode())


class Sessions:
    """Reads and writes the session cookie."""

    def __init__(self, options: OAuthOptions, clock: Clock) -> None:
        self._name = options.cookie_name
        self._max_age = options.session_max_age_seconds
        self._ciphers = [AESGCM(key) for key in options.session_keys]
        self._clock = clock

    def read(self, request: Request) -> Session:
        """Return the session of the browser, a fresh one if it has none that is good."""
        for text in _cookies(request.headers.get("Cookie", ""), self._name):
            session = self._open(text)
            if session is not None and session.expires_at > self._clock.now().timestamp():
                return session
        return self.fresh()

    def fresh(self) -> Session:
        """Return a session that nobody has seen before."""
        return Session(
            id=self._clock.new_id(),
            csrf=new_secret(self._clock),
            expires_at=self._clock.now().timestamp() + self._max_age,
        )

    def logged_in(self, before: Session, actor: Actor) -> Session:
        """Return the session after a login: a new one, so that one planted before is nothing.

        Of the old one stays what the page that shows tokens has to find again.
        """
        kept = {key: value for key, value in before.flow.items() if key.startswith(DISPLAY)}
        return msgspec.structs.replace(self.fresh(), user=actor.name, uid=actor.uid, flow=kept)

    def new_secret(self) -> str:
        """Return a random text for a state, a nonce or a verifier."""
        return new_secret(self._clock)

    def cookie(self, session: Session) -> str:
        """Return the `Set-Cookie` of a session."""
        expires_at = (self._clock.now() + timedelta(seconds=self._max_age)).timestamp()
        if not session.user:
            session = msgspec.structs.replace(session, expires_at=expires_at)
        nonce = bytes.fromhex(self._clock.new_id())[:_NONCE_BYTES]
        plain = msgspec.json.encode(session)
        sealed = nonce + self._ciphers[0].encrypt(nonce, plain, self._name.encode())
        text = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
        if len(text) > _MAX_COOKIE:
            raise ParameterInvalid(parameter="then", value="", reason="it is too long")
        return self._render(text, self._max_age)

    def drop(self) -> str:
        """Return the `Set-Cookie` that ends a session."""
        return self._render("", 0)

    def _render(self, value: str, max_age: int) -> str:
        flags = "Path=/; HttpOnly; Secure; SameSite=Lax"
        return f"{self._name}={value}; Max-Age={max_age}; {flags}"

    def _open(self, text: str) -> Session | None:
        if len(text) > _MAX_COOKIE:
            return None
        try:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            return None
        nonce, content = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        if len(content) < 16:
            return None
        for cipher in self._ciphers:
            with contextlib.suppress(InvalidTag, msgspec.DecodeError):
                plain = cipher.decrypt(nonce, content, self._name.encode())
                return msgspec.json.decode(plain, type=Session)
        return None


def with_flow(session: Session, **values: str) -> Session:
    """Return the session with further values that a redirect must find again."""
    return msgspec.structs.replace(session, flow={**session.flow, **values})


def without_user(session: Session) -> Session:
    """Return the session as it goes on when its login is used up."""
    return msgspec.structs.replace(session, user="", uid="")


def _cookies(header: str, name: str) -> list[str]:
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return [value for key, _, value in pairs if key == name][:3]
