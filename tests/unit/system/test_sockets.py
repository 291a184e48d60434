"""Which socket a service uses: the one that systemd hands over, or one of its own."""

import socket
from collections.abc import Iterator

import pytest

from atomic_registry.system.failures import CannotServe
from atomic_registry.system.sockets import open_entrance


@pytest.fixture
def held() -> Iterator[socket.socket]:
    """A socket for all addresses and both families, as systemd opens it for a port."""
    with socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        yield listener


def _came_to(listener: socket.socket, address: str) -> socket.socket:
    with socket.create_connection((address, listener.getsockname()[1]), timeout=5):
        return listener.accept()[0]


def test_the_socket_of_systemd_is_used_for_its_own_port(held: socket.socket) -> None:
    entrance = open_entrance("registry", "0.0.0.0", held.getsockname()[1], held)
    assert (entrance.listener, entrance.retired) == (held, None)
    with _came_to(held, "127.0.0.2") as connection:
        assert entrance.takes(connection)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_address_keeps_out_who_came_to_others_of_the_same_port(
    held: socket.socket, host: str
) -> None:
    entrance = open_entrance("registry", host, held.getsockname()[1], held)
    assert entrance.listener is held
    for address, is_taken in (("127.0.0.1", True), ("127.0.0.2", False)):
        with _came_to(held, address) as connection:
            assert entrance.takes(connection) is is_taken


def test_another_port_gets_a_socket_of_its_own(held: socket.socket) -> None:
    entrance = open_entrance("registry", "127.0.0.1", 0, held)
    assert entrance.retired is held
    assert entrance.listener.getsockname()[1] != held.getsockname()[1]
    entrance.close()


def test_a_socket_that_systemd_narrowed_is_not_widened() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        entrance = open_entrance("registry", "0.0.0.0", held.getsockname()[1], held)
        assert entrance.listener is held


def test_an_address_that_cannot_be_had_is_left_to_systemd_by_a_command(
    held: socket.socket,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotServe, match=f"install --master-port {port}"):
            open_entrance("master", "127.0.0.1", port, held)
