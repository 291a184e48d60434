"""A real LDAP server with a directory of a few people, in clear with StartTLS and in TLS."""

import datetime as dt
import ipaddress
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.kit.optional import lacking

SLAPD = Path("/usr/sbin/slapd")
BASE = "dc=example,dc=test"
ADMIN = f"cn=admin,{BASE}"
ADMIN_PASSWORD = "adminpw"

_CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {folder}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile {folder}/server.crt
TLSCertificateKeyFile {folder}/server.key
database mdb
suffix "dc=example,dc=test"
rootdn "cn=admin,dc=example,dc=test"
rootpw adminpw
directory {folder}/db
access to attrs=userPassword by self write by anonymous auth by * none
access to * by users read by anonymous auth by * none
"""

_PERSON = """
dn: uid={uid},ou=people,dc=example,dc=test
objectClass: inetOrgPerson
uid: {uid}
cn: {cn}
sn: {cn}
mail: {mail}
userPassword: {password}
"""

_TREE = """
dn: dc=example,dc=test
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: ou=people,dc=example,dc=test
objectClass: organizationalUnit
ou: people
"""

PEOPLE = (
    {"uid": "alice", "cn": "Alice A", "mail": "alice@example.test", "password": "alicepw"},
    {"uid": "bob", "cn": "Bob B", "mail": "shared@example.test", "password": "bobpw"},
    {"uid": "carol", "cn": "Carol C", "mail": "shared@example.test", "password": "carolpw"},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """Where the server listens and which CA signed its certificate, made out to 127.0.0.1."""

    port: int
    tls_port: int
    ca: Path


@contextmanager
def running(folder: Path) -> Iterator[Directory]:
    """Run a server below the folder."""
    if not SLAPD.exists():
        lacking("slapd is not installed")
    write_chain(folder)
    (folder / "db").mkdir()
    (folder / "slapd.conf").write_text(_CONFIGURATION.format(folder=folder))
    people = "".join(_PERSON.format(**person) for person in PEOPLE)
    (folder / "init.ldif").write_text(_TREE + people)
    config = ["-f", str(folder / "slapd.conf")]
    subprocess.run(
        ["/usr/sbin/slapadd", "-q", *config, "-l", str(folder / "init.ldif")],
        check=True,
        capture_output=True,
        timeout=30,
    )
    ports = _free_ports(2)
    urls = f"ldap://127.0.0.1:{ports[0]} ldaps://127.0.0.1:{ports[1]}"
    # -d keeps it in the foreground, so that it can be ended by its own id.
    with (folder / "slapd.log").open("wb") as log:
        process = subprocess.Popen(
            [str(SLAPD), *config, "-h", urls, "-d", "0"], stdout=log, stderr=log
        )
    try:
        _wait_for(ports[0])
        yield Directory(port=ports[0], tls_port=ports[1], ca=folder / "ca.crt")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def write_chain(folder: Path) -> None:
    """Write ca.crt, and server.crt with server.key that it signed for 127.0.0.1."""
    authority = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("Test CA", "Test CA", authority, authority, is_ca=True)
    leaf = _certificate("127.0.0.1", "Test CA", key, authority, is_ca=False)
    (folder / "ca.crt").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (folder / "server.crt").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    (folder / "server.key").chmod(0o600)


def _certificate(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    is_ca: bool,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if not is_ca:
        address = x509.IPAddress(ipaddress.ip_address(subject))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("slapd did not start")
