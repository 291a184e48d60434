"""The sockets that services listen on: handed over by systemd, or bound here."""

import errno
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from atomic_registry.system.failures import CannotServe

_logger = structlog.get_logger(__name__)
_FIRST_DESCRIPTOR = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3)
_BACKLOG = 1024
_INTERNET = frozenset({socket.AF_INET, socket.AF_INET6})
_EVERY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared, not bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """Where a service takes connections.

    `addresses` are those of this machine that they must have come to, all if there are none.
    Whoever comes to `retired` is turned away at once: systemd goes on to hold it, and a client
    would wait there for ever.
    """

    listener: socket.socket
    addresses: frozenset[str] = frozenset()
    retired: socket.socket | None = None

    def takes(self, connection: socket.socket) -> bool:
        """Tell whether a connection came to where the configuration says."""
        return not self.addresses or _plain(connection.getsockname()[0]) in self.addresses

    def close(self) -> None:
        """Let go of the sockets."""
        self.listener.close()
        if self.retired is not None:
            self.retired.close()


def open_entrance(service: str, host: str, port: int, given: socket.socket | None) -> Entrance:
    """Return where the service listens: on what systemd holds, if that is what is configured.

    Raises:
        CannotServe: the configured address cannot be used.
    """
    if given is None or given.family not in _INTERNET:
        return Entrance(listener=given or bind(host, port))
    held_host, held_port = _plain(given.getsockname()[0]), given.getsockname()[1]
    if held_port == port:
        wanted = _addresses(host, port)
        if not wanted or held_host in wanted:
            return Entrance(listener=given)
        if held_host in _EVERY_ADDRESS:
            return Entrance(listener=given, addresses=wanted)
    remedy = f"atomic-registry install --{service}-port {port}"
    try:
        listener = bind(host, port)
    except CannotServe as error:
        raise CannotServe(f"{error}; to have systemd listen there: {remedy}") from error
    _logger.warning(
        "the configured address is served, not the one that systemd holds; "
        "until systemd holds it, clients are refused while the service restarts",
        to_have_systemd_hold_it=remedy,
        service=service,
        configured=f"{host}:{port}",
        held=f"{held_host}:{held_port}",
    )
    return Entrance(listener=listener, retired=given)


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
        return _listening(host, port)
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


def _listening(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and not host:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _addresses(host: str, port: int) -> frozenset[str]:
    """Return the addresses of a host, none if it stands for all."""
    if host in _EVERY_ADDRESS:
        return frozenset()
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise CannotServe(f"cannot listen on {host}:{port}: {error}") from error
    return frozenset(_plain(str(item[4][0])) for item in found)


def _plain(address: str) -> str:
    # A socket for both families shows IPv4 so.
    return address.removeprefix("::ffff:")
