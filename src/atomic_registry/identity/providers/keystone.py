"""Asks OpenStack Keystone.

Source: Identity API v3, "Password authentication with unscoped authorization".
"""

import msgspec

from atomic_registry.errors import ProviderFailed, RemoteFailed
from atomic_registry.identity.ports import HttpClient, Person
from atomic_registry.identity.providers.pairs import is_usable_pair


class _User(msgspec.Struct):
    id: str
    name: str


class _Token(msgspec.Struct):
    user: _User


class _Answer(msgspec.Struct):
    token: _Token


class Keystone:
    """Users of one Keystone domain."""

    def __init__(self, *, name: str, url: str, domain_name: str, http: HttpClient) -> None:
        self._name = name
        self._url = f"{url.rstrip('/').removesuffix('/v3')}/v3/auth/tokens?nocatalog"
        self._domain_name = domain_name
        self._http = http

    @property
    def name(self) -> str:
        return self._name

    async def authenticate(self, username: str, password: str) -> Person | None:
        if not is_usable_pair(username, password):
            return None
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        body = self._question(username, password)
        try:
            answer = await self._http.send("POST", self._url, headers=headers, body=body)
        except RemoteFailed as error:
            raise ProviderFailed(provider=self._name, reason=error.reason) from error
        if answer.status == 401:
            return None
        if answer.status != 201:
            raise ProviderFailed(provider=self._name, reason=f"it answered {answer.status}")
        return self._read(answer.body)

    def _question(self, username: str, password: str) -> bytes:
        user = {"name": username, "password": password, "domain": {"name": self._domain_name}}
        identity = {"methods": ["password"], "password": {"user": user}}
        # A user's default project would come with rights that nobody needs here.
        return msgspec.json.encode({"auth": {"identity": identity, "scope": "unscoped"}})

    def _read(self, body: bytes) -> Person:
        try:
            user = msgspec.json.decode(body, type=_Answer).token.user
        except (msgspec.DecodeError, RecursionError) as error:
            reason = "its answer is no token of the Identity API v3"
            raise ProviderFailed(provider=self._name, reason=reason) from error
        if not user.id:
            raise ProviderFailed(provider=self._name, reason="its answer names no user id")
        return Person(id=user.id, preferred_username=user.name)
