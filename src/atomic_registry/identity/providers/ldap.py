"""Asks an LDAP server: finds the user's entry, then binds as that entry with the password."""

import asyncio
import base64
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from atomic_registry.errors import ProviderFailed, RemoteFailed
from atomic_registry.identity.ldap_url import LdapUrl
from atomic_registry.identity.ports import Person
from atomic_registry.identity.providers.pairs import is_usable_pair

if TYPE_CHECKING:
    from atomic_registry.identity.ldap_connection import Entry

_logger = structlog.get_logger(__name__)

_THREADS = 8
# Connecting, searching and binding have their own limits; this one holds for all together.
_TIMEOUT_SECONDS = 30.0
_DN = "dn"
_NO_ENTRY = "cn=atomic-registry-no-such-entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapAttributes:
    """Attributes of an entry to look into; the first that is not empty counts.

    `dn` stands for the entry's name.
    """

    id: Sequence[str] = (_DN,)
    preferred_username: Sequence[str] = ("uid",)
    name: Sequence[str] = ("cn",)
    email: Sequence[str] = ("mail",)

    def names(self) -> list[str]:
        """Return all that have to be asked for."""
        every = (*self.id, *self.preferred_username, *self.name, *self.email)
        return sorted({name for name in every if name.lower() != _DN})


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapSettings:
    """How to reach the server. Without a CA file the system's CAs count.

    `ldap://` is upgraded by StartTLS unless `is_insecure`.
    """

    url: LdapUrl
    bind_dn: str = ""
    bind_password: str = ""
    is_insecure: bool = False
    ca: Path | None = None
    attributes: LdapAttributes = LdapAttributes()


class Ldap:
    """Users below one entry of a directory."""

    def __init__(self, *, name: str, settings: LdapSettings) -> None:
        self._name = name
        self._settings = settings
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="ldap")

    @property
    def name(self) -> str:
        return self._name

    async def authenticate(self, username: str, password: str) -> Person | None:
        if not is_usable_pair(username, password):
            return None
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._pool, self._ask, username, password)
        try:
            return await asyncio.wait_for(asked, _TIMEOUT_SECONDS)
        except TimeoutError as error:
            raise ProviderFailed(provider=self._name, reason="it is too slow") from error
        except RemoteFailed as error:
            raise ProviderFailed(provider=self._name, reason=error.reason) from error

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, username: str, password: str) -> Person | None:
        # Loading the client takes 0.2 s, which only those who use it should pay.
        from atomic_registry.identity.ldap_connection import (  # noqa: PLC0415
            LdapServer,
            Search,
            can_bind,
            connect,
        )

        settings = self._settings
        url = settings.url
        server = LdapServer(
            url=url,
            bind_dn=settings.bind_dn,
            bind_password=settings.bind_password,
            is_insecure=settings.is_insecure,
            ca=settings.ca,
        )
        search = Search(base=url.base, filter=url.filter_for(username), scope=url.scope)
        with connect(server) as connection:
            entries = connection.find(search, settings.attributes.names(), limit=2)
        if len(entries) > 1:
            _logger.warning("user name has several LDAP entries", provider=self._name)
        if len(entries) != 1:
            # An unknown user costs a connection and a bind too, so that time does not tell.
            can_bind(server, _NO_ENTRY, password)
            return None
        return self._person(entries[0]) if can_bind(server, entries[0].dn, password) else None

    def _person(self, entry: "Entry") -> Person:
        attributes = self._settings.attributes
        person_id = _first(entry, attributes.id)
        if not person_id:
            reason = f"the entry has none of the id attributes {', '.join(attributes.id)}"
            raise ProviderFailed(provider=self._name, reason=reason)
        return Person(
            id=person_id,
            preferred_username=_first(entry, attributes.preferred_username),
            full_name=_first(entry, attributes.name),
            email=_first(entry, attributes.email),
        )


def _first(entry: "Entry", names: Sequence[str]) -> str:
    for name in names:
        if name.lower() == _DN:
            return entry.dn
        for value in entry.attributes.get(name.lower(), ()):
            if value:
                return _text(value)
    return ""


def _text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = ""
    # Such as the objectGUID of Active Directory, bytes of which may well decode to signs that no
    # name can hold.
    return text if text.isprintable() and text else base64.urlsafe_b64encode(value).decode()
