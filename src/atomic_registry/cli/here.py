"""The installation on this machine, or the tree of a `serve --root`, as far as it can be read."""

import shlex
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from atomic_registry.cli.documents import Document, document_at, number_at, texts_at
from atomic_registry.cli.settings import load_or_fail
from atomic_registry.config.environment import process_environment
from atomic_registry.config.load import ConfigInvalid, load
from atomic_registry.config.settings import Settings

INSTALLED = Path("/etc/atomic-registry/installed.json")
_CONFIGURATION = Path("/etc/atomic-registry")
_DATA = Path("/var/lib/atomic-registry")
_VARIABLES = Path("/etc/sysconfig/atomic-registry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """What is on this machine; `settings` are those of the services."""

    settings: Settings
    is_installed: bool
    hostnames: tuple[str, ...] = ()
    registry_port: int = 5000
    master_port: int = 8443
    console_port: int = 9090

    @property
    def authority(self) -> Path:
        """The certificate of our own authority."""
        return self.settings.master_directory / "ca.crt"

    @property
    def admin_kubeconfig(self) -> Path:
        """The administrator's login."""
        return self.settings.master_directory / "admin.kubeconfig"


def find_here(root: Path | None) -> Here | None:
    """Return the tree that was named, or the installation; None if there is neither.

    Raises:
        ClickException: the settings of the tree are wrong.
    """
    if root is not None:
        return Here(settings=load_or_fail({"root": root}, None).settings, is_installed=False)
    ledger = _ledger()
    if ledger is None:
        return None
    choices = document_at(ledger, "choices")
    flags = {"root": _DATA, "master.config_file": _CONFIGURATION / "master" / "master-config.yaml"}
    try:
        settings = load(flags, _variables(), []).settings
    except ConfigInvalid as error:
        raise click.ClickException(f"the settings of the services are wrong:\n{error}") from error
    return Here(
        settings=settings,
        is_installed=True,
        hostnames=tuple(texts_at(choices, "hostnames")),
        registry_port=number_at(choices, "registry_port", default=5000),
        master_port=number_at(choices, "master_port", default=8443),
        console_port=number_at(choices, "console_port", default=9090),
    )


def can_read(path: Path) -> bool:
    """Tell whether this user may look at what is there."""
    try:
        return path.exists()
    except OSError:
        return False


def _ledger() -> Document | None:
    try:
        return msgspec.json.decode(INSTALLED.read_bytes(), type=dict[str, object])
    except (OSError, msgspec.MsgspecError):
        return None


def _variables() -> dict[str, str]:
    """Return the variables that systemd hands to the registry, the product's own only."""
    found = {key: value for key, value in process_environment().items() if key in {"HOME", "PATH"}}
    try:
        lines = _VARIABLES.read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        name, equals, value = line.strip().partition("=")
        if equals and name.startswith("ATOMIC_REGISTRY_"):
            found[name] = " ".join(shlex.split(value))
    return found
