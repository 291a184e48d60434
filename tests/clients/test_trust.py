"""The trust script against a running site, and the clients that it has set up."""

import hashlib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.kit.access import Site
from tests.kit.certificates import ClientAuthorityFiles
from tests.kit.optional import need_commands, run
from tests.kit.registry import clean_environment

WRONG = "0" * 64
STEP = [
    "ca",
    "create-server-cert",
    "--signer-cert=ca.crt",
    "--signer-key=ca.key",
    "--signer-serial=ca.serial.txt",
    "--hostnames=127.0.0.1",
    "--cert=registry.crt",
    "--key=registry.key",
]
NAMES = {"ATOMIC_REGISTRY_MASTER_HOSTNAMES": "127.0.0.1"}


class SecureSite(Site):
    """A site whose registry speaks TLS too."""

    def _is_up(self, service: str, process: subprocess.Popen[bytes]) -> bool:
        if service == "master":
            return super()._is_up(service, process)
        assert process.poll() is None, self.output()
        host, port = self.host.split(":")
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except OSError:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A root directory of its own, and the script as the site hands it out."""

    site: Site
    script: Path
    root: Path
    shell: tuple[str, ...] = ("sh",)

    @property
    def fingerprint(self) -> str:
        der = ssl.PEM_cert_to_DER_cert(self.site.ca.read_text())
        return hashlib.sha256(der).hexdigest()

    def call(self, *options: str) -> tuple[int, str]:
        done = subprocess.run(
            [*self.shell, self.script, f"--root={self.root}", *options],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=clean_environment(),
        )
        return done.returncode, done.stdout + done.stderr

    def ok(self, *options: str) -> str:
        code, said = self.call(*options)
        assert code == 0, said
        return said

    def files(self) -> dict[str, str]:
        """Everything below the root."""
        return {
            str(path.relative_to(self.root)): path.read_text()
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
        }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Both services with certificates of the site's own authority."""
    folder = tmp_path_factory.mktemp("trust")
    master = folder / "root" / "master"
    site = SecureSite(
        folder,
        {
            **NAMES,
            "ATOMIC_REGISTRY_HTTP_TLS_CERTIFICATE": str(master / "registry.crt"),
            "ATOMIC_REGISTRY_HTTP_TLS_KEY": str(master / "registry.key"),
        },
    )
    try:
        site.start("master")
        # The step of the original's README, in the directory that it names.
        run([sys.executable, "-m", "atomic_registry", *STEP], cwd=master)
        site.start("registry")
        yield site
    finally:
        site.stop()


@pytest.fixture(params=["dash", "busybox"])
def machine(request: pytest.FixtureRequest, site: Site, tmp_path: Path) -> Machine:
    """The script is fetched by means of the authority, as the page says."""
    need_commands("curl", request.param)
    script, root = tmp_path / "setup.sh", tmp_path / "machine"
    root.mkdir()
    url = f"https://{site.master_host}/trust/setup.sh"
    environment = clean_environment()
    run(["curl", "-fsS", "--cacert", site.ca, url, "-o", script], environment=environment)
    shell = ("dash",) if request.param == "dash" else ("busybox", "sh")
    return Machine(site=site, script=script, root=root, shell=shell)


def test_skopeo_and_podman_trust_the_registry_by_what_the_script_has_set_up(
    machine: Machine, containers_environment: dict[str, str]
) -> None:
    need_commands("skopeo", "podman")
    target = f"docker://{machine.site.host}/demo/none:v1"
    store = machine.root / "etc/containers/certs.d" / machine.site.host
    inspect = ["skopeo", "inspect", f"--cert-dir={store}", target]
    store.mkdir(parents=True)
    said = run(inspect, environment=containers_environment, check=False)
    assert "certificate" in said
    machine.ok("--containers", f"--fingerprint={machine.fingerprint}")
    # The registry is heard now, and asks who calls.
    said = run(inspect, environment=containers_environment, check=False)
    assert "authentication required" in said or "unauthorized" in said.lower()
    login = ["podman", "login", f"--cert-dir={store}", "-u", "mary", "-p", "secret"]
    said = run([*login, machine.site.host], environment=containers_environment)
    assert "Login Succeeded" in said


def test_every_client_gets_its_files_and_gives_them_back(machine: Machine) -> None:
    for name in ("etc/docker", "etc/containers", "etc/containerd", "usr/share/ca-certificates"):
        (machine.root / name).mkdir(parents=True)
    host = machine.site.host
    expected = {
        f"etc/docker/certs.d/{host}/ca.crt",
        f"etc/containers/certs.d/{host}/ca.crt",
        f"etc/containerd/certs.d/{host}/ca.crt",
        f"etc/containerd/certs.d/{host}/hosts.toml",
    }
    grouped = ":".join(machine.fingerprint[at : at + 2].upper() for at in range(0, 64, 2))
    said = machine.ok("--fingerprint", grouped, "--dry-run")
    assert {} == machine.files()
    assert all(f"would write {machine.root}/{path}" in said for path in expected)
    said = machine.ok("--fingerprint", grouped)
    assert expected == set(machine.files())
    assert "config_path" in said
    found = machine.files()
    for path in expected - {f"etc/containerd/certs.d/{host}/hosts.toml"}:
        assert machine.site.ca.read_text() == found[path]
    hosts = found[f"etc/containerd/certs.d/{host}/hosts.toml"]
    assert f'[host."https://{host}"]' in hosts
    assert f'ca = "/etc/containerd/certs.d/{host}/ca.crt"' in hosts
    assert "is there already" in machine.ok("--fingerprint", grouped)
    machine.ok("--uninstall", "--dry-run")
    assert expected == set(machine.files())
    machine.ok("--uninstall")
    assert {} == machine.files()
    assert not (machine.root / "etc/docker/certs.d" / host).exists()


def test_containerds_file_is_toml(machine: Machine) -> None:
    import tomllib

    machine.ok("--containerd", f"--fingerprint={machine.fingerprint}")
    host = machine.site.host
    text = machine.files()[f"etc/containerd/certs.d/{host}/hosts.toml"]
    document = tomllib.loads(text)
    assert f"https://{host}" == document["server"]
    assert [f"https://{host}"] == list(document["host"])


def test_a_file_of_containerd_that_somebody_else_wrote_stays(machine: Machine) -> None:
    hosts = machine.root / "etc/containerd/certs.d" / machine.site.host / "hosts.toml"
    hosts.parent.mkdir(parents=True)
    hosts.write_text('server = "https://mirror.test"\n')
    said = machine.ok("--containerd", f"--fingerprint={machine.fingerprint}")
    assert "left alone" in said
    machine.ok("--containerd", "--uninstall")
    assert 'server = "https://mirror.test"\n' == hosts.read_text()


@pytest.mark.parametrize(
    "anchors", ["usr/local/share/ca-certificates", "etc/pki/ca-trust/source/anchors"]
)
def test_the_store_of_the_machine_is_chosen_by_its_kind(machine: Machine, anchors: str) -> None:
    (machine.root / anchors).mkdir(parents=True)
    said = machine.ok("--system", f"--fingerprint={machine.fingerprint}")
    (path,) = machine.files()
    assert path.startswith(f"{anchors}/atomic-registry-127-0-0-1-")
    assert ("update-ca-trust" if "pki" in anchors else "update-ca-certificates") in said
    url = f"https://{machine.site.host}/healthz"
    run(["curl", "-fsS", "--cacert", machine.root / path, url], environment=clean_environment())
    machine.ok("--system", "--uninstall")
    assert {} == machine.files()


def test_a_wrong_fingerprint_changes_nothing(machine: Machine) -> None:
    code, said = machine.call("--docker", "--containers", f"--fingerprint={WRONG}")
    assert code == 1
    assert "nothing was changed" in said
    assert machine.fingerprint in said
    assert "administrator" in said
    assert {} == machine.files()


def test_an_authority_behind_the_one_that_was_checked_is_left_out(
    machine: Machine, tmp_path: Path
) -> None:
    evil = ClientAuthorityFiles(tmp_path / "evil").ca.read_text()
    both = tmp_path / "both.pem"
    good = machine.site.ca.read_text()
    both.write_text(good + evil)
    machine.ok("--docker", f"--ca={both}", f"--fingerprint={machine.fingerprint}")
    assert [good] == list(machine.files().values())
    both.write_text(evil + good)
    code, _ = machine.call("--docker", f"--ca={both}", f"--fingerprint={machine.fingerprint}")
    assert code == 1


@pytest.mark.parametrize("content", ["", "nonsense", "-----BEGIN CERTIFICATE-----\n%%%\n"])
def test_what_is_no_certificate_is_refused(machine: Machine, tmp_path: Path, content: str) -> None:
    (tmp_path / "broken").write_text(content)
    code, said = machine.call("--docker", f"--ca={tmp_path}/broken", f"--fingerprint={WRONG}")
    assert code == 1
    assert "certificate" in said
    assert {} == machine.files()


@pytest.mark.parametrize(
    "option",
    [
        "--registry=../../etc",
        "--registry=a/../../b",
        "--registry=$(touch ran)",
        "--registry=a;touch ran",
        "--registry=a b",
        "--registry=-a",
        '--registry=a"b',
        "--registry=a\nb",
        "--registry=",
        "--master=http://plain.test",
        "--master=https://a.test/`touch ran`",
        "--master=https://-K/etc/passwd $(touch ran)",
        "--fingerprint=abc",
        "--fingerprint=$(touch ran)",
        "--root=relative",
        "--root=/does/not/exist",
        "--unknown",
    ],
)
def test_a_value_that_could_lead_elsewhere_is_refused(machine: Machine, option: str) -> None:
    code, said = machine.call("--docker", f"--fingerprint={WRONG}", option)
    assert code == 1
    assert said.startswith("setup.sh: ")
    assert {} == machine.files()
    assert not (Path.cwd() / "ran").exists()


def test_without_a_fingerprint_nothing_is_done(machine: Machine) -> None:
    code, said = machine.call("--docker")
    assert code == 1
    assert "administrator" in said
    assert {} == machine.files()


def test_a_machine_without_clients_is_told_so(machine: Machine) -> None:
    code, said = machine.call(f"--fingerprint={machine.fingerprint}")
    assert code == 1
    assert "--containerd" in said


def test_half_a_download_of_the_script_does_nothing(machine: Machine) -> None:
    text = machine.script.read_text()
    words = ("--docker", f"--fingerprint={machine.fingerprint}")
    for size in range(0, len(text) - len('main "$@"\n'), 997):
        machine.script.write_text(text[:size])
        machine.call(*words)
    assert {} == machine.files()


def test_the_daemon_set_does_on_a_node_what_the_script_does(
    machine: Machine, tmp_path: Path
) -> None:
    url = f"https://{machine.site.master_host}/trust/daemonset.yaml"
    text = run(["curl", "-fsS", "--cacert", machine.site.ca, url], environment=clean_environment())
    carried, daemon_set = yaml.safe_load_all(text)
    for name, content in carried["data"].items():
        (tmp_path / name).write_text(content)
    setup = daemon_set["spec"]["template"]["spec"]["initContainers"][0]
    places = {"--root=/host": "", "--ca=/trust/ca.crt": f"--ca={tmp_path}/ca.crt"}
    arguments = [places.get(it, it) for it in setup["args"]]
    node = Machine(
        site=machine.site, script=tmp_path / "setup.sh", root=machine.root, shell=machine.shell
    )
    node.ok(*(it for it in arguments if it))
    assert 4 == len(node.files())


def test_kubectl_reads_the_daemon_set(machine: Machine, tmp_path: Path) -> None:
    need_commands("kubectl")
    url = f"https://{machine.site.master_host}/trust/daemonset.yaml"
    path = tmp_path / "daemonset.yaml"
    environment = clean_environment({"HOME": str(tmp_path)})
    run(["curl", "-fsS", "--cacert", machine.site.ca, url, "-o", path], environment=environment)
    label = ["kubectl", "label", "--local", "-f", str(path), "seen=yes", "-o", "json"]
    shown = run(label, environment=environment)
    assert '"kind": "DaemonSet"' in shown
    assert '"mountPath": "/host/etc/containerd/certs.d"' in shown
