"""The sockets that services listen on: handed over by systemd, or bound here."""

import errno
import os
import socket
from collections.abc import Mapping

from atomic_registry.system.failures import CannotServe

_FIRST_DESCRIPTOR = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3)
_BACKLOG = 1024


def inherited_sockets(environment: Mapping[str, str], pid: int) -> dict[str, socket.socket]:
    """Return the listening sockets that systemd holds open for this process, by their names.

    They outlive the process, so that clients wait over a restart instead of being refused.

    Raises:
        CannotServe: what was handed over is no listening stream socket.
    """
    if environment.get("LISTEN_PID") != str(pid):
        return {}
    count = int(environment.get("LISTEN_FDS", "0"))
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    found: dict[str, socket.socket] = {}
    for offset, name in zip(range(count), names, strict=False):
        listener = socket.socket(fileno=_FIRST_DESCRIPTOR + offset)
        # No program that this one starts may accept connections.
        os.set_inheritable(listener.fileno(), False)
        if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise CannotServe(
                f"the socket {name} that systemd handed over does not listen; its unit must have "
                "ListenStream= and Accept=no"
            )
        listener.setblocking(False)
        found[name] = listener
    return found


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket that children inherit.

    Raises:
        CannotServe: the address cannot be used.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and not host:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            hint = f"another process listens there; stop it (ss -ltnp 'sport = :{port}' shows it) "
            raise CannotServe(
                f"cannot listen on {host}:{port}: {hint}or choose another port"
            ) from error
        raise CannotServe(
            f"cannot listen on {host}:{port}: {error}; choose an address of this machine and a "
            "port that this user may use"
        ) from error
    return listener
