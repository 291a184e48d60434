"""The registry's own files, in the form of the original, read by the installed service."""

import contextlib
import http.client
import ssl
from collections.abc import Iterator

import pytest

from tests.system.systemd.conftest import Installed

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

    def header(self, name: str) -> str | None:
        """Asks the registry, whose certificate must be of the machine's CA."""
        context = ssl.create_default_context(cafile=str(self.installed.authority))
        port = self.installed.registry_port
        connection = http.client.HTTPSConnection("localhost", port, timeout=30, context=context)
        with contextlib.closing(connection):
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            answer.read()
            return answer.headers[name]


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
