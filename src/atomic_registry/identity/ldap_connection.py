"""Reads whole lists from an LDAP server over one connection; blocking, so call it in a thread.

A login asks for one entry (`providers/ldap_directory.py`); a synchronisation must see every entry
or fail, since who is missing from its answer loses rights.
"""

import contextlib
import ssl
from collections.abc import Iterator, Mapping, Sequence

import ldap3  # type: ignore[import-untyped]  # it has no types
from ldap3.core.exceptions import LDAPException  # type: ignore[import-untyped]
from ldap3.utils.dn import parse_dn  # type: ignore[import-untyped]

from atomic_registry.errors import RemoteFailed
from atomic_registry.identity.group_sync_config import LdapQuery, LdapSyncConfig, address_of
from atomic_registry.identity.providers.ldap_directory import Entry
from atomic_registry.identity.providers.ldap_url import LdapUrl

_SECONDS = 30
_PAGED_RESULTS = "1.2.840.113556.1.4.319"
_PAGE_SIZE = 500
_MAX_ENTRIES = 200_000
# RFC 4511, section 4.1.9.
_SUCCESS, _NO_SUCH_OBJECT = 0, 32
_SCOPES = {"base": ldap3.BASE, "one": ldap3.LEVEL, "sub": ldap3.SUBTREE}
_DEREFERENCES = {
    "never": ldap3.DEREF_NEVER,
    "search": ldap3.DEREF_SEARCH,
    "base": ldap3.DEREF_BASE,
    "always": ldap3.DEREF_ALWAYS,
}


class LdapConnection:
    """An open connection; use it from one thread at a time."""

    def __init__(self, address: str, connection: ldap3.Connection) -> None:
        self._address = address
        self._connection = connection

    def search(self, query: LdapQuery, attributes: Sequence[str]) -> list[Entry]:
        """Return all entries that match, page by page; none where the base does not exist.

        Raises:
            RemoteFailed: the server refuses, fails, or gives a part of the answer only.
        """
        found: list[Entry] = []
        cookie: bytes | None = None
        while True:
            with _translated(self._address):
                self._ask(query, attributes, cookie)
            result = self._connection.result
            if result["result"] == _NO_SUCH_OBJECT:
                return []
            # Also "size limit exceeded": half a list of members must not pass for the whole.
            if result["result"] != _SUCCESS:
                raise _failed(
                    self._address, f"search below {query.base_dn}: {result['description']}"
                )
            found += [
                _entry(row) for row in self._connection.response if row["type"] == "searchResEntry"
            ]
            if len(found) > _MAX_ENTRIES:
                raise _failed(self._address, f"more than {_MAX_ENTRIES} entries")
            cookie = _cookie(result)
            if not cookie:
                return found

    def _ask(self, query: LdapQuery, attributes: Sequence[str], cookie: bytes | None) -> None:
        self._connection.search(
            query.base_dn,
            query.filter or "(objectClass=*)",
            _SCOPES[query.scope],
            dereference_aliases=_DEREFERENCES[query.deref_aliases],
            attributes=[it for it in attributes if it.lower() != "dn"] or [ldap3.NO_ATTRIBUTES],
            time_limit=query.timeout or _SECONDS,
            paged_size=query.page_size or _PAGE_SIZE,
            paged_cookie=cookie,
        )


@contextlib.contextmanager
def connect(config: LdapSyncConfig) -> Iterator[LdapConnection]:
    """Open a connection, bound as the configured user or anonymously, and close it at the end.

    Raises:
        RemoteFailed: no connection, no trusted certificate, or the bind is refused.
    """
    url = LdapUrl.parse(config.url)
    with _translated(address_of(url)):
        connection = _prepare(config, url)
    try:
        with _translated(address_of(url)):
            connection.open(read_server_info=False)
            if not url.is_tls and not config.insecure:
                connection.start_tls(read_server_info=False)
            bound = connection.bind(read_server_info=False)
        if not bound:
            refused = connection.result["description"]
            raise _failed(address_of(url), f"bind as {config.bind_dn or 'nobody'}: {refused}")
        yield LdapConnection(address_of(url), connection)
    finally:
        _close(connection)


def is_within(dn: str, base_dn: str) -> bool:
    """Tell whether an entry's name lies at or below another; what is no name lies nowhere."""
    inner, outer = _components(dn), _components(base_dn)
    if inner is None or outer is None:
        return False
    return not outer or inner[-len(outer) :] == outer


def _prepare(config: LdapSyncConfig, url: LdapUrl) -> ldap3.Connection:
    server = ldap3.Server(
        url.host,
        port=url.port,
        use_ssl=url.is_tls,
        tls=_VerifiedTls(config),
        get_info=ldap3.NONE,
        connect_timeout=_SECONDS,
    )
    return ldap3.Connection(
        server,
        user=config.bind_dn or None,
        password=config.bind_password or None,
        authentication=ldap3.SIMPLE if config.bind_dn else ldap3.ANONYMOUS,
        receive_timeout=_SECONDS,
        # A referral would send the password to a server that nobody configured.
        auto_referrals=False,
        read_only=True,
    )


def _close(connection: ldap3.Connection) -> None:
    with contextlib.suppress(LDAPException, OSError):
        connection.unbind()
    # The library forgets the socket of a connection that never came about.
    if connection.socket is not None:
        connection.socket.close()


class _VerifiedTls(ldap3.Tls):  # type: ignore[misc]  # the base class has no types
    """Checks certificates and host names with the standard library, not with ldap3's old copy."""

    def __init__(self, config: LdapSyncConfig) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = ssl.create_default_context(cafile=config.ca)

    # The names and the argument are ldap3's.
    def wrap_socket(self, connection: ldap3.Connection, do_handshake: bool = False) -> None:  # noqa: FBT001, FBT002
        connection.socket = self._context.wrap_socket(
            connection.socket,
            server_hostname=connection.server.host,
            do_handshake_on_connect=True,
        )


@contextlib.contextmanager
def _translated(address: str) -> Iterator[None]:
    try:
        yield
    except (LDAPException, OSError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _failed(address, reason) from error


def _failed(address: str, reason: str) -> RemoteFailed:
    return RemoteFailed(host=address, reason=reason)


def _entry(row: Mapping[str, object]) -> Entry:
    raw = row["raw_attributes"]
    # ldap3 gives a mapping of names to lists of bytes; it has no types that would say so.
    attributes = raw.items() if isinstance(raw, Mapping) else ()
    return Entry(
        dn=str(row["dn"]),
        attributes={str(name).lower(): tuple(values) for name, values in attributes},
    )


def _cookie(result: Mapping[str, object]) -> bytes | None:
    controls = result.get("controls")
    if not isinstance(controls, Mapping) or _PAGED_RESULTS not in controls:
        return None
    return bytes(controls[_PAGED_RESULTS]["value"]["cookie"]) or None


def _components(dn: str) -> list[tuple[str, str]] | None:
    try:
        parsed = parse_dn(dn.lower(), escape=False, strip=True) if dn else []
    except LDAPException:
        return None
    return [(str(name), str(value)) for name, value, _ in parsed]
