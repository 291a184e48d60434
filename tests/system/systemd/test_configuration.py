"""The registry's own files, in the form of the original, read by the installed service."""

import contextlib
import http.client
import ssl
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.kit.registry import free_port
from tests.system.systemd.conftest import Client, Installed

UNIT = "atomic-registry.service"
CONFIG = "/etc/atomic-registry/registry/config.yml"
VARIABLES = "/etc/sysconfig/atomic-registry"


class Edited:
    """Changes the two files, and starts the registry with them."""

    def __init__(self, installed: Installed) -> None:
        self.installed = installed
        self.config = installed.machine.path(CONFIG)
        self.variables = installed.machine.path(VARIABLES)

    def restart(self, *, check: bool = True) -> int:
        self.installed.machine.run("systemctl", "reset-failed", UNIT, check=False)
        return self.installed.machine.run("systemctl", "restart", UNIT, check=check).code

    def header(self, name: str, *, port: int = 0, address: str = "localhost") -> str | None:
        """Asks the registry, whose certificate must be of the machine's CA."""
        connection = self._connection(port, address)
        with contextlib.closing(connection):
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            answer.read()
            return answer.headers[name]

    def served(self) -> bytes:
        """The certificate that the registry shows."""
        connection = self._connection()
        with contextlib.closing(connection):
            connection.connect()
            assert isinstance(connection.sock, ssl.SSLSocket)
            return connection.sock.getpeercert(binary_form=True) or b""

    def leaf(self, path: str) -> bytes:
        """The first certificate of a file of the machine."""
        pem = self.installed.machine.path(path).read_bytes()
        first = x509.load_pem_x509_certificates(pem)[0]
        return first.public_bytes(serialization.Encoding.DER)

    def _connection(self, port: int = 0, address: str = "localhost") -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.installed.authority))
        # Only localhost is a name of the certificate.
        context.check_hostname = address == "localhost"
        port = port or self.installed.registry_port
        return http.client.HTTPSConnection(address, port, timeout=30, context=context)


@pytest.fixture
def edited(installed: Installed) -> Iterator[Edited]:
    """The files as they were are put back at the end."""
    files = Edited(installed)
    before = files.config.read_text(), files.variables.read_text()
    yield files
    files.config.write_text(before[0])
    files.variables.write_text(before[1])
    files.restart()


def test_config_yml_and_the_variables_over_it_are_what_the_service_does(edited: Edited) -> None:
    text = edited.config.read_text().replace("http:\n", "http:\n  headers: {X-Site: [north]}\n")
    edited.config.write_text(f"{text}redis: {{addr: localhost}}\n")
    lines = ["REGISTRY_LOG_FIELDS_SITE=north", "REGISTRYIMAGE=openshift/origin-docker-registry"]
    lines += ["OPTIONS=--loglevel=4"]
    lines += [
        f"REGISTRY_HTTP_TLS_{name}=/etc/atomic-registry/registry/registry.{ending}"
        for name, ending in (("CERTIFICATE", "crt"), ("KEY", "key"))
    ]
    edited.variables.write_text(edited.variables.read_text() + "\n".join(lines) + "\n")
    edited.restart()
    assert edited.header("X-Site") == "north"
    journal = edited.installed.machine.journal(UNIT)
    assert '"keys":["redis","REGISTRYIMAGE"]' in journal
    assert '"site":"north"' in journal


def test_a_key_that_cannot_be_honoured_keeps_the_service_from_starting(edited: Edited) -> None:
    with edited.variables.open("a") as file:
        file.write("REGISTRY_STORAGE_S3_BUCKET=images\n")
    with edited.config.open("a") as file:
        file.write("htttp: {}\n")
    assert edited.restart(check=False) != 0
    journal = edited.installed.machine.journal(UNIT)
    assert "REGISTRY_STORAGE_S3_BUCKET: this version does not support it" in journal
    assert f"{CONFIG}: htttp: there is no such key (did you mean http?)" in journal
    assert edited.installed.machine.show(UNIT, "ExecMainStatus") == "78"


def test_the_original_steps_to_secure_the_endpoint_serve_that_certificate(edited: Edited) -> None:
    machine = edited.installed.machine
    master, registry = "/etc/atomic-registry/master", "/etc/atomic-registry/registry"
    machine.run("cp", "-a", "/etc/atomic-registry", "/root/before")
    make = "oadm ca create-server-cert --signer-cert=ca.crt --signer-key=ca.key"
    make += " --signer-serial=ca.serial.txt --hostnames='localhost,images.example.test'"
    try:
        machine.run("sh", "-ec", f"cd {master}; {make} --cert=registry.crt --key=registry.key")
        machine.run("sh", "-ec", f"cp {master}/registry.* {registry}/")
        machine.run("chown", "-R", "atomic-registry:root", f"{registry}/")
        machine.run("sed", "-i", "s/^# *REGISTRY_HTTP_TLS/REGISTRY_HTTP_TLS/", VARIABLES)
        assert edited.variables.read_text().count("\nREGISTRY_HTTP_TLS_") == 2
        edited.restart()
        assert (
            edited.served()
            == edited.leaf(f"{registry}/registry.crt")
            != edited.leaf("/root/before/registry/registry.crt")
        )

        # Under names of its own: it is the variables that say which one.
        machine.run("sh", "-ec", f"cd {registry}; {make.replace('=ca.', f'={master}/ca.')}"
                    " --cert=public.crt --key=public.key; chown atomic-registry: public.*")  # fmt: skip
        machine.run("sed", "-i", f"s#={registry}/registry[.]#={registry}/public.#", VARIABLES)
        edited.restart()
        assert edited.served() == edited.leaf(f"{registry}/public.crt")
    finally:
        machine.run("rm", "-r", "/etc/atomic-registry")
        machine.run("mv", "/root/before", "/etc/atomic-registry")


def test_an_address_in_sysconfig_holds_after_a_restart_of_the_service(edited: Edited) -> None:
    installed, other = edited.installed, free_port()
    lines = edited.variables.read_text().replace(
        f"REGISTRY_HTTP_ADDR=:{installed.registry_port}\n", f"REGISTRY_HTTP_ADDR=:{other}\n"
    )
    edited.variables.write_text(lines)
    edited.restart()
    assert edited.header("Content-Type", port=other) is not None
    # The socket of systemd still listens, and nobody is left waiting there.
    with pytest.raises((ssl.SSLError, ConnectionError)):
        edited.header("Content-Type")
    assert f"atomic-registry install --registry-port {other}" in installed.machine.journal(UNIT)

    edited.variables.write_text(lines.replace(f"=:{other}\n", f"=127.0.0.2:{other}\n"))
    edited.restart()
    with pytest.raises(ConnectionRefusedError):
        edited.header("Content-Type", port=other)

    narrow = f"REGISTRY_HTTP_ADDR=127.0.0.2:{installed.registry_port}\n"
    edited.variables.write_text(lines.replace(f"REGISTRY_HTTP_ADDR=:{other}\n", narrow))
    edited.restart()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        edited.header("Content-Type")
    assert edited.header("Content-Type", address="127.0.0.2") is not None


def test_the_master_too_knows_where_images_lie_and_that_they_may_not_change(
    edited: Edited, client: Client
) -> None:
    machine, drop_in = edited.installed.machine, "[Service]\nReadWritePaths=/srv/images\n"
    units = (UNIT, "atomic-registry-master.service")
    run = ["install", "-d", "-o", "atomic-registry", "-g", "atomic-registry", "-m", "2770"]
    machine.run(*run, "/srv/images")
    machine.run("cp", "-a", "/var/lib/atomic-registry/registry/.", "/srv/images")
    for unit in units:
        directory = machine.path(f"/etc/systemd/system/{unit}.d")
        directory.mkdir()
        (directory / "storage.conf").write_text(drop_in)
    text = edited.config.read_text()
    moved = text.replace("/var/lib/atomic-registry/registry", "/srv/images")
    edited.config.write_text(moved)
    # As the original's steps leave it.
    machine.run("chown", "atomic-registry:root", CONFIG)
    try:
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "restart", *units)
        client.push("demo/moved:v1")
        path = "jsonpath={.image.dockerImageMetadata.Architecture}"
        shown = machine.run("atomic-registry", "get", "istag", "moved:v1", "-n", "demo", "-o", path)
        assert "amd64" in shown.output

        edited.variables.write_text(
            edited.variables.read_text()
            + '\nREGISTRY_STORAGE_MAINTENANCE_READONLY={"enabled": true}\n'
        )
        machine.run("systemctl", "restart", *units)
        delete = ["atomic-registry", "delete", "istag", "moved:v1", "-n", "demo"]
        refused = machine.run(*delete, check=False)
        assert refused.code == 1
        assert "read-only" in refused.output
    finally:
        for unit in units:
            machine.run("rm", "-r", f"/etc/systemd/system/{unit}.d")
        machine.run("chown", "root:atomic-registry", CONFIG)
        machine.run("cp", "-a", "/srv/images/.", "/var/lib/atomic-registry/registry")
        edited.config.write_text(text)
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "restart", units[1])
