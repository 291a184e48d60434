"""Connections to an LDAP server; blocking, and the only place that imports its client.

Imported when the first login needs it: it takes a fifth of a second to load.
"""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ldap3  # type: ignore[import-untyped]  # it has no types
from ldap3.core.exceptions import LDAPException  # type: ignore[import-untyped]

from atomic_registry.errors import RemoteFailed
from atomic_registry.identity.providers.ldap_url import LdapUrl

_SECONDS = 10
_SUCCESS = 0
_SIZE_LIMIT_EXCEEDED = 4
# RFC 4511, section 4.1.9: constraint violation (a locked account), no such object, invalid DN
# syntax, inappropriate authentication (an entry without password), invalid credentials,
# insufficient rights, unwilling to perform.
_REFUSALS = (19, 32, 34, 48, 49, 50, 53)
_SCOPES = {"base": ldap3.BASE, "one": ldap3.LEVEL, "sub": ldap3.SUBTREE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry; names of attributes are in lower case."""

    dn: str
    attributes: Mapping[str, Sequence[bytes]]


class _VerifiedTls(ldap3.Tls):  # type: ignore[misc]  # the base class has no types
    """Checks certificates and host names with the standard library, not with ldap3's old copy."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = context

    # The names and the argument are ldap3's.
    def wrap_socket(self, connection: ldap3.Connection, do_handshake: bool = False) -> None:  # noqa: FBT001, FBT002
        connection.socket = self._context.wrap_socket(
            connection.socket,
            server_hostname=connection.server.host,
            do_handshake_on_connect=True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """One server; every method opens a connection of its own."""

    url: LdapUrl
    bind_dn: str
    bind_password: str
    is_insecure: bool
    ca: Path | None

    def search(self, search: str, *, attributes: Sequence[str], limit: int) -> list[Entry]:
        """Return at most `limit` entries that match the filter.

        Raises:
            RemoteFailed: the server cannot be asked, or refuses the search.
        """
        connection = self._open(self.bind_dn, self.bind_password)
        try:
            if not connection.bind():
                raise self._failed("the server refuses the configured bind DN and password")
            connection.search(
                self.url.base,
                search,
                search_scope=_SCOPES[self.url.scope],
                attributes=list(attributes) or [ldap3.NO_ATTRIBUTES],
                size_limit=limit,
                time_limit=_SECONDS,
            )
            if connection.result["result"] not in (_SUCCESS, _SIZE_LIMIT_EXCEEDED):
                raise self._failed(f"search refused: {connection.result['description']}")
            return [_entry(row) for row in connection.response if row["type"] == "searchResEntry"]
        except (LDAPException, OSError) as error:
            raise self._failed(type(error).__name__) from error
        finally:
            _close(connection)

    def can_bind(self, dn: str, password: str) -> bool:
        """Tell whether the password is the entry's.

        Raises:
            RemoteFailed: the server cannot be asked.
        """
        # Without either, a bind is anonymous and succeeds (RFC 4513, section 5.1).
        if not dn or not password:
            return False
        connection = self._open(dn, password)
        try:
            if connection.bind():
                return True
            if connection.result["result"] in _REFUSALS:
                return False
            raise self._failed(f"bind refused: {connection.result['description']}")
        except (LDAPException, OSError) as error:
            raise self._failed(type(error).__name__) from error
        finally:
            _close(connection)

    def _open(self, dn: str, password: str) -> ldap3.Connection:
        try:
            connection = self._prepare(dn, password)
        except (LDAPException, OSError) as error:
            raise self._failed(type(error).__name__) from error
        try:
            connection.open(read_server_info=False)
            if not self.url.is_tls and not self.is_insecure:
                connection.start_tls(read_server_info=False)
        except (LDAPException, OSError) as error:
            # The client leaves it open if there was nothing at the other end.
            if connection.socket is not None:
                connection.socket.close()
            raise self._failed(type(error).__name__) from error
        return connection

    def _prepare(self, dn: str, password: str) -> ldap3.Connection:
        context = ssl.create_default_context(cafile=None if self.ca is None else str(self.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        server = ldap3.Server(
            self.url.host,
            port=self.url.port,
            use_ssl=self.url.is_tls,
            tls=_VerifiedTls(context),
            get_info=ldap3.NONE,
            connect_timeout=_SECONDS,
        )
        return ldap3.Connection(
            server,
            user=dn or None,
            password=password or None,
            authentication=ldap3.SIMPLE if dn else ldap3.ANONYMOUS,
            read_only=True,
            # A referral would send the password to a server that nobody configured.
            auto_referrals=False,
            receive_timeout=_SECONDS,
            return_empty_attributes=False,
        )

    def _failed(self, reason: str) -> RemoteFailed:
        return RemoteFailed(host=f"{self.url.host}:{self.url.port}", reason=reason)


def _entry(row: Mapping[str, object]) -> Entry:
    raw = row["raw_attributes"]
    # ldap3 gives a mapping of names to lists of bytes; it has no types that would say so.
    attributes = raw.items() if isinstance(raw, Mapping) else ()
    return Entry(
        dn=str(row["dn"]),
        attributes={str(name).lower(): tuple(values) for name, values in attributes},
    )


def _close(connection: ldap3.Connection) -> None:
    try:
        connection.unbind()
    except (LDAPException, OSError):
        # The server may have closed it; there is nothing left to lose.
        connection.strategy.close()
