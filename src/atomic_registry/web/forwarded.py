"""Where a client really is and what it called this server, also behind a proxy.

Forwarded headers are believed only from proxies that are configured.
"""

import ipaddress
import re
from collections.abc import Sequence

from atomic_registry.web.messages import Request

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\Z")


class Forwarding:
    """Reads `X-Forwarded-For`, `-Proto` and `-Host` of trusted proxies."""

    def __init__(self, proxies: Sequence[Network] = ()) -> None:
        self._proxies = tuple(proxies)

    def apply(self, request: Request) -> None:
        """Put what trusted proxies say in the place of what the connection says."""
        if not self._proxies or not self._is_trusted(request.remote):
            return
        request.scheme = _first(_joined(request, "X-Forwarded-Proto")) or request.scheme
        request.host = _first(_joined(request, "X-Forwarded-Host"))
        # The last address that no trusted proxy vouches for; those before it anybody may write.
        for hop in reversed(_joined(request, "X-Forwarded-For").split(",")):
            address = hop.strip()
            if not _is_address(address):
                break
            request.remote = address
            if not self._is_trusted(address):
                break

    def _is_trusted(self, address: str) -> bool:
        if not _is_address(address):
            return False
        parsed = ipaddress.ip_address(address)
        # A listener on [::] sees IPv4 proxies like this.
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(parsed in network for network in self._proxies)


def origin(request: Request, *, default: str) -> str:
    """Return scheme and host as the client reached them, for example `https://host:5000`."""
    host = request.host or request.headers.get("Host", "")
    if request.scheme not in {"http", "https"} or not _HOST.match(host):
        return default
    return f"{request.scheme}://{host}"


def _joined(request: Request, name: str) -> str:
    # A proxy may add a line of its own instead of adding to the client's (RFC 9110, 5.3).
    lines = [value for key, value in request.headers.items() if key.lower() == name.lower()]
    return ",".join(lines)


def _first(header: str) -> str:
    return header.partition(",")[0].strip()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
