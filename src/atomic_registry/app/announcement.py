"""What is printed when the services are ready: where they listen and what to try next."""

import sys
from collections.abc import Collection

from atomic_registry.app.access import ANYBODY
from atomic_registry.app.master_files import ADMINISTRATOR_NAME, MasterFiles
from atomic_registry.config.identity_providers import AllowAll
from atomic_registry.config.settings import Settings, parse_listen


def announce(settings: Settings, files: MasterFiles | None, services: Collection[str]) -> None:
    """Print it to standard output."""
    lines = []
    if "registry" in services:
        scheme = "https" if settings.http.tls.certificate else "http"
        lines.append(f"Atomic Registry listens on {scheme}://{_address(settings)}")
    if files is not None and "master" in services:
        lines.append(f"The master (login, projects, API) listens on {files.public_url}")
    lines.append(f"Its data lies in {settings.root.absolute()}")
    if files is None:
        lines.append("Anybody on this machine may push and pull: access.policy is open.")
    elif allows_all(files):
        lines.append(ANYBODY)
    if files is not None and files.first_password:
        lines += [
            f"The administrator is {ADMINISTRATOR_NAME}; the password is shown this once:",
            f"  {files.first_password}",
        ]
    if "registry" in services and settings.master.makes_files:
        # On an installed machine, `install` has said what comes next.
        lines += _first_push(settings, files)
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def announce_console(settings: Settings) -> None:
    """Print where the console listens."""
    scheme = "https" if settings.console.tls.certificate else "http"
    sys.stdout.write(f"The console listens on {scheme}://{settings.console.listen}\n")
    sys.stdout.flush()


def allows_all(files: MasterFiles) -> bool:
    """Tell whether any name with any password gets in."""
    providers = files.config.oauth_config.identity_providers
    return any(isinstance(item.provider, AllowAll) for item in providers)


def _first_push(settings: Settings, files: MasterFiles | None) -> list[str]:
    address = _address(settings)
    tls = "" if settings.http.tls.certificate else " --tls-verify=false"
    lines = ["Try a push:"]
    if files is not None:
        lines += [
            f"  atomic-registry login {files.public_url} --certificate-authority={files.authority}",
            "  atomic-registry new-project demo",
            f"  podman login{tls} {address}",
        ]
    return [
        *lines,
        f"  podman push{tls} IMAGE {address}/demo/hello:v1",
        f"  docker tag IMAGE {address}/demo/hello:v1 && docker push {address}/demo/hello:v1",
    ]


def _address(settings: Settings) -> str:
    host, port = parse_listen(settings.http.listen)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
