"""docs/install.md on a real systemd: each shell block in its order, images pulled after each."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atomic_registry import __version__
from tests.kit.nspawn import PROGRAM, TREE, Machine
from tests.kit.optional import run
from tests.kit.registry import wait_until
from tests.system.systemd.conftest import Client, Installed

PAGE = Path(__file__).resolve().parents[3] / "docs" / "install.md"
FENCE = re.compile(r"^## ([^\n]*)$|^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The machine has the files already, from the working tree.
BRINGS_FILES = re.compile(r"^sudo (?:apt|tar) .*\n", re.MULTILINE)
# Needs the package of a version that is not there yet.
OTHER_VERSION = re.compile(r"atomic-registry update ")
SHELL = """set -eu
sudo() { "$@"; }
mkdir -p /root/page
cd /root/page
"""


def _blocks() -> Iterator[tuple[str, str]]:
    section = "Install"
    for found in FENCE.finditer(PAGE.read_text()):
        if found[1]:
            section = found[1]
        else:
            yield section, found[2]


# Only its place in the page, and no path or port, may stand in the name of a test.
BLOCKS = [
    pytest.param(text, id=f"{number}-{re.sub('[^a-z]+', '-', section.lower())}")
    for number, (section, text) in enumerate(_blocks())
    if not OTHER_VERSION.search(text)
]
DO_INSTALL, START = (str(it.values[0]) for it in BLOCKS[1:3])


class Page:
    """A machine on which the page is followed, on ports that nobody else uses."""

    def __init__(self, machine: Machine) -> None:
        self.installed = Installed(machine)
        hosts = machine.path("/etc/hosts")
        names = "registry.example.com images.example.com"
        hosts.write_text(f"{hosts.read_text()}\n127.0.0.1 {names}\n")
        # What the package brings besides the tree.
        machine.path("/opt/atomic-registry/current").symlink_to(TREE.name)
        machine.path("/usr/bin/atomic-registry").symlink_to(PROGRAM)

    def follow(self, block: str) -> str:
        """Does what the block says; the ports are others, and nothing else is."""
        made = self.installed
        ports = f"--registry-port {made.registry_port} --master-port {made.master_port}"
        ports += f" --console-port {made.console_port}"
        text = BRINGS_FILES.sub("", block).replace(":5000", f":{made.registry_port}")
        text = text.replace(":8443", f":{made.master_port}")
        text = re.sub(r"(install registry\.example\.com)", rf"\1 {ports}", text)
        return made.machine.run("bash", "-c", SHELL + text).output


@pytest.fixture(scope="module")
def page(make_machine: Callable[[str], Iterator[Machine]]) -> Iterator[Page]:
    for machine in make_machine("page"):
        yield Page(machine)


@pytest.fixture(scope="module")
def outside(
    page: Page, image: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Client]:
    """A client with the authority that the master publishes; it pushes when it is first asked."""
    made: list[Client] = []

    def client() -> Client:
        if not made:
            url = f"{page.installed.master}/console/extensions/certs/ca.crt"
            published = run(["curl", "--silent", "--insecure", "--fail", url])
            assert published == page.installed.authority.read_text()
            page.installed.make_project("demo")
            directory = tmp_path_factory.mktemp("outside")
            made.append(Client(page.installed, directory, image))
            made[0].push("demo/page:v1")
        return made[0]

    return client


def test_the_page_names_the_files_of_this_version() -> None:
    brought = [line for _, text in _blocks() for line in BRINGS_FILES.findall(text)]
    assert len(brought) == 2
    assert all(
        f"atomic-registry{mark}{__version__}" in line
        for mark, line in zip("_-", brought, strict=True)
    )


@pytest.mark.parametrize("block", BLOCKS)
def test_each_block_of_the_page_runs_and_what_was_pushed_can_be_pulled_after_it(
    page: Page, outside: Callable[[], Client], block: str
) -> None:
    told = page.follow(block)
    assert "Traceback" not in told
    machine = page.installed.machine
    if "--remove-data" in block:
        for directory in ("/etc/atomic-registry", "/var/lib/atomic-registry"):
            assert not machine.path(directory).exists()
        return
    if "uninstall" in block:
        assert not page.installed.answers(page.installed.registry_port)
        page.follow(DO_INSTALL + START)
    if not machine.path("/etc/systemd/system/atomic-registry.service").exists():
        assert BRINGS_FILES.sub("", block) == ""
        return
    if block == DO_INSTALL:
        return
    wait_until("somebody listens", lambda: page.installed.answers(page.installed.master_port), 30)
    outside().pull("demo/page:v1")
