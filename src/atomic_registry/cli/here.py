"""The installation on this machine, or the tree of a `serve --root`, as far as it can be read."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from atomic_registry.cli.documents import Document, document_at, number_at, texts_at
from atomic_registry.cli.settings import load_or_fail
from atomic_registry.config.load import ConfigInvalid
from atomic_registry.config.original import CONFIGURATION_PATH
from atomic_registry.config.settings import Settings
from atomic_registry.system.install import layout
from atomic_registry.system.install.effective import service_environment, settings_by
from atomic_registry.system.install.ledger import LEDGER


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
    try:
        settings = settings_by(_variables())
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
        return msgspec.json.decode(LEDGER.read_bytes(), type=dict[str, object])
    except (OSError, msgspec.MsgspecError):
        return None


def _variables() -> Mapping[str, str]:
    """Return the registry's variables, without a file that this user may not read."""
    found = service_environment(layout.REGISTRY)
    path = found.get(CONFIGURATION_PATH, "")
    if path and not os.access(path, os.R_OK):
        return {name: value for name, value in found.items() if name != CONFIGURATION_PATH}
    return found
