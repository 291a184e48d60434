"""Which servers this one may ask.

Addresses are checked after the name was resolved, and the connection goes to the address that was
checked, so that a name server which changes its answer gains nothing.
"""

import ipaddress
import socket
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from atomic_registry.errors import RemoteFailed

FORBIDDEN = "this server may not reach its address"

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# They look public, yet answer machines of a cloud with their own secrets.
_METADATA = frozenset(
    map(ipaddress.ip_address, ("169.254.169.254", "fd00:ec2::254", "168.63.129.16"))
)
# RFC 6052: an IPv6 address that stands for an IPv4 address.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressForbidden(OSError):
    """A name stands for addresses that this server may not reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressRules:
    """What may be reached: public addresses, and hosts that the administrator named.

    An allowed host may stand for a private address. Even it may not stand for one of a link or of
    a cloud's metadata, unless it is that address itself. Clear HTTP is spoken only with
    `plain_hosts`. Hosts are in lower case. The resolver's answers are what is checked.
    """

    allowed_hosts: AbstractSet[str] = frozenset()
    plain_hosts: AbstractSet[str] = frozenset()
    open_resolver: Callable[[], AbstractResolver] = ThreadedResolver

    def check(self, url: URL) -> None:
        """Return if the URL may be asked, as far as can be told before its name is resolved.

        Raises:
            RemoteFailed: it may not.
        """
        host = host_of(url)
        if not host or url.user is not None or url.password is not None:
            raise RemoteFailed(
                host=host or "a URL", reason="its URL is not of the form https://host/"
            )
        if url.scheme != "https" and not (url.scheme == "http" and host in self.plain_hosts):
            raise RemoteFailed(host=host, reason="only https is allowed")
        # The resolver never sees an address.
        if _parse(host) is not None and not self.permits(host, host):
            raise RemoteFailed(host=host, reason=FORBIDDEN)

    def permits(self, host: str, address: str) -> bool:
        """Tell whether a connection for the host may go to the address."""
        parsed = _parse(address)
        if parsed is None:
            return False
        allowed = _normal(host) in self.allowed_hosts
        if _is_never_a_server(parsed):
            return allowed and _parse(host) == parsed
        return allowed or _is_public(parsed)


class GuardedResolver(AbstractResolver):
    """Resolves names, and hands out only addresses that may be reached."""

    def __init__(self, rules: EgressRules) -> None:
        self._rules = rules
        self._resolver = rules.open_resolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        permitted = [one for one in found if self._rules.permits(host, one["host"])]
        if found and not permitted:
            raise AddressForbidden(FORBIDDEN)
        return permitted

    async def close(self) -> None:
        await self._resolver.close()


def host_of(url: URL) -> str:
    """Return the host of a URL in the form in which hosts are compared; empty if it has none."""
    return _normal(url.host or "")


def _normal(host: str) -> str:
    return host.lower().rstrip(".")


def _parse(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_never_a_server(address: _Address) -> bool:
    return (
        address in _METADATA
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None)
    )


def _is_public(address: _Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
            return inner.is_global and not _is_never_a_server(inner)
        if address.sixtofour is not None or address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_reserved
