"""`atomic-registry doctor`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click

from atomic_registry.cli.doctor.caller import administrators_context, of_context
from atomic_registry.cli.doctor.checklist import Checklist, Finding
from atomic_registry.cli.doctor.services import Service
from atomic_registry.cli.doctor.tls import Voucher, vouchers
from atomic_registry.cli.here import Here, can_read, find_here
from atomic_registry.cli.kubeconfig import Context
from atomic_registry.cli.output import echo_json
from atomic_registry.cli.session import check_project_name, my_kubeconfig
from atomic_registry.cli.trust import Trust
from atomic_registry.cli.wire import Endpoint

_PORTS = {"registry": 5000, "master": 8443, "console": 9090}
_UNITS = {
    "registry": "atomic-registry",
    "master": "atomic-registry-master",
    "console": "atomic-registry-console",
}
_MAX_PASSWORD = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where the services are said to be; empty where nothing is said."""

    name: str
    registry: str
    master: str
    console: str


@click.command("doctor")
@click.option("--name", metavar="HOST", default="", help="The name that clients use.")
@click.option("--registry", metavar="HOST:PORT", default="", help="Where they push and pull.")
@click.option("--master", metavar="HOST:PORT", default="", help="Where the master answers them.")
@click.option("--console", metavar="HOST:PORT", default="", help="Where the console answers them.")
@click.option("-u", "--user", "username", default="", help="Push as this user, with a password.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--admin", is_flag=True, help="Push as the administrator of this machine.")
@click.option("--project", default="", help="Push there, not to a project made for it.")
@click.option("--large", is_flag=True, help="Push a layer of 64 MiB as well.")
@click.option(
    "--certificate-authority",
    "authority",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Authority that clients trust; by default that of your login, or of this machine.",
)
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The services run here with this root.",
)
@click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def command(  # noqa: PLR0913 - one parameter an option
    *,
    name: str,
    registry: str,
    master: str,
    console: str,
    username: str,
    password_stdin: bool,
    admin: bool,
    project: str,
    large: bool,
    authority: Path | None,
    root: Path | None,
    output: str,
) -> int:
    """Go the way of a client and name the hop that fails: exit code 1 if one does.

    Names, connections, TLS, proxies, login, push, pull, watch and deletion are tried from here, as
    your login or who you name; on the registry's machine also its disks. A small image of random
    content is pushed to a project of its own, and all is taken away again.

    \b
    Examples:
      atomic-registry doctor
      atomic-registry doctor --name registry.example.com --user mary --password-stdin < password.txt
      atomic-registry doctor --registry registry.example.com:443 --project demo --large
      sudo atomic-registry doctor --admin -o json
    """
    if password_stdin != bool(username) or (username and admin):
        raise click.UsageError("name who pushes: --user NAME with --password-stdin, or --admin")
    if project:
        check_project_name(project)
    here = find_here(root)
    context = administrators_context(here) if admin else my_kubeconfig().find_context()
    places = _Places(name=name, registry=registry, master=master, console=console)
    # What speaks TLS and HTTP is loaded when it is used.
    from atomic_registry.cli.doctor.examination import Examination, Wanted  # noqa: PLC0415
    from atomic_registry.clock import SystemClock  # noqa: PLC0415

    services = _services(places, here, context)
    context = _if_theirs(context, services)
    wanted = Wanted(
        services=services,
        vouchers=tuple(_vouchers(authority, here, context)),
        caller=None if username else of_context(context, is_administrator=admin),
        username=username,
        password=_read_password() if password_stdin else "",
        project=project,
        is_large=large,
        directories=_directories(here),
    )
    checklist = Checklist(_tell if output == "table" else _keep_quiet)
    Examination(wanted, checklist, SystemClock()).run()
    _conclude(checklist, output)
    return 1 if checklist.failed_hop else 0


def _if_theirs(context: Context | None, services: tuple[Service, ...]) -> Context | None:
    # A login is shown to its own host only.
    hosts = {service.endpoint.host for service in services}
    if context is None or urlsplit(context.server).hostname not in hosts:
        return None
    return context


def _vouchers(authority: Path | None, here: Here | None, context: Context | None) -> list[Voucher]:
    if authority is None and here is not None and can_read(here.authority):
        authority = here.authority
    return vouchers(authority, Trust.of(context.cluster, {}) if context is not None else Trust())


def _services(places: _Places, here: Here | None, context: Context | None) -> tuple[Service, ...]:
    login = context.server if context is not None else ""
    hosts = here.hostnames if here is not None else ()
    host = places.name or urlsplit(login).hostname or (hosts[0] if hosts else "localhost")
    ports = dict(_PORTS)
    if here is not None:
        ports = {
            "registry": here.registry_port,
            "master": here.master_port,
            "console": here.console_port,
        }
    if login and urlsplit(login).hostname == host and (here is None or not here.is_installed):
        ports["master"] = urlsplit(login).port or 443
    given = {"registry": places.registry, "master": places.master, "console": places.console}
    is_console_known = here is not None and here.is_installed
    made = []
    for name, text in given.items():
        try:
            endpoint = Endpoint.parse(text or f"{_shown(host)}:{ports[name]}", ports[name])
        except ValueError as error:
            raise click.UsageError(f"--{name}: {error}, like registry.example.com:5000") from error
        needed = name != "console" or bool(text) or is_console_known
        made.append(Service(name=name, endpoint=endpoint, unit=_UNITS[name], is_needed=needed))
    return tuple(made)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _directories(here: Here | None) -> tuple[Path, ...]:
    if here is None:
        return ()
    found = [here.settings.storage_directory]
    if not here.settings.database.url:
        found.append(here.settings.datastore_directory)
    return tuple(path for path in found if can_read(path))


def _read_password() -> str:
    return sys.stdin.read(_MAX_PASSWORD).removesuffix("\n").removesuffix("\r")


def _tell(finding: Finding) -> None:
    for line in finding.lines():
        click.echo(line)


def _keep_quiet(finding: Finding) -> None:
    """Print nothing: the document comes at the end."""


def _conclude(checklist: Checklist, output: str) -> None:
    if output == "json":
        echo_json(checklist.document())
        return
    states = [finding.state for finding in checklist.findings]
    if checklist.failed_hop:
        click.echo(f"\nThe first hop that fails: {checklist.failed_hop}")
    elif "skipped" in states:
        click.echo("\nWhat was looked at is well; lines with - were left out.")
    else:
        click.echo(
            "\nAll is well." if "warning" not in states else "\nIt works; see the lines with !"
        )
