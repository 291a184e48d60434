"""A machine with the three services installed on it, and a client outside."""

import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.kit.nspawn import PROGRAM, Machine, need_machine, running_machine
from tests.kit.optional import need_commands, run
from tests.kit.registry import clean_environment, free_port

NAMES = ("localhost", "registry.test")


class Installed:
    """A machine after `install --now`, on ports that nobody else uses."""

    def __init__(self, machine: Machine, names: Sequence[str] = NAMES) -> None:
        self.machine = machine
        self.names = names
        self.registry_port, self.master_port, self.console_port = (free_port() for _ in range(3))
        self.registry = f"localhost:{self.registry_port}"
        self.master = f"https://localhost:{self.master_port}"

    @property
    def authority(self) -> Path:
        """The certificate of the machine's CA."""
        return self.machine.path("/etc/atomic-registry/master/ca.crt")

    def install(self, *arguments: str, check: bool = True) -> str:
        """Runs `install` as an administrator would."""
        ports = ["--registry-port", self.registry_port, "--master-port", self.master_port]
        ports += ["--console-port", self.console_port]
        words = [str(PROGRAM), "install", *self.names, *map(str, ports), *arguments]
        return self.machine.run(*words, check=check).output

    def make_project(self, name: str) -> None:
        """Makes mary the administrator of a project."""
        authority = "--certificate-authority=/etc/atomic-registry/master/ca.crt"
        login = ["login", self.master, authority, "--username", "mary", "--password", "secret"]
        self.machine.run("atomic-registry", *login)
        self.machine.run("atomic-registry", "new-project", name)

    def answers(self, port: int) -> bool:
        """Whether somebody listens on the port."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0


class Client:
    """Skopeo outside of the machine; it trusts the machine's CA and nothing else."""

    def __init__(self, installed: Installed, directory: Path, image: Path) -> None:
        self._installed = installed
        self._directory = directory
        self._image = image
        self._environment = clean_environment({"HOME": str(directory), "TMPDIR": str(directory)})
        self.certificates = directory / "certs"
        self.certificates.mkdir()
        (self.certificates / "ca.crt").write_bytes(installed.authority.read_bytes())
        policy = '{"default":[{"type":"insecureAcceptAnything"}]}'
        (directory / "policy.json").write_text(policy)

    def push(self, repository: str) -> None:
        """Pushes the image."""
        target = f"docker://{self._installed.registry}/{repository}"
        flags = ["--dest-cert-dir", str(self.certificates), "--dest-creds", "mary:secret"]
        self._copy([*flags, f"oci:{self._image}:v1", target])

    def pull(self, repository: str) -> None:
        """Pulls it; skopeo compares every byte with its digest."""
        source = f"docker://{self._installed.registry}/{repository}"
        flags = ["--src-cert-dir", str(self.certificates), "--src-creds", "mary:secret"]
        place = self._directory / "pulled"
        self._copy([*flags, source, f"dir:{place}"])

    def _copy(self, arguments: list[str]) -> None:
        policy = ["--policy", str(self._directory / "policy.json")]
        run(["skopeo", *policy, "copy", *arguments], environment=self._environment)


@pytest.fixture(scope="package")
def make_machine(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Iterator[Machine]]:
    """Boots a machine of a name."""
    need_machine()

    def make(name: str) -> Iterator[Machine]:
        directory = tmp_path_factory.mktemp("machine") / name
        with running_machine(f"ar-{name}-{free_port()}", directory) as machine:
            yield machine

    return make


@pytest.fixture
def machine(make_machine: Callable[[str], Iterator[Machine]]) -> Iterator[Machine]:
    """A machine of its own, with the package on it and nothing installed."""
    yield from make_machine("fresh")


@pytest.fixture(scope="package")
def installed(make_machine: Callable[[str], Iterator[Machine]]) -> Iterator[Installed]:
    """The machine that all tests share which leave it as it was."""
    for machine in make_machine("shared"):
        made = Installed(machine)
        made.install("--now")
        made.make_project("demo")
        yield made


@pytest.fixture(scope="package")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image with one layer, as an OCI layout."""
    need_commands("skopeo", "umoci")
    directory = tmp_path_factory.mktemp("image")
    layout = directory / "layout"
    run(["umoci", "init", "--layout", layout])
    run(["umoci", "new", "--image", f"{layout}:v1"])
    content = directory / "content"
    content.mkdir()
    (content / "hello").write_text("hello\n" * 1000)
    run(["umoci", "insert", "--rootless", "--image", f"{layout}:v1", content, "/content"])
    return layout


@pytest.fixture
def client(installed: Installed, image: Path, tmp_path: Path) -> Client:
    """A client of the shared machine."""
    return Client(installed, tmp_path, image)
