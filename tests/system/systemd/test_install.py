"""Installing, again and again, over changes, and where it cannot be done; and taking it off."""

import hashlib
import shutil
import socket
from pathlib import Path

from tests.kit.nspawn import PROGRAM, Machine, run_here
from tests.kit.registry import wait_until
from tests.system.systemd.conftest import NAMES, Client, Installed

MASTER = "/etc/atomic-registry/master"
MODES = {
    "/etc/atomic-registry": "755 root root",
    MASTER: "750 root atomic-registry",
    f"{MASTER}/ca.crt": "644 root root",
    f"{MASTER}/ca.key": "600 root root",
    f"{MASTER}/master.server.key": "600 root root",
    f"{MASTER}/admin.key": "600 root root",
    f"{MASTER}/admin.kubeconfig": "600 root root",
    f"{MASTER}/session-secrets.yaml": "640 root atomic-registry-master",
    f"{MASTER}/master-config.yaml": "640 root atomic-registry",
    "/etc/atomic-registry/registry": "750 root atomic-registry",
    "/etc/atomic-registry/registry/registry.key": "600 root root",
    "/etc/atomic-registry/registry/config.yml": "640 root atomic-registry",
    "/etc/atomic-registry/console": "750 root atomic-registry-console",
    "/etc/atomic-registry/console/console.key": "600 root root",
    "/etc/atomic-registry/serviceaccount": "750 root atomic-registry",
    "/etc/sysconfig/atomic-registry": "644 root root",
    "/var/lib/atomic-registry": "2770 root atomic-registry",
    "/var/lib/atomic-registry/datastore": "2770 atomic-registry-master atomic-registry",
    "/var/lib/atomic-registry/registry": "2770 atomic-registry atomic-registry",
}


def _fingerprints(machine: Machine) -> dict[str, str]:
    """Everything that an installation may write, by its content."""
    found: dict[str, str] = {}
    for top in ("/etc", "/opt/atomic-registry", "/usr/local/bin", "/var/lib/atomic-registry"):
        for path in sorted(machine.path(top).rglob("*")):
            is_ours = "atomic" in str(path.relative_to(machine.disk)) or "oadm" in path.name
            if is_ours and path.is_file() and "site-packages" not in path.parts:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                found[str(path)] = content
    return found


def test_every_file_has_its_mode_and_its_owner(installed: Installed) -> None:
    paths = list(MODES)
    shown = installed.machine.run("stat", "--format=%a %U %G", *paths).output.splitlines()
    assert MODES == dict(zip(paths, shown, strict=True))
    datastore = "/var/lib/atomic-registry/datastore"
    files = installed.machine.run("find", datastore, "-type", "f", "-printf", "%m %g\n").output
    assert {"660 atomic-registry"} == set(files.splitlines())


def test_a_dry_run_changes_nothing_and_names_each_step(machine: Machine) -> None:
    before = _fingerprints(machine)
    told = machine.run(PROGRAM, "install", *NAMES, "--dry-run", *_ports(machine)).output
    assert before == _fingerprints(machine)
    for path in MODES:
        assert path in told


def _ports(machine: Machine) -> list[str]:
    # What stands on the default ports of this machine is no business of the test.
    made = Installed(machine)
    ports = {"registry": made.registry_port, "master": made.master_port}
    ports["console"] = made.console_port
    return [word for name, port in ports.items() for word in (f"--{name}-port", str(port))]


def test_installing_twice_changes_nothing(machine: Machine) -> None:
    made = Installed(machine)
    made.install()
    before = _fingerprints(machine)
    told = made.install()
    assert before == _fingerprints(machine)
    assert "written" not in told and "renewed" not in told and ".new" not in told
    # What was asked for once is remembered.
    machine.run(PROGRAM, "install")
    assert before == _fingerprints(machine)


def test_what_an_administrator_changed_stays_and_the_new_default_lands_beside_it(
    machine: Machine,
) -> None:
    made = Installed(machine)
    made.install()
    config = machine.path(f"{MASTER}/master-config.yaml")
    own = config.read_text().replace('projectRequestMessage: ""', 'projectRequestMessage: "ask"')
    own += "# bindPassword: hush-hush\n"
    config.write_text(own)
    assert "kept as you changed it" in made.install()
    assert not config.with_name("master-config.yaml.new").exists()
    told = made.install("--identity-provider", "htpasswd")
    assert own == config.read_text()
    assert "HTPasswd" in config.with_name("master-config.yaml.new").read_text()
    assert "+      kind: HTPasswdPasswordIdentityProvider" in told
    assert "hush-hush" not in told


def test_a_certificate_of_somebody_else_stays(machine: Machine, tmp_path: Path) -> None:
    made = Installed(machine)
    made.install()
    key, certificate = tmp_path / "own.key", tmp_path / "own.crt"
    run_here(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-subj", "/CN=own", "-keyout", str(key), "-out", str(certificate),
    )  # fmt: skip
    place = machine.path("/etc/atomic-registry/registry")
    shutil.copyfile(key, place / "registry.key")
    shutil.copyfile(certificate, place / "registry.crt")
    machine.run(PROGRAM, "install", *NAMES, "more.test", *_ports(machine))
    assert certificate.read_bytes() == (place / "registry.crt").read_bytes()


def test_all_mistakes_are_told_at_once_and_nothing_is_changed(machine: Machine) -> None:
    before = _fingerprints(machine)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = machine.run(
            PROGRAM, "install", "https://registry.test", "192.0.2.300", "--registry-port", port,
            "--console-port", "8443", check=False,
        )  # fmt: skip
    assert done.code == 1
    assert "'https://registry.test' is neither a host name nor an address" in done.output
    assert "'192.0.2.300' is neither" in done.output
    assert f"port {port} is in use by another program" in done.output
    assert "two services cannot share a port" in done.output
    assert "Traceback" not in done.output
    assert before == _fingerprints(machine)


def test_without_root_it_says_so_and_nothing_is_changed(machine: Machine) -> None:
    before = _fingerprints(machine)
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    done = machine.run(*words, PROGRAM, "install", *NAMES, *_ports(machine), check=False)
    assert done.code == 1 and "this needs root" in done.output
    assert before == _fingerprints(machine)


def test_without_systemd_it_says_so_and_nothing_is_changed(machine: Machine) -> None:
    before = _fingerprints(machine)
    words = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs t /run/systemd && exec "$@"', "sh"]
    done = machine.run(*words, PROGRAM, "install", *NAMES, *_ports(machine), check=False)
    assert done.code == 1 and "systemd does not run this machine" in done.output
    assert before == _fingerprints(machine)


def test_a_disk_too_small_is_told_before_anything_is_changed(machine: Machine) -> None:
    before = _fingerprints(machine)
    mount = 'mount -t tmpfs -o size=4m t /var/lib && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", mount, "sh"]
    done = machine.run(*words, PROGRAM, "install", *NAMES, *_ports(machine), check=False)
    assert done.code == 1 and "KiB are needed" in done.output
    assert before == _fingerprints(machine)


def test_a_disk_that_fills_up_on_the_way_has_everything_taken_back(machine: Machine) -> None:
    before = _fingerprints(machine)
    # Room for the directories, and for no file: the first unit does not fit.
    mount = 'mount -t tmpfs -o nr_inodes=3 t /etc/systemd/system && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", mount, "sh"]
    done = machine.run(*words, PROGRAM, "install", *NAMES, *_ports(machine), check=False)
    assert done.code == 1
    assert "No space left on device" in done.output
    assert "all that was done before is taken back" in done.output
    assert before == _fingerprints(machine)
    Installed(machine).install()


def test_a_start_that_fails_says_what_to_do_and_does_not_loop(machine: Machine) -> None:
    made = Installed(machine)
    made.install()
    config = machine.path(f"{MASTER}/master-config.yaml")
    config.write_text(config.read_text().replace("servingInfo:", "servingInf:"))
    done = machine.run("systemctl", "start", "atomic-registry-master.service", check=False)
    assert done.code != 0
    assert "failed" == machine.show("atomic-registry-master.service", "ActiveState")
    assert "0" == machine.show("atomic-registry-master.service", "NRestarts")
    told = machine.journal("atomic-registry-master.service")
    assert f"{MASTER}/master-config.yaml: servingInf" in told and "servingInfo" in told
    assert "Traceback" not in told


def test_a_closed_start_makes_an_administrator_whose_password_only_root_reads(
    machine: Machine,
) -> None:
    made = Installed(machine)
    told = made.install("--identity-provider", "htpasswd", "--now")
    password = machine.path(f"{MASTER}/admin.password").read_text().strip()
    assert len(password) >= 20 and password not in told
    shown = machine.run("stat", "--format=%a %U", f"{MASTER}/admin.password").output
    assert "600 root\n" == shown
    login = ["login", made.master, f"--certificate-authority={MASTER}/ca.crt"]
    wrong = [*login, "--username", "mary", "--password", "secret"]
    assert machine.run("atomic-registry", *wrong, check=False).code == 1
    machine.run("atomic-registry", *login, "--username", "admin", "--password", password)
    assert "yes" in machine.run("atomic-registry", "can-i", "delete", "users").output


def test_images_and_keys_outlive_uninstall_and_reinstall(
    machine: Machine, image: Path, tmp_path: Path
) -> None:
    made = Installed(machine)
    made.install("--now")
    made.make_project("demo")
    client = Client(made, tmp_path, image)
    client.push("demo/kept:v1")
    authority = made.authority.read_bytes()
    machine.run("atomic-registry", "uninstall")
    assert not made.answers(made.registry_port)
    listing = ["systemctl", "list-unit-files", "--no-legend", "atomic-registry*"]
    assert "" == machine.run(*listing, check=False).output
    assert not machine.path("/usr/local/bin/oadm").is_symlink()
    made.install("--now")
    assert authority == made.authority.read_bytes()
    # With the CA that the client got before.
    client.pull("demo/kept:v1")


def test_removing_the_data_asks_first(machine: Machine) -> None:
    Installed(machine).install()
    done = machine.run("atomic-registry", "uninstall", "--remove-data", check=False)
    assert done.code == 1 and "--yes" in done.output
    assert machine.path(f"{MASTER}/ca.key").exists()
    machine.run("atomic-registry", "uninstall", "--remove-data", "--yes")
    left = [path for path in _fingerprints(machine) if "/opt/" not in path]
    assert left == []
    assert not machine.path("/var/lib/atomic-registry").exists()


def test_the_setup_script_of_the_original_explains_itself(installed: Installed) -> None:
    wait_until(
        "the services run",
        lambda: (
            installed.machine.run("/var/run/setup-atomic-registry.sh", "x", check=False).code == 0
        ),
        30,
    )
    told = installed.machine.run("/var/run/setup-atomic-registry.sh", "registry.test").output
    assert "Nothing is left to set up" in told
    assert "atomic-registry runs." in told


def test_changed_ports_are_taken_by_services_that_run(
    machine: Machine, image: Path, tmp_path: Path
) -> None:
    made = Installed(machine)
    made.install("--now")
    made.make_project("demo")
    Client(made, tmp_path, image).push("demo/ports:v1")
    moved = Installed(machine)
    moved.install("--now")
    assert not moved.answers(made.registry_port) and not moved.answers(made.master_port)
    (tmp_path / "moved").mkdir()
    Client(moved, tmp_path / "moved", image).pull("demo/ports:v1")


def test_the_tree_of_an_image_is_installed_and_the_machine_stays_as_it_was(
    machine: Machine,
) -> None:
    before = _fingerprints(machine)
    tree = machine.path("/srv/tree")
    (tree / "etc").mkdir(parents=True)
    machine.run(PROGRAM, "install", "registry.test", "--root", "/srv/tree", "--now")
    assert before == _fingerprints(machine)
    owners = {
        line.split(":")[0]: int(line.split(":")[2])
        for line in (tree / "etc" / "passwd").read_text().splitlines()
    }
    datastore = tree / "var/lib/atomic-registry/datastore"
    assert owners["atomic-registry-master"] == datastore.stat().st_uid
    assert (tree / "etc/atomic-registry/master/ca.key").stat().st_mode & 0o777 == 0o600
    units = ["atomic-registry-master.service", "atomic-registry-certificates.timer"]
    shown = machine.run("systemctl", "--root=/srv/tree", "is-enabled", *units).output
    assert ["enabled", "enabled"] == shown.split()


def test_no_secret_is_printed_by_an_installation(machine: Machine) -> None:
    told = Installed(machine).install("--identity-provider", "htpasswd")
    secrets = [
        *machine.path(f"{MASTER}/session-secrets.yaml").read_text().split('"')[1::2],
        machine.path(f"{MASTER}/admin.password").read_text().strip(),
        machine.path(f"{MASTER}/ca.key").read_text().splitlines()[1],
    ]
    assert len(secrets) == 4 and not any(secret in told for secret in secrets)


def test_an_open_door_is_told_loudly_at_installation_and_at_each_start(
    installed: Installed,
) -> None:
    assert "ANYBODY may log in as anybody" in installed.install()
    installed.machine.run("systemctl", "restart", "atomic-registry-master.service")
    assert "can log in under any name" in installed.machine.journal(
        "atomic-registry-master.service"
    )


def test_nothing_is_written_twice_by_installing_and_setting_up_again(machine: Machine) -> None:
    made = Installed(machine)
    made.install("--now")
    made.install("--now")
    machine.run("/var/run/setup-atomic-registry.sh", "registry.test", check=False)
    assert "default" == machine.path("/etc/atomic-registry/serviceaccount/namespace").read_text()
    lines = machine.path("/etc/sysconfig/atomic-registry").read_text().splitlines()
    names = [line.partition("=")[0] for line in lines if line and not line.startswith("#")]
    assert len(names) == len(set(names))
