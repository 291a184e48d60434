"""`atomic-registry status`: are the services well, and is anybody let in?"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import click

from atomic_registry.cli.condition.report import Report, echo_report
from atomic_registry.cli.here import Here, can_read, find_here
from atomic_registry.cli.output import echo_json
from atomic_registry.cli.session import check_server, my_kubeconfig
from atomic_registry.cli.trust import Trust

_DEFAULT_SERVER = "https://localhost:8443"
_PORT = 5000
_UNITS = {
    "master": "atomic-registry-master",
    "registry": "atomic-registry",
    "console": "atomic-registry-console",
}


@click.command("status")
@click.option("--master", metavar="URL", default="", help="Ask this master; yours by default.")
@click.option(
    "--registry", metavar="HOST:PORT", default="", help="Port 5000 on the master's host by default."
)
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The services run here with this root; tell what it holds too.",
)
@click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def command(master: str, registry: str, root: Path | None, output: str) -> int:
    """Tell how the services are: exit code 0 if all is well, 1 if something is not, 2 if down.

    Anybody sees whether the master and the registry are ready. On their machine, whoever may read
    their files also sees units, certificates, storage, identity providers and the last backup.

    \b
    Examples:
      atomic-registry status
      sudo atomic-registry status -o json
      atomic-registry status --registry 127.0.0.1:5001
    """
    here = find_here(root)
    places = _places(master, registry, here)
    report = _collect(places, here)
    if output == "json":
        echo_json(report.document())
    else:
        echo_report(report)
    return report.exit_code


def _places(master: str, registry: str, here: Here | None) -> Mapping[str, tuple[str, Trust]]:
    """Return where each service is, and whom to trust there."""
    context = my_kubeconfig().find_context()
    own = ""
    if here is not None and here.is_installed:
        host = here.hostnames[0] if here.hostnames else "localhost"
        own = f"https://{host}:{here.master_port}"
    server = (master or own or (context.server if context else "") or _DEFAULT_SERVER).rstrip("/")
    check_server(server)
    is_known = context is not None and context.server == server
    trust = Trust.of(context.cluster, {}) if context is not None and is_known else Trust()
    if here is not None and can_read(here.authority):
        trust = Trust(authority=str(here.authority))
    host = urlsplit(server).hostname or ""
    shown = f"[{host}]" if ":" in host else host
    port = here.registry_port if here is not None else _PORT
    found = {"master": (server, trust), "registry": (registry or f"{shown}:{port}", trust)}
    if own:
        found["console"] = (f"https://{shown}:{here.console_port if here else 0}", trust)
    return found


def _collect(places: Mapping[str, tuple[str, Trust]], here: Here | None) -> Report:
    # TLS and certificates take long to load, and `--help` needs neither.
    from atomic_registry.cli.condition import machine  # noqa: PLC0415
    from atomic_registry.cli.condition.services import ask_service, unit_state  # noqa: PLC0415
    from atomic_registry.cli.wire import Endpoint  # noqa: PLC0415
    from atomic_registry.clock import SystemClock  # noqa: PLC0415

    is_installed = here is not None and here.is_installed
    with ThreadPoolExecutor(max_workers=8) as pool:
        asked = {
            name: pool.submit(ask_service, name, Endpoint.parse(address, 443), trust)
            for name, (address, trust) in places.items()
        }
        units = {
            name: pool.submit(unit_state, unit) for name, unit in _UNITS.items() if is_installed
        }
        storage = pool.submit(machine.storage, here) if here is not None else None
        return Report(
            services=tuple(one.result() for one in asked.values()),
            units={name: one.result() for name, one in units.items()},
            versions=machine.versions(),
            certificates=tuple(machine.certificates(here, SystemClock().now()) if here else ()),
            storage=storage.result() if storage is not None else None,
            providers=tuple(machine.providers(here) if here else ()),
            backup=machine.last_backup(here) if here else None,
            is_here=here is not None,
        )
