"""The authorization code flow of OAuth 2 (RFC 6749) with PKCE (RFC 7636), from the client's side."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote_plus, urlencode

import msgspec

from atomic_registry.errors import ProviderFailed, RemoteFailed
from atomic_registry.identity.ports import HttpAnswer, HttpClient

# The person said no, or cannot log in there: nothing for the administrator to mend.
_REFUSALS = frozenset(
    {
        "access_denied",
        "account_selection_required",
        "consent_required",
        "interaction_required",
        "login_required",
    }
)
_NAME_LENGTH = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFlow:
    """One provider's client of the flow.

    `dead_code` is the provider's error for a code that is unknown, used or too old; such a code
    comes from the browser and fails the login, not the provider. With `basic` the secret goes into
    the Authorization header (`client_secret_basic`), else into the body.
    """

    provider: str
    client_id: str
    client_secret: str
    http: HttpClient
    basic: bool = False
    dead_code: str = "invalid_grant"

    def authorize_url(self, endpoint: str, parameters: Mapping[str, str], *, verifier: str) -> str:
        """Return where the browser starts; a query that the endpoint has is kept."""
        digest = hashlib.sha256(verifier.encode()).digest()
        query = urlencode(
            {
                **parameters,
                "response_type": "code",
                "client_id": self.client_id,
                "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
                "code_challenge_method": "S256",
            }
        )
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"

    def find_code(self, parameters: Mapping[str, str]) -> str | None:
        """Return the code of a callback, None if the login was refused.

        Raises:
            ProviderFailed: the provider says that something else is wrong.
        """
        error = parameters.get("error")
        if error is not None and error not in _REFUSALS:
            raise self.failed(f"it answered {_plain(error)}")
        return None if error is not None else parameters.get("code") or None

    async def exchange(
        self, endpoint: str, *, code: str, redirect_uri: str, verifier: str
    ) -> Mapping[str, object] | None:
        """Return the tokens for a code, None if the code is no good.

        Raises:
            ProviderFailed: the provider cannot be asked, or answers anything else.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        if self.basic and self.client_secret:
            headers["Authorization"] = self._basic()
        else:
            form["client_id"] = self.client_id
            if self.client_secret:
                form["client_secret"] = self.client_secret
        answer = await self.send("POST", endpoint, headers=headers, body=urlencode(form).encode())
        tokens = self.document(answer)
        # GitHub reports errors with status 200.
        if "error" in tokens:
            error = text_of(tokens, "error")
            if error == self.dead_code:
                return None
            raise self.failed(f"its token endpoint answered {_plain(error)}")
        self.expect_ok(answer, "its token endpoint")
        if text_of(tokens, "token_type").lower() != "bearer":
            raise self.failed("its token endpoint gave no bearer token")
        return tokens

    async def get(
        self, url: str, access_token: str, *, accept: str = "application/json"
    ) -> HttpAnswer:
        """Return what the provider answers to the holder of a token.

        Raises:
            ProviderFailed: it cannot be asked.
        """
        headers = {"Authorization": f"Bearer {access_token}", "Accept": accept}
        return await self.send("GET", url, headers=headers)

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b""
    ) -> HttpAnswer:
        """Return the answer.

        Raises:
            ProviderFailed: there was none.
        """
        try:
            return await self.http.send(method, url, headers=headers, body=body)
        except RemoteFailed as error:
            raise self.failed(f"{error.detail['host']}: {error.reason}") from error

    def expect_ok(self, answer: HttpAnswer, what: str) -> None:
        """Return if the answer is a success.

        Raises:
            ProviderFailed: it is something else.
        """
        if answer.status != 200:
            raise self.failed(f"{what} answered {answer.status}")

    def document(self, answer: HttpAnswer) -> Mapping[str, object]:
        """Return the JSON object of an answer.

        Raises:
            ProviderFailed: it is none.
        """
        try:
            return msgspec.json.decode(answer.body, type=dict[str, object])
        # Deep nesting ends in a RecursionError.
        except (msgspec.DecodeError, RecursionError) as error:
            raise self.failed(f"status {answer.status} without a JSON object") from error

    def failed(self, reason: str) -> ProviderFailed:
        """Return the error for a provider that does what it may not."""
        return ProviderFailed(provider=self.provider, reason=reason)

    def _basic(self) -> str:
        # RFC 6749 section 2.3.1: both parts are form-encoded first.
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


def text_of(document: Mapping[str, object], key: str) -> str:
    """Return a text of a document, empty if it is absent or something else."""
    value = document.get(key)
    return value if isinstance(value, str) else ""


def name_of(document: Mapping[str, object], key: str) -> str:
    """Return a text or an integer that can stand for a person, empty if there is none."""
    value = document.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = value if isinstance(value, str) else ""
    return text if len(text) <= _NAME_LENGTH and text.isprintable() else ""


def number_of(document: Mapping[str, object], key: str) -> str:
    """Return a numeric id as text, empty if there is none."""
    value = document.get(key)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _plain(text: str) -> str:
    """Shorten what a stranger wrote so that it can stand in a message."""
    return ascii(text[:60])
