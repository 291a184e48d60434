"""Whoever reaches the machine by one of its names can log in there, and others are added later."""

import html
import re
from pathlib import Path

import pytest

from tests.kit.nspawn import PROGRAM, Machine
from tests.kit.optional import run
from tests.system.systemd.conftest import Installed

FIRST, LATER = "registry.test", "images.test"
AUTHORITY = "/etc/atomic-registry/master/ca.crt"


@pytest.fixture
def named(machine: Machine) -> Installed:
    """A machine that got its second name by a second installation."""
    made = Installed(machine)
    hosts = machine.path("/etc/hosts")
    hosts.write_text(f"{hosts.read_text()}\n127.0.0.1 {FIRST} {LATER}\n")
    ports = ["--registry-port", made.registry_port, "--master-port", made.master_port]
    words = [*map(str, ports), "--console-port", str(made.console_port), "--now"]
    machine.run(PROGRAM, "install", FIRST, *words)
    machine.run(PROGRAM, "install", FIRST, LATER, "--now")
    return made


def _form(page: str) -> dict[str, str]:
    found = re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in found}


class Browser:
    """curl with a jar of cookies; it knows the machine by one name only."""

    def __init__(self, installed: Installed, name: str, directory: Path) -> None:
        self.url = f"https://{name}:{installed.master_port}"
        here = f"{name}:{installed.master_port}:127.0.0.1"
        jar = str(directory / "cookies")
        self._words = ["curl", "--silent", "--show-error", "--fail", "--location"]
        self._words += ["--resolve", here, "--cacert", str(installed.authority)]
        self._words += ["--cookie", jar, "--cookie-jar", jar]

    def open(self, path: str, form: dict[str, str] | None = None) -> str:
        """The page where redirects end; a form is posted."""
        words = list(self._words)
        for name, value in (form or {}).items():
            words += ["--data-urlencode", f"{name}={value}"]
        return run([*words, self.url + path])


def test_people_log_in_by_each_name_with_a_password_and_in_a_browser(
    named: Installed, tmp_path: Path
) -> None:
    for name in (FIRST, LATER, "localhost", "127.0.0.1"):
        server = f"https://{name}:{named.master_port}"
        login = ["login", server, f"--certificate-authority={AUTHORITY}"]
        named.machine.run("atomic-registry", *login, "--username", "mary", "--password", "secret")
        assert "mary" in named.machine.run("atomic-registry", "whoami").output
    for name in (FIRST, LATER):
        (tmp_path / name).mkdir()
        browser = Browser(named, name, tmp_path / name)
        page = browser.open("/oauth/token/request")
        action = re.findall(r'<form[^>]*action="([^"]+)"', page)
        form = {**_form(page), "username": "mary", "password": "secret"}
        page = browser.open(html.unescape(action[0]), form)
        assert "Display token" in page
        shown = browser.open("/oauth/token/display", _form(page))
        assert f"--server={browser.url}" in shown


def test_the_console_may_be_redirected_to_by_each_name(named: Installed) -> None:
    kubeconfig = {"KUBECONFIG": "/etc/atomic-registry/master/admin.kubeconfig"}
    shown = named.machine.run(
        "atomic-registry", "get", "oauthclients", "cockpit-oauth-client",
        "--output=jsonpath={.redirectURIs}", environment=kubeconfig,
    ).output  # fmt: skip
    for name in (FIRST, LATER):
        assert f"https://{name}:{named.console_port}" in shown
