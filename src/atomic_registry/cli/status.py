"""`atomic-registry status`: are the services well, and is anybody let in?"""

import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from atomic_registry.cli.client import ApiClient
from atomic_registry.cli.session import check_server, identity_sentence, my_kubeconfig
from atomic_registry.cli.trust import Trust, make_context

if TYPE_CHECKING:
    from http.client import HTTPConnection

_SECONDS = 5.0
_DEFAULT_SERVER = "https://localhost:8443"
_PORT = 5000


@click.command("status")
@click.option("--master", metavar="URL", default="", help="Ask this master; yours by default.")
@click.option(
    "--registry", metavar="HOST:PORT", default="", help="Port 5000 on the master's host by default."
)
def command(master: str, registry: str) -> int:
    """Ask the master and the registry whether they are ready; exit code 1 if one is not.

    \b
    Examples:
      atomic-registry status
      atomic-registry status --registry 127.0.0.1:5001
    """
    context = my_kubeconfig().find_context()
    server = (master or (context.server if context else "") or _DEFAULT_SERVER).rstrip("/")
    check_server(server)
    is_known = context is not None and context.server == server
    trust = Trust.of(context.cluster, {}) if context is not None and is_known else Trust()
    client = ApiClient(server, trust)
    fault = _master_fault(client)
    click.echo(f"master    {server}  {fault or 'ready'}")
    host = urlsplit(server).hostname or ""
    address = registry or f"{f'[{host}]' if ':' in host else host}:{_PORT}"
    registry_fault = _registry_fault(address, trust)
    click.echo(f"registry  {address}  {registry_fault or 'ready'}")
    if not fault:
        sentence = identity_sentence(client)
        if sentence:
            click.echo(sentence)
    return 1 if fault or registry_fault else 0


def _master_fault(client: ApiClient) -> str:
    try:
        answer = client.send("GET", "/readyz")
    except click.ClickException as error:
        return error.message
    return "" if answer.status == 200 else f"not ready: it answered {answer.status}"


def _registry_fault(address: str, trust: Trust) -> str:
    """Ask in clear where TLS is not spoken; nothing secret is sent."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection  # noqa: PLC0415

    try:
        return _ask(HTTPSConnection(address, timeout=_SECONDS, context=make_context(trust)))
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not trusted: {error.verify_message}"
    except (ssl.SSLError, HTTPException, ConnectionResetError):
        pass
    except OSError as error:
        return f"cannot be reached: {error.strerror or error}"
    try:
        return _ask(HTTPConnection(address, timeout=_SECONDS))
    except (OSError, HTTPException) as error:
        return f"cannot be reached: {getattr(error, 'strerror', None) or error}"


def _ask(connection: "HTTPConnection") -> str:
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    finally:
        connection.close()
    return "" if status == 200 else f"not ready: it answered {status}"
