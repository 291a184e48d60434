"""Connections to LDAP servers; blocking, so call it in a thread. Nothing else imports the client.

Import it where it is needed: the client takes a fifth of a second to load.
"""

import contextlib
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ldap3  # type: ignore[import-untyped]  # it has no types
from ldap3.core.exceptions import LDAPException  # type: ignore[import-untyped]
from ldap3.utils.dn import parse_dn  # type: ignore[import-untyped]

from atomic_registry.errors import RemoteFailed
from atomic_registry.identity.group_sync_config import address_of
from atomic_registry.identity.ldap_url import LdapUrl

_SECONDS = 10
_PAGED_RESULTS = "1.2.840.113556.1.4.319"
_PAGE_SIZE = 500
_MAX_ENTRIES = 200_000
# RFC 4511, section 4.1.9.
_SUCCESS, _SIZE_LIMIT_EXCEEDED, _NO_SUCH_OBJECT = 0, 4, 32
# Constraint violation (a locked account), no such object, invalid DN syntax, inappropriate
# authentication (an entry without password), invalid credentials, insufficient rights, unwilling
# to perform. All are one answer: told apart they would say which accounts exist or are locked.
_REFUSALS = (19, 32, 34, 48, 49, 50, 53)
_SCOPES = {"base": ldap3.BASE, "one": ldap3.LEVEL, "sub": ldap3.SUBTREE}
_DEREFERENCES = {
    "never": ldap3.DEREF_NEVER,
    "search": ldap3.DEREF_SEARCH,
    "base": ldap3.DEREF_BASE,
    "always": ldap3.DEREF_ALWAYS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry; names of attributes are in lower case."""

    dn: str
    attributes: Mapping[str, Sequence[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapServer:
    """How to reach a server and who asks it; without a `bind_dn` nobody does.

    `ldap://` is upgraded by StartTLS unless `is_insecure`; without a `ca` the system's count.
    """

    url: LdapUrl
    bind_dn: str = ""
    bind_password: str = field(default="", repr=False)
    is_insecure: bool = False
    ca: Path | None = None
    seconds: int = _SECONDS
    """For a connection, and for each answer."""

    @property
    def address(self) -> str:
        """Host and port."""
        return address_of(self.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for. `seconds` and `page_size` are those of this program if they are 0."""

    base: str
    filter: str = "(objectClass=*)"
    scope: str = "sub"
    dereference: str = "always"
    seconds: int = 0
    page_size: int = 0


class LdapConnection:
    """An open connection; use it from one thread at a time."""

    def __init__(self, server: LdapServer, connection: ldap3.Connection) -> None:
        self._server = server
        self._connection = connection

    def find(self, search: Search, attributes: Sequence[str], *, limit: int) -> list[Entry]:
        """Return at most `limit` entries that match, whatever more there are.

        Raises:
            RemoteFailed: the server refuses, or the base does not exist.
        """
        with _translated(self._server):
            self._connection.search(**self._arguments(search, attributes), size_limit=limit)
        if self._connection.result["result"] not in (_SUCCESS, _SIZE_LIMIT_EXCEEDED):
            raise self._refused(search)
        return self._entries()

    def search(self, search: Search, attributes: Sequence[str]) -> list[Entry]:
        """Return all entries that match, page by page; none where the base does not exist.

        Raises:
            RemoteFailed: the server refuses, fails, or gives a part of the answer only.
        """
        found: list[Entry] = []
        cookie: bytes | None = None
        while True:
            with _translated(self._server):
                self._connection.search(
                    **self._arguments(search, attributes),
                    paged_size=search.page_size or _PAGE_SIZE,
                    paged_cookie=cookie,
                )
            result = self._connection.result
            if result["result"] == _NO_SUCH_OBJECT:
                return []
            # Also "size limit exceeded": half a list of members must not pass for the whole.
            if result["result"] != _SUCCESS:
                raise self._refused(search)
            found += self._entries()
            if len(found) > _MAX_ENTRIES:
                raise _failed(self._server, f"more than {_MAX_ENTRIES} entries")
            cookie = _cookie(result)
            if not cookie:
                return found

    def _arguments(self, search: Search, attributes: Sequence[str]) -> dict[str, object]:
        return {
            "search_base": search.base,
            "search_filter": search.filter or "(objectClass=*)",
            "search_scope": _SCOPES[search.scope],
            "dereference_aliases": _DEREFERENCES[search.dereference],
            "attributes": [it for it in attributes if it.lower() != "dn"] or [ldap3.NO_ATTRIBUTES],
            "time_limit": search.seconds or self._server.seconds,
        }

    def _entries(self) -> list[Entry]:
        rows = self._connection.response
        return [_entry(row) for row in rows if row["type"] == "searchResEntry"]

    def _refused(self, search: Search) -> RemoteFailed:
        said = self._connection.result["description"]
        return _failed(self._server, f"search below {search.base!r}: {said}")


@contextlib.contextmanager
def connect(server: LdapServer) -> Iterator[LdapConnection]:
    """Open a connection, bound as the configured user or anonymously, and close it at the end.

    Raises:
        RemoteFailed: no connection, no trusted certificate, or the bind is refused.
    """
    with _opened(server, server.bind_dn, server.bind_password) as connection:
        with _translated(server):
            is_bound = connection.bind(read_server_info=False)
        if not is_bound:
            said = connection.result["description"]
            who = f"the bind DN {server.bind_dn}" if server.bind_dn else "an anonymous bind"
            raise _failed(server, f"it refuses {who}: {said}")
        yield LdapConnection(server, connection)


def can_bind(server: LdapServer, dn: str, password: str) -> bool:
    """Tell whether the password is the entry's.

    Raises:
        RemoteFailed: the server cannot be asked.
    """
    # Without either, a bind is anonymous and succeeds (RFC 4513, section 5.1).
    if not dn or not password:
        return False
    with _opened(server, dn, password) as connection:
        with _translated(server):
            is_bound = connection.bind(read_server_info=False)
        if is_bound:
            return True
        if connection.result["result"] in _REFUSALS:
            return False
        raise _failed(server, f"bind: {connection.result['description']}")


def is_within(dn: str, base_dn: str) -> bool:
    """Tell whether an entry's name lies at or below another; what is no name lies nowhere."""
    inner, outer = _components(dn), _components(base_dn)
    if inner is None or outer is None:
        return False
    return not outer or inner[-len(outer) :] == outer


@contextlib.contextmanager
def _opened(server: LdapServer, dn: str, password: str) -> Iterator[ldap3.Connection]:
    with _translated(server):
        connection = _prepare(server, dn, password)
    try:
        with _translated(server):
            connection.open(read_server_info=False)
            is_clear = not server.url.is_tls and not server.is_insecure
            # False is a refusal that the library does not raise.
            if is_clear and not connection.start_tls(read_server_info=False):
                raise _failed(server, "it refuses StartTLS")
        yield connection
    finally:
        _close(connection)


def _prepare(server: LdapServer, dn: str, password: str) -> ldap3.Connection:
    return ldap3.Connection(
        ldap3.Server(
            server.url.host,
            port=server.url.port,
            use_ssl=server.url.is_tls,
            tls=_VerifiedTls(server.ca),
            get_info=ldap3.NONE,
            connect_timeout=server.seconds,
        ),
        user=dn or None,
        password=password or None,
        authentication=ldap3.SIMPLE if dn else ldap3.ANONYMOUS,
        receive_timeout=server.seconds,
        # A referral would send the password to a server that nobody configured.
        auto_referrals=False,
        read_only=True,
        return_empty_attributes=False,
    )


def _close(connection: ldap3.Connection) -> None:
    # The library forgets the socket of a connection that never came about, and of one whose
    # StartTLS failed.
    socket = connection.socket
    with contextlib.suppress(LDAPException, OSError):
        connection.unbind()
    for left in (socket, connection.socket):
        if left is not None:
            left.close()


class _VerifiedTls(ldap3.Tls):  # type: ignore[misc]  # the base class has no types
    """Checks certificates and host names with the standard library, not with ldap3's old copy."""

    def __init__(self, ca: Path | None) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = ssl.create_default_context(cafile=ca)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2

    # The names and the argument are ldap3's.
    def wrap_socket(self, connection: ldap3.Connection, do_handshake: bool = False) -> None:  # noqa: FBT001, FBT002
        plain = connection.socket
        try:
            connection.socket = self._context.wrap_socket(
                plain, server_hostname=connection.server.host, do_handshake_on_connect=True
            )
        except OSError:
            # Wrapping takes the descriptor away from the plain socket, but not always.
            plain.close()
            raise


@contextlib.contextmanager
def _translated(server: LdapServer) -> Iterator[None]:
    try:
        yield
    except (LDAPException, OSError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _failed(server, reason) from error
    except (LookupError, ValueError, TypeError) as error:
        # The library's decoder trips over an answer that is no LDAP.
        raise _failed(server, "its answer cannot be read") from error


def _failed(server: LdapServer, reason: str) -> RemoteFailed:
    return RemoteFailed(host=server.address, reason=reason)


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
