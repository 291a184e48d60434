"""A machine whose PID 1 is a real systemd: the root of this one, under an overlay, in nspawn.

What is written stays in the overlay. The network is the machine's own, so that clients outside
reach the services by loopback.
"""

import contextlib
import importlib.metadata
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from atomic_registry import __version__
from tests.kit.optional import lacking, need_commands, need_root
from tests.kit.registry import wait_until

BOOT_SECONDS = 30.0
TREE = Path(f"/opt/atomic-registry/{__version__}")
PROGRAM = TREE / "bin" / "atomic-registry"
_POWER_OFF = signal.SIGRTMIN + 4
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}


@dataclass(frozen=True)
class Done:
    """How a program ended, and all that it printed."""

    code: int
    output: str


class Machine:
    """One machine; its disk outlives its power."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.disk = directory / "disk"
        self._directory = directory
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._groups: list[Path] = []

    def prepare(self) -> None:
        """Lays the overlay over this machine's root, without its services."""
        self._directory.mkdir(parents=True, exist_ok=True)
        run_here("mount", "-t", "tmpfs", "-o", "size=3g", self.name, str(self._directory))
        for name in ("upper", "work", "disk"):
            (self._directory / name).mkdir()
        layers = f"lowerdir=/,upperdir={self._directory}/upper,workdir={self._directory}/work"
        run_here("mount", "-t", "overlay", "overlay", "-o", layers, str(self.disk))
        system = self.disk / "etc" / "systemd" / "system"
        for path in [*system.glob("*.wants"), *system.glob("*.requires")]:
            shutil.rmtree(path)
        for path in (self.disk / "etc").glob("rc[S0-6].d/S*"):
            path.unlink()
        for name in ("machine-id", "fstab"):
            (self.disk / "etc" / name).write_text("")

    def boot(self) -> float:
        """Starts the machine; the seconds until its systemd has settled."""
        console = (self._directory / "console").open("ab")
        self._groups = control_groups(self.name)
        for group in self._groups:
            group.mkdir(exist_ok=True)
        enter = (
            'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; done; shift; exec "$@"'
        )
        environment = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        command = ["sh", "-ec", enter, "sh", *map(str, self._groups), "--"]
        command += ["systemd-nspawn", "-q", "-D", str(self.disk), "-M", self.name]
        command += ["--register=no", "--keep-unit", "--console=pipe", "--link-journal=no"]
        command += ["--resolv-conf=off", "--timezone=off", "--boot"]
        with console:
            self._nspawn = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, env=environment
            )
        return wait_until(f"{self.name} boots", self._is_up, BOOT_SECONDS)

    def _is_up(self) -> bool:
        assert self._nspawn is not None and self._nspawn.poll() is None, self.console()
        state = self.run("systemctl", "is-system-running", check=False)
        return state.output.strip() in ("running", "degraded")

    def console(self) -> str:
        """What the machine printed while it came up and went down."""
        return (self._directory / "console").read_text(errors="replace")[-3000:]

    @property
    def leader(self) -> int:
        """The process that is PID 1 inside."""
        assert self._nspawn is not None, f"{self.name} was not booted"
        path = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children")
        children = path.read_text().split()
        return int(children[0]) if children else 0

    def run(
        self,
        *command: str | Path,
        check: bool = True,
        environment: Mapping[str, str] | None = None,
        seconds: float = 120,
    ) -> Done:
        """Runs a program inside, as root."""
        values = {**_ENVIRONMENT, **(environment or {})}
        words = ["nsenter", "-t", str(self.leader), "-a", "env", "-i"]
        words += [f"{name}={value}" for name, value in values.items()]
        words += [str(word) for word in command]
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
            text=True,
        )
        said = " ".join(map(str, command))
        assert not check or done.returncode == 0, f"{said}: {done.returncode}\n{done.stdout}"
        return Done(done.returncode, done.stdout)

    def journal(self, unit: str) -> str:
        """What a unit has logged since the machine came up."""
        return self.run("journalctl", "--no-pager", "--output=cat", "-b", "-u", unit).output

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        done = self.run("systemctl", "show", f"--property={name}", "--value", unit)
        return done.output.strip()

    def path(self, inside: str | Path) -> Path:
        """Where a file of the machine is from here."""
        return self.disk / Path(inside).relative_to("/")

    def power_off(self) -> None:
        """An orderly end."""
        os.kill(self.leader, _POWER_OFF)
        self._wait()

    def reboot(self) -> float:
        """An orderly end and a new start; the seconds of the start."""
        self.power_off()
        return self.boot()

    def kill(self) -> None:
        """Takes the power away."""
        if self._nspawn is not None and self._nspawn.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.leader or self._nspawn.pid, signal.SIGKILL)
            self._wait()

    def _wait(self) -> None:
        assert self._nspawn is not None
        self._nspawn.wait(60)

    def remove(self) -> None:
        """The machine and its disk are gone."""
        self.kill()
        for place in (self.disk, self._directory):
            _unmount(place)
        for group in self._groups:
            for below in sorted(group.rglob("*/"), reverse=True):
                below.rmdir()
            group.rmdir()


def control_groups(name: str) -> list[Path]:
    """Where a machine's processes belong: in one group, two would take each other's for theirs."""
    places = {
        "": ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"),
        "name=systemd": ("/sys/fs/cgroup/systemd",),
    }
    found = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kind, path = line.split(":", 2)
        own = [Path(f"{place}{path}") for place in places.get(kind, ())]
        found += [group / name for group in own if (group / "cgroup.procs").exists()]
    return found


def _unmount(place: Path) -> None:
    # Something inside may take a moment to let go.
    for _ in range(50):
        if subprocess.run(["umount", str(place)], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)
    run_here("umount", "-l", str(place))


def run_here(*command: str) -> str:
    """Runs a program on this machine."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def need_machine() -> None:
    """The test needs root, nspawn and a Python that services can run."""
    need_root()
    need_commands("systemd-nspawn", "nsenter", "systemd-analyze")
    if system_python() is None:
        wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
        lacking(f"/usr/bin has no Python {wanted}, which this environment is made for")


def system_python() -> Path | None:
    """The Python outside any home that takes the packages of this environment."""
    path = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    return path if path.exists() else None


def install_tree(machine: Machine, tree: Path = TREE) -> None:
    """Puts the package, as it is in the working tree, into a virtual environment in the machine."""
    python = system_python()
    assert python is not None
    place = machine.path(tree)
    run_here(str(python), "-m", "venv", "--without-pip", str(place))
    for name in ("bin", "pyvenv.cfg"):
        assert (place / name).exists()
    library = place / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = library / "site-packages"
    for distribution in needed_distributions():
        _copy(distribution, packages)
    source = Path(__file__).resolve().parents[2] / "src" / "atomic_registry"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, packages / "atomic_registry", ignore=ignored)
    for name, target in (
        ("atomic-registry", "atomic_registry.cli.main"),
        ("oadm", "atomic_registry.cli.main"),
        ("docker-credential-atomic-registry", "atomic_registry.cli.credential_helper"),
    ):
        script = place / "bin" / name
        script.write_text(f"#!{tree}/bin/python\nfrom {target} import main\n\nmain()\n")
        script.chmod(0o755)


def needed_distributions() -> Sequence[importlib.metadata.Distribution]:
    """What the package needs to run, without what its tests need."""
    found: dict[str, importlib.metadata.Distribution] = {}
    requirements = Path(__file__).resolve().parents[2] / "requirements" / "run.txt"
    for name in re.findall(
        r"^([A-Za-z0-9_.-]+)(?:\[\w+\])?==", requirements.read_text(), re.MULTILINE
    ):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name.lower()] = importlib.metadata.distribution(name)
    assert "aiohttp" in found
    return list(found.values())


def _copy(distribution: importlib.metadata.Distribution, packages: Path) -> None:
    for file in distribution.files or ():
        # Scripts lie outside of the packages, and compiled files are made again.
        if ".." in file.parts or "__pycache__" in file.parts:
            continue
        target = packages / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.locate(), target)


@contextlib.contextmanager
def running_machine(name: str, directory: Path) -> Iterator[Machine]:
    """A booted machine with the package in it, not yet installed."""
    machine = Machine(name, directory)
    machine.prepare()
    try:
        install_tree(machine)
        machine.boot()
        yield machine
    except BaseException as error:
        if isinstance(error, pytest.fail.Exception | AssertionError):
            error.add_note(f"--- console ---\n{machine.console()}")
        raise
    finally:
        machine.remove()
