"""From the package to a running service, to the next version and back; nothing pushed is lost."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atomic_registry import __version__
from tests.kit import packages
from tests.kit.nspawn import Machine, need_machine
from tests.kit.packages import BROKEN, NEXT, need_package_tools
from tests.kit.registry import free_port, wait_until
from tests.system.systemd.conftest import Client, Installed

# Packages are built first, and each machine gets them anew.
pytestmark = pytest.mark.timeout(600)
BASE = Path("/opt/atomic-registry")
SERVICES = ("atomic-registry-master", "atomic-registry", "atomic-registry-console")


@pytest.fixture
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with the .deb on it, and nothing else of ours."""
    need_machine()
    need_package_tools()
    machine = Machine(f"ar-package-{free_port()}", tmp_path_factory.mktemp("machine") / "package")
    machine.prepare()
    try:
        machine.boot()
        install_deb(machine, __version__)
        yield machine
    finally:
        machine.remove()


@pytest.fixture
def installed(machine: Machine) -> Installed:
    """The services, installed from the package."""
    made = Installed(machine)
    made.install("--now")
    made.make_project("demo")
    return made


@pytest.fixture
def client(installed: Installed, image: Path, tmp_path: Path) -> Client:
    """A client that has pushed an image before anything happens."""
    client = Client(installed, tmp_path, image)
    client.push("demo/app:before")
    return client


def install_deb(machine: Machine, version: str, *, check: bool = True) -> str:
    place = machine.path(f"/root/{version}.deb")
    shutil.copyfile(packages.deb(version), place)
    done = machine.run("dpkg", "--install", f"/root/{version}.deb", check=check, seconds=400)
    return done.output


def tree_of(machine: Machine, version: str, change: Callable[[Path], None] | None = None) -> Path:
    """A tree of another version, made from the one in the package."""
    place = Path(f"/root/tree-{version}")
    shutil.copytree(machine.path(BASE / "package"), machine.path(place), symlinks=True)
    (package,) = machine.path(place).glob("lib/*/site-packages/atomic_registry")
    own = package / "__init__.py"
    own.write_text(own.read_text().replace(f'"{__version__}"', f'"{version}"'))
    if change is not None:
        change(package)
    return place


def update(machine: Machine, *words: str | Path, check: bool = True) -> str:
    done = machine.run("atomic-registry", "update", *words, check=check, seconds=400)
    assert check or done.code != 0, done.output
    return done.output


def runs(installed: Installed) -> set[str]:
    """The versions that the services run, by the files of their processes."""
    found = set()
    for service in SERVICES:
        process = installed.machine.show(f"{service}.service", "MainPID")
        maps = installed.machine.run("cat", f"/proc/{process}/maps").output
        found |= {
            it.split(f"{BASE}/")[1].split("/")[0] for it in maps.splitlines() if f"{BASE}/" in it
        }
    return found


def in_use(machine: Machine) -> str:
    return machine.path(BASE / "current").readlink().name


def test_a_package_is_installed_updated_and_gone_back_from(
    installed: Installed, client: Client
) -> None:
    machine = installed.machine
    assert {__version__} == runs(installed)
    tree = tree_of(machine, NEXT)
    told = update(machine, tree, "--dry-run")
    assert "nothing was changed" in told and __version__ == in_use(machine)
    update(machine, tree)
    assert NEXT == in_use(machine) and {NEXT} == runs(installed)
    client.pull("demo/app:before")
    client.push("demo/app:after")
    update(machine, "--rollback")
    assert {__version__} == runs(installed)
    client.pull("demo/app:after")


def test_a_version_that_does_not_start_is_replaced_by_the_one_before(
    installed: Installed, client: Client
) -> None:
    def break_the_services(package: Path) -> None:
        broken = package / "cli" / "serve.py"
        broken.write_text('raise RuntimeError("this version is broken")\n')

    machine = installed.machine
    told = update(machine, tree_of(machine, BROKEN, break_the_services), check=False)
    assert "this version is broken" in told
    assert f"{__version__} is in use again" in told
    assert {__version__} == runs(installed)
    client.pull("demo/app:before")


def test_a_version_without_a_way_back_is_refused_before_anything_changes(
    installed: Installed, client: Client
) -> None:
    def cut_the_way_back(package: Path) -> None:
        schema = package / "store" / "metadata" / "schema.py"
        last = max((package / "store" / "metadata" / "migrations" / "versions").glob("r*.py"))
        number = int(last.name[1:5])
        text = schema.read_text()
        schema.write_text(
            text.replace(f"SCHEMA_VERSION = {number}", f"SCHEMA_VERSION = {number + 1}")
        )
        last.with_name(f"r{number + 1:04}_one_way.py").write_text(
            f'from alembic import op\nrevision = "{number + 1:04}"\n'
            f'down_revision = "{number:04}"\ndef upgrade() -> None:\n'
            f'    op.execute("UPDATE schema_info SET schema_version = {number + 1}, '
            f"compat_version = {number + 1}, compat_release = '{NEXT}'\")\n"
        )

    machine = installed.machine
    told = update(machine, tree_of(machine, NEXT, cut_the_way_back), check=False)
    assert "no way back" in told and "--one-way" in told
    assert __version__ == in_use(machine) and {__version__} == runs(installed)
    update(machine, NEXT, "--one-way")
    client.pull("demo/app:before")
    told = update(machine, "--rollback", check=False)
    assert "nothing was changed" in told and f"install Atomic Registry {NEXT}" in told
    assert {NEXT} == runs(installed)


def test_an_update_that_is_killed_leaves_a_machine_that_boots_on_one_of_the_versions(
    installed: Installed, client: Client
) -> None:
    machine = installed.machine
    tree = tree_of(machine, NEXT)
    for moment in ("reads the settings", "switching to", "restarting atomic-registry-master",
                   "restarting atomic-registry\n"):  # fmt: skip
        _kill_at(machine, tree, moment)
        machine.reboot()
        wait_until("the services run", lambda: _all_run(installed), 60)
        versions = runs(installed)
        assert versions in ({__version__}, {NEXT})
        client.pull("demo/app:before")
        if versions == {NEXT}:
            update(machine, "--rollback")


def _kill_at(machine: Machine, tree: Path, moment: str) -> None:
    """Starts an update and kills it with all its children, once it has said something."""
    command = ["nsenter", "-t", str(machine.leader), "-a", "env", "-i", "PYTHONUNBUFFERED=1"]
    command += ["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    command += ["setsid", "atomic-registry", "update", str(tree)]
    said = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if moment in said:
                break
        machine.run("pkill", "-KILL", "--full", "atomic-registry update")
    assert moment in said, said


def _all_run(installed: Installed) -> bool:
    return all(
        installed.machine.show(f"{it}.service", "ActiveState") == "active" for it in SERVICES
    )


def test_the_package_manager_updates_the_services_and_takes_no_data(
    installed: Installed, client: Client
) -> None:
    machine = installed.machine
    told = install_deb(machine, NEXT)
    assert {NEXT} == runs(installed), told
    client.pull("demo/app:before")
    update(machine, "--rollback")
    assert {__version__} == runs(installed)
    authority = installed.authority.read_bytes()
    machine.run("dpkg", "--purge", "atomic-registry")
    assert not machine.path(BASE).exists() and not installed.answers(installed.registry_port)
    assert authority == installed.authority.read_bytes()
    install_deb(machine, NEXT)
    machine.run("atomic-registry", "install", "--now")
    client.pull("demo/app:before")
