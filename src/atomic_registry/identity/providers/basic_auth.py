"""Asks a remote server that checks the user name and the password by HTTP Basic authentication."""

import base64

import msgspec

from atomic_registry.errors import ProviderFailed, RemoteFailed
from atomic_registry.identity.ports import HttpClient, Person
from atomic_registry.identity.providers.pairs import is_usable_pair


class _Answer(msgspec.Struct):
    sub: str = ""
    name: str = ""
    preferred_username: str = ""
    email: str = ""
    error: str = ""


class BasicAuth:
    """Passes the pair on: 401 means no, 200 with a `sub` means yes, all else is a failure."""

    def __init__(self, *, name: str, url: str, http: HttpClient) -> None:
        self._name = name
        self._url = url
        self._http = http

    @property
    def name(self) -> str:
        return self._name

    async def authenticate(self, username: str, password: str) -> Person | None:
        # A colon would move the border between name and password (RFC 7617, section 2).
        if ":" in username or not is_usable_pair(username, password):
            return None
        pair = f"{username}:{password}".encode()
        headers = {
            "Authorization": f"Basic {base64.b64encode(pair).decode()}",
            "Accept": "application/json",
        }
        try:
            answer = await self._http.send("GET", self._url, headers=headers)
        except RemoteFailed as error:
            raise ProviderFailed(provider=self._name, reason=error.reason) from error
        if answer.status == 401:
            return None
        if answer.status != 200:
            raise ProviderFailed(provider=self._name, reason=f"it answered {answer.status}")
        return self._read(answer.body)

    def _read(self, body: bytes) -> Person:
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ProviderFailed(provider=self._name, reason="its answer is no JSON") from error
        if answer.error:
            raise ProviderFailed(provider=self._name, reason="it reported an error")
        if not answer.sub:
            raise ProviderFailed(provider=self._name, reason="its answer names no `sub`")
        return Person(
            id=answer.sub,
            preferred_username=answer.preferred_username,
            full_name=answer.name,
            email=answer.email,
        )
