"""Where everything lies on an installed machine, and the files that come with the package."""

from importlib.resources import files
from pathlib import Path

from atomic_registry.system.install.ledger import Choices

CONFIGURATION = Path("/etc/atomic-registry")
DATA = Path("/var/lib/atomic-registry")
SYSCONFIG = Path("/etc/sysconfig")
COMMANDS = Path("/usr/local/bin")
UNITS = Path("/etc/systemd/system")
SYSUSERS = Path("/etc/sysusers.d/atomic-registry.conf")
TMPFILES = Path("/etc/tmpfiles.d/atomic-registry.conf")
SETUP_SCRIPT = CONFIGURATION / "setup-atomic-registry.sh"
VERSIONS = Path("/opt/atomic-registry")
CURRENT = VERSIONS / "current"
COMMAND_NAMES = ("atomic-registry", "oadm", "docker-credential-atomic-registry")

MASTER = "atomic-registry-master"
REGISTRY = "atomic-registry"
CONSOLE = "atomic-registry-console"
GROUP = "atomic-registry"
SERVICES = (MASTER, REGISTRY, CONSOLE)
UNIT_NAMES = tuple(f"{name}.{kind}" for name in SERVICES for kind in ("service", "socket"))
RENEWAL = "atomic-registry-certificates"
BACKUP = "atomic-registry-backup"
TIMED_UNITS = tuple(f"{name}.{kind}" for name in (RENEWAL, BACKUP) for kind in ("service", "timer"))
# What systemd hands to each service: directory below the configuration, name of the pair.
PAIRS = {
    MASTER: ("master", "master.server"),
    REGISTRY: ("registry", "registry"),
    CONSOLE: ("console", "console"),
}


def packaged(name: str) -> str:
    """Return a file of the directory `units` of the package."""
    return files("atomic_registry.system").joinpath("units", name).read_text()


def unit_text(name: str, program: Path, choices: Choices) -> str:
    """Return the unit for this machine."""
    values = {
        "PROGRAM": str(program),
        "MASTER_PORT": str(choices.master_port),
        "REGISTRY_PORT": str(choices.registry_port),
        "CONSOLE_PORT": str(choices.console_port),
    }
    text = packaged(name)
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def program_of(prefix: Path) -> Path:
    """Return the program that the units start, for the environment that install was called from.

    Environments below /opt/atomic-registry are versions beside each other: the units name the
    link to the one in use, so that an update, and the way back, is to move that link.
    """
    if prefix.parent == VERSIONS:
        return CURRENT / "bin" / "atomic-registry"
    return prefix / "bin" / "atomic-registry"
