"""The first hops: names become addresses, and addresses take connections."""

import socket
from collections.abc import Sequence

from atomic_registry.cli.doctor.checklist import Checklist
from atomic_registry.cli.doctor.services import Service
from atomic_registry.cli.wire import CONNECT_SECONDS, ExchangeFailed, reason_of, resolve

_NAME = "name"
_CONNECTION = "connection"


def check_names(services: Sequence[Service], checklist: Checklist) -> dict[str, list[str]]:
    """Return the addresses of each host that has some."""
    found = {}
    for host in dict.fromkeys(service.endpoint.host for service in services):
        try:
            found[host] = resolve(host)
        except ExchangeFailed as error:
            checklist.fail(
                _NAME,
                f"{host} has no address: {error}",
                f"getent hosts {host}; enter the name in DNS, or in /etc/hosts of each client",
            )
        else:
            checklist.ok(_NAME, f"{host} is {', '.join(found[host])}")
    return found


def check_connections(
    services: Sequence[Service], addresses: dict[str, list[str]], checklist: Checklist
) -> list[Service]:
    """Return the services that take connections at one address of theirs or more."""
    return [
        service
        for service in services
        if service.endpoint.host in addresses
        and _takes_some(service, addresses[service.endpoint.host], checklist)
    ]


def _takes_some(service: Service, addresses: Sequence[str], checklist: Checklist) -> bool:
    port = service.endpoint.port
    faults = {address: _fault(address, port) for address in addresses}
    good = [address for address, fault in faults.items() if not fault]
    for address, fault in faults.items():
        text = f"{service.name}: {address} port {port}: {fault or 'open'}"
        if not fault:
            checklist.ok(_CONNECTION, text)
        elif good:
            # A client that takes this address first waits, and some never try another.
            checklist.warn(
                _CONNECTION, text, "take this address out of DNS, or have the service listen on it"
            )
        elif service.is_needed:
            checklist.fail(_CONNECTION, text, service.advice + _firewall(fault))
        else:
            checklist.skip(_CONNECTION, f"{text}; not everybody has one")
    return bool(good)


def _fault(address: str, port: int) -> str:
    try:
        with socket.create_connection((address, port), timeout=CONNECT_SECONDS):
            return ""
    except OSError as error:
        return reason_of(error)


def _firewall(fault: str) -> str:
    # Where nobody listens the machine refuses at once; silence is a filter's.
    if fault == "no answer in time":
        return (
            "\na firewall between here and there drops what it does not let through: open the port"
        )
    return ""
