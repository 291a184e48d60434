"""What must hold before anything is changed; all that does not is told at once."""

import errno
import ipaddress
import os
import re
import shutil
import socket
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from atomic_registry.system.install.ledger import Choices
from atomic_registry.system.install.target import Target

SOCKET_UNITS = {
    "registry": "atomic-registry.socket",
    "master": "atomic-registry-master.socket",
    "console": "atomic-registry-console.socket",
}
_MAX_NAME = 253
_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)\Z")
_ONLY_DIGITS = re.compile(r"[0-9.]+\Z")
# A fresh database with its log; images need more, and it is the administrator who knows how much.
_DATA_BYTES = 64 * 1024 * 1024
_CONFIGURATION_BYTES = 1024 * 1024
_MAX_PORT = 65535
_IN_USE = errno.EADDRINUSE


def host_mistakes(names: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with names and addresses by which clients reach the machine."""
    if not names:
        yield "no host name is given: name the machine as clients reach it"
    for name in names:
        if not _is_address(name) and not _is_host_name(name):
            yield (
                f"{name!r} is neither a host name nor an address: use letters, digits, hyphens and "
                "dots, without scheme and port, for example registry.example.com or 192.0.2.7"
            )


def port_mistakes(choices: Choices) -> Iterator[str]:
    """Yield what is wrong with the choice of ports itself."""
    ports = {
        "--registry-port": choices.registry_port,
        "--master-port": choices.master_port,
        "--console-port": choices.console_port,
    }
    for flag, port in ports.items():
        if not 0 < port <= _MAX_PORT:
            yield f"{flag} {port}: a port is a number from 1 to {_MAX_PORT}"
    if len(set(ports.values())) < len(ports):
        yield f"two services cannot share a port: {', '.join(f'{k} {v}' for k, v in ports.items())}"


def machine_mistakes(target: Target, choices: Choices, program: Path) -> Iterator[str]:
    """Yield what the machine lacks."""
    if os.geteuid() != 0:
        yield "this needs root: run it with sudo"
    if target.is_live and not Path("/run/systemd/system").is_dir():
        yield (
            "systemd does not run this machine; run `atomic-registry serve` under your own "
            "supervisor, or use --root DIR to install into the tree of an image"
        )
    for tool in ("systemctl", "systemd-sysusers"):
        if shutil.which(tool) is None:
            yield f"{tool} is not installed; it comes with the package systemd"
    yield from _program_mistakes(program)
    if target.is_live:
        yield from _taken_ports(target, choices)
    yield from _space_mistakes(target)


def removal_mistakes() -> Iterator[str]:
    """Yield why nothing can be taken off the machine."""
    if os.geteuid() != 0:
        yield "this needs root: run it with sudo"
    if shutil.which("systemctl") is None:
        yield "systemctl is not installed; it comes with the package systemd"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_host_name(name: str) -> bool:
    labels = name.split(".")
    # 192.0.2.300 is a mistyped address and no name.
    fits = len(name) <= _MAX_NAME and not _ONLY_DIGITS.match(name)
    return fits and all(_LABEL.match(label) for label in labels)


def _program_mistakes(program: Path) -> Iterator[str]:
    """The services have users of their own, who must be able to run what they start."""
    needed = {program, Path(sys.executable).resolve(), Path(sys.base_prefix), Path(__file__)}
    for path in sorted(needed):
        if not path.exists():
            yield f"{path} is not there: install from a virtual environment that has the command"
            continue
        closed = [it for it in (path, *path.parents) if not _is_open(it)]
        if closed:
            yield (
                f"the services could not run {path}: other users may not enter {closed[-1]}; make "
                "the environment in a place open to all, with the system's Python, for example "
                "/usr/bin/python3 -m venv /opt/atomic-registry/VERSION"
            )
            return


def _is_open(path: Path) -> bool:
    """Tell whether everybody may enter the directory, or read the file."""
    wanted = stat.S_IXOTH if path.is_dir() else stat.S_IROTH
    return bool(path.stat().st_mode & wanted)


def _taken_ports(target: Target, choices: Choices) -> Iterator[str]:
    ports = {
        "registry": choices.registry_port,
        "master": choices.master_port,
        "console": choices.console_port,
    }
    for service, port in ports.items():
        unit = SOCKET_UNITS[service]
        shown = target.systemctl("show", "--property=Listen", unit, check=False)
        if re.search(rf":{port} \(Stream\)", shown) or _is_free(port):
            continue
        yield (
            f"port {port} is in use by another program (ss -ltnp 'sport = :{port}' shows it): "
            f"stop it, or choose another one with --{service}-port"
        )


def _is_free(port: int) -> bool:
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((address, port))
        except OSError as error:
            # A machine without IPv6 has no ports there that could be in use.
            if family == socket.AF_INET or error.errno == _IN_USE:
                return False
    return True


def _space_mistakes(target: Target) -> Iterator[str]:
    wanted = ((Path("/etc"), _CONFIGURATION_BYTES), (Path("/var/lib"), _DATA_BYTES))
    for path, needed in wanted:
        place = target.at(path)
        for directory in (path / "atomic-registry", path):
            if target.at(directory).exists():
                place = target.at(directory)
                break
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        if free < needed:
            yield (
                f"{place} has {free // 1024} KiB left and {needed // 1024} KiB are needed: make "
                "room, or mount a larger disk there"
            )
