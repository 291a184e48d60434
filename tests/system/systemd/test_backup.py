"""A backup of an installed machine while it serves, and a second machine that comes of it."""

import json
import shutil
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kit.nspawn import PROGRAM, Machine
from tests.kit.optional import run
from tests.system.systemd.conftest import Client, Installed

PLACE = Path("/srv/backup")
UNIT = "atomic-registry-backup"
NEW_NAME = "second.test"
DROP_IN = Path("/etc/systemd/system/atomic-registry.service.d/site.conf")


@dataclass(frozen=True)
class Moved:
    """The second machine, and what the first one had."""

    second: Installed
    client: Client
    authority: bytes
    token: str
    digests: dict[str, str]


def digest_of(client: Client, installed: Installed, repository: str) -> str:
    """What the registry says is there; skopeo asks it."""
    words = ["skopeo", "inspect", "--cert-dir", str(client.certificates)]
    words += ["--creds", "mary:secret", "--format", "{{.Digest}}"]
    return run([*words, f"docker://{installed.registry}/{repository}"]).strip()


@pytest.fixture(scope="module")
def moved(
    installed: Installed,
    make_machine: Callable[[str], Iterator[Machine]],
    image: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Moved]:
    """Backs the shared machine up as it runs, restores on another, and installs there."""
    before = Client(installed, tmp_path_factory.mktemp("before"), image)
    for name in ("demo/one:v1", "demo/two:v1"):
        before.push(name)
    digests = {it: digest_of(before, installed, it) for it in ("demo/one:v1", "demo/two:v1")}
    token = installed.machine.run("atomic-registry", "whoami", "-t").output.strip()
    drop_in = installed.machine.path(DROP_IN)
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nNice=3\n")
    installed.machine.run("atomic-registry", "backup", "create", PLACE)
    shutil.rmtree(drop_in.parent)
    for machine in make_machine("second"):
        shutil.copytree(installed.machine.path(PLACE), machine.path(PLACE))
        machine.run(PROGRAM, "restore", PLACE)
        second = Installed(machine, names=("localhost", NEW_NAME))
        second.install("--now")
        client = Client(second, tmp_path_factory.mktemp("after"), image)
        authority = installed.authority.read_bytes()
        yield Moved(second, client, authority, token, digests)


def test_the_second_machine_has_the_same_authority_images_and_people(moved: Moved) -> None:
    second, client = moved.second, moved.client
    assert second.authority.read_bytes() == moved.authority
    (client.certificates / "ca.crt").write_bytes(moved.authority)
    for repository, digest in moved.digests.items():
        client.pull(repository)
        assert digest_of(client, second, repository) == digest
    client.push("demo/three:v1")
    request = urllib.request.Request(
        f"{second.master}/apis/user.openshift.io/v1/users/~",
        headers={"Authorization": f"Bearer {moved.token}"},
    )
    context = ssl.create_default_context(cadata=moved.authority.decode())
    with urllib.request.urlopen(request, context=context, timeout=30) as answer:
        assert json.loads(answer.read())["metadata"]["name"] == "mary"
    assert second.machine.show("atomic-registry.service", "Nice") == "3"
    assert second.machine.run("systemctl", "--failed", "--no-legend").output.strip() == ""


def test_a_drill_on_the_machine_touches_nothing_that_runs(moved: Moved) -> None:
    done = moved.second.machine.run("atomic-registry", "backup", "drill", PLACE, "--json")
    drilled = json.loads(done.output[done.output.index("{") :])
    assert drilled["images"] >= 2 and not drilled["faults"]
    assert "atomic-registry-drill-" not in moved.second.machine.run("ls", "/tmp").output


def test_storage_that_was_moved_is_followed_by_backup_and_status(moved: Moved) -> None:
    machine = moved.second.machine
    config = machine.path("/etc/atomic-registry/registry/config.yml")
    machine.path("/etc/systemd/system/atomic-registry.service.d/site.conf").write_text(
        "[Service]\nReadWritePaths=/srv/images\n"
    )
    machine.run("systemctl", "stop", "atomic-registry.socket", "atomic-registry.service")
    machine.run("mv", "/var/lib/atomic-registry/registry", "/srv/images")
    config.write_text(
        config.read_text().replace("/var/lib/atomic-registry/registry", "/srv/images")
    )
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "atomic-registry.socket", "atomic-registry.service")
    moved.client.push("demo/four:v1")
    done = machine.run("atomic-registry", "backup", "create", "/srv/backup2", "--json")
    report = json.loads(done.output)
    assert report["blobs"] and not report["missing"]
    manifest = json.loads((machine.path(report["snapshot"]) / "manifest.json").read_text())
    assert "srv/images" in [it["path"] for it in manifest["places"]]
    status = machine.run("atomic-registry", "status", "-o", "json", check=False)
    told = json.loads(status.output)
    assert told["storage"]["directory"] == "/srv/images"
    assert told["backup"]["isWhole"] and told["backup"]["place"] == report["snapshot"]
    variables = machine.path("/etc/sysconfig/atomic-registry")
    with variables.open("a") as file:
        file.write('REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY="/srv/more images"\n')
    machine.run("mkdir", "/srv/more images")
    status = machine.run("atomic-registry", "status", "-o", "json", check=False)
    assert json.loads(status.output)["storage"]["directory"] == "/srv/more images"


def test_the_timer_is_off_until_it_is_wanted_and_its_service_backs_up(installed: Installed) -> None:
    machine = installed.machine
    assert machine.show(f"{UNIT}.timer", "UnitFileState") == "disabled"
    checked = machine.run("systemd-analyze", "verify", f"{UNIT}.service", f"{UNIT}.timer")
    assert "atomic-registry" not in checked.output
    judged = machine.run("systemd-analyze", "security", f"{UNIT}.service").output
    assert float(judged.partition("Overall exposure level for ")[2].split()[1]) <= 3.0, judged
    machine.run("systemctl", "enable", "--now", f"{UNIT}.timer")
    try:
        assert machine.show(f"{UNIT}.timer", "NextElapseUSecRealtime")
        machine.run("systemctl", "start", f"{UNIT}.service")
    finally:
        machine.run("systemctl", "disable", "--now", f"{UNIT}.timer")
    assert "Backed up" in machine.journal(f"{UNIT}.service")
    machine.run("atomic-registry", "backup", "verify", "/var/backups/atomic-registry")
    status = machine.run("atomic-registry", "status", check=False).output
    assert "to /var/backups/atomic-registry/snapshots/" in status and ", whole" in status
