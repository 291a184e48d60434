"""What a directory's answers come to, with a server that says what the test wants."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from atomic_registry.errors import RemoteFailed
from atomic_registry.identity.ldap_url import LdapUrl
from atomic_registry.identity.providers.ldap import Ldap, LdapAttributes, LdapSettings

# The client library uses names that a library of its own has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:(tag|type)Map is deprecated:DeprecationWarning")

BIND_RESPONSE, EXTENDED_RESPONSE = 0x61, 0x78


@contextmanager
def answering(tag: int, code: int, *, then: bytes = b"") -> Iterator[int]:
    """A server that gives every first request this result, then bytes; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                request = connection.recv(4096)
                if not request:
                    continue
                # SEQUENCE { messageID, result { code, matchedDN "", diagnosticMessage "" } }
                result = bytes([tag, 7, 0x0A, 1, code, 4, 0, 4, 0])
                # It grows by a byte when the client has sent many.
                message_id = request[2 : 4 + request[3]]
                content = message_id + result
                connection.sendall(bytes([0x30, len(content)]) + content + then)
                connection.settimeout(5)
                while connection.recv(4096):
                    pass

    def serve_quietly() -> None:
        try:
            serve()
        except OSError:
            return

    thread = threading.Thread(target=serve_quietly)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def bind(port: int, *, is_insecure: bool) -> bool:
    # Loading the client warns, which only the mark above lets pass.
    from atomic_registry.identity.ldap_connection import LdapServer, can_bind

    url = LdapUrl.parse(f"ldap://127.0.0.1:{port}/dc=example")
    server = LdapServer(url=url, is_insecure=is_insecure, seconds=1)
    return can_bind(server, "uid=mary", "password")


# A locked account, an unknown one, one without password, a wrong password, and so on.
@pytest.mark.parametrize("code", [19, 32, 34, 48, 49, 50, 53])
def test_every_refusal_of_an_account_is_the_same_answer(code: int) -> None:
    with answering(BIND_RESPONSE, code) as port:
        assert not bind(port, is_insecure=True)


# Operations error, busy, unavailable, a referral that nobody follows.
@pytest.mark.parametrize("code", [1, 10, 51, 52])
def test_a_server_that_cannot_tell_is_a_failure(code: int) -> None:
    with (
        answering(BIND_RESPONSE, code) as port,
        pytest.raises(RemoteFailed),
    ):
        bind(port, is_insecure=True)


@pytest.mark.parametrize(("code", "then"), [(0, b"no TLS at all"), (0, b""), (53, b""), (2, b"")])
def test_no_password_and_no_socket_is_left_behind_by_a_failed_start_tls(
    code: int, then: bytes
) -> None:
    with answering(EXTENDED_RESPONSE, code, then=then) as port:
        with pytest.raises(RemoteFailed):
            bind(port, is_insecure=False)
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(RemoteFailed):
            bind(port, is_insecure=False)
    assert len(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"mary", "mary"),
        ("märy".encode(), "märy"),
        (b"\xff\x00\x01", "_wAB"),
        (b"a\x00b", "YQBi"),
    ],
)
def test_an_id_of_bytes_stays_different_from_every_other(value: bytes, expected: str) -> None:
    from atomic_registry.identity.ldap_connection import Entry

    settings = LdapSettings(
        url=LdapUrl.parse("ldap://127.0.0.1/"), attributes=LdapAttributes(id=("objectGUID",))
    )
    entry = Entry(dn="cn=mary", attributes={"objectguid": (value,)})
    assert Ldap(name="ldap", settings=settings)._person(entry).id == expected


def test_an_answer_that_is_no_ldap_is_a_failure() -> None:
    with answering(0x07, 0) as port, pytest.raises(RemoteFailed):
        bind(port, is_insecure=True)
