"""What an installed service runs with: its unit's variables, those of its sysconfig file, its files."""

import shlex
from collections.abc import Mapping

from atomic_registry.config.load import load
from atomic_registry.config.original import read_original
from atomic_registry.config.settings import Settings
from atomic_registry.system.install import layout


def service_environment(service: str) -> Mapping[str, str]:
    """Return the variables that systemd gives a service; what administrators wrote goes first."""
    found: dict[str, str] = {}
    for line in layout.packaged(f"{service}.service").splitlines():
        if line.startswith("Environment="):
            name, _, value = line.removeprefix("Environment=").partition("=")
            found[name] = value
    path = layout.SYSCONFIG / service
    for line in path.read_text().splitlines() if path.exists() else ():
        name, is_variable, value = line.partition("=")
        if is_variable and not line.lstrip().startswith(("#", ";")):
            found[name.strip()] = _plain(value)
    return found


def settings_by(environment: Mapping[str, str]) -> Settings:
    """Return the settings of a service with these variables, and with the files that they name.

    Raises:
        ConfigInvalid: they are wrong, so that the service would not start either.
    """
    return load({}, environment, [], foreign=read_original(environment)).settings


def _plain(value: str) -> str:
    """Take quotes away, as systemd does."""
    try:
        return " ".join(shlex.split(value))
    except ValueError:
        return value.strip()
