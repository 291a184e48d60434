"""`atomic-registry status`: are the services well, and is anybody let in?"""

import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from atomic_registry.cli.client import Answer, ApiClient
from atomic_registry.cli.output import printable
from atomic_registry.cli.session import check_server, identity_sentence, my_kubeconfig
from atomic_registry.cli.trust import Trust, make_context

if TYPE_CHECKING:
    from http.client import HTTPConnection

_SECONDS = 5.0
_DEFAULT_SERVER = "https://localhost:8443"
_PORT = 5000
_MAX_ANSWER = 1 << 16


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
    sentence = identity_sentence(client)
    if sentence:
        click.echo(sentence)
    if not fault and not registry_fault:
        return 0
    click.echo("\nWhat to do next, on the machine where it runs:", err=True)
    click.echo("  see that it runs:     atomic-registry serve --root DIRECTORY", err=True)
    click.echo("  read why it is not ready in what it prints", err=True)
    if registry_fault and not registry:
        click.echo("  where the registry is elsewhere: status --registry HOST:PORT", err=True)
    return 1


def _master_fault(client: ApiClient) -> str:
    try:
        answer = client.send("GET", "/readyz")
    except click.ClickException as error:
        return error.message.removeprefix(f"{client.server} ")
    return "" if answer.status == 200 else describe_unready(answer)


def describe_unready(answer: Answer) -> str:
    """Return what fails, as the service itself says."""
    probes = {key: text for key, text in answer.document().items() if key != "identity"}
    failing = [f"{key}: {text}" for key, text in probes.items() if text != "ok"]
    return printable(f"not ready: {'; '.join(failing) or f'it answered {answer.status}'}")


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
        response = connection.getresponse()
        answer = Answer(status=response.status, headers={}, body=response.read(_MAX_ANSWER))
    finally:
        connection.close()
    return "" if answer.status == 200 else describe_unready(answer)
