"""`docker-credential-atomic-registry`: gives docker, podman and skopeo the login's token.

Source: the protocol of `docker-credential-helpers`: one word as argument, JSON on standard input
and output, errors on standard output with exit code 1.
"""

import sys
from collections.abc import Callable, Mapping
from typing import TextIO

import click
import msgspec

from atomic_registry import __version__
from atomic_registry.cli.credentials import (
    Credential,
    erase_credential,
    find_credential,
    list_credentials,
    store_credential,
)
from atomic_registry.cli.kubeconfig import Kubeconfig
from atomic_registry.config.environment import process_environment

# Clients compare this text to tell "nothing stored" from a failure.
NOT_FOUND = "credentials not found in native keychain"
_MAX_INPUT = 1 << 20
_USAGE = "usage: docker-credential-atomic-registry get|store|erase|list|version"


class _Stored(msgspec.Struct, rename="pascal"):
    server_url: str = msgspec.field(name="ServerURL")
    username: str
    secret: str


class _Refused(Exception):
    """The request cannot be served; the text is for the client."""


def main() -> None:
    """Serve one request of a container client."""
    kubeconfig = Kubeconfig.of(process_environment())
    sys.exit(serve(kubeconfig, sys.argv[1:], sys.stdin, sys.stdout))


def serve(kubeconfig: Kubeconfig, arguments: list[str], source: TextIO, sink: TextIO) -> int:
    """Answer one request and return the exit code."""
    action = _ACTIONS.get(arguments[0]) if len(arguments) == 1 else None
    if action is None:
        sink.write(f"{_USAGE}\n")
        return 1
    try:
        text = "" if arguments[0] in _WITHOUT_INPUT else source.read(_MAX_INPUT).strip()
        sink.write(action(kubeconfig, text))
    except _Refused as error:
        sink.write(f"{error}\n")
        return 1
    except click.ClickException as error:
        sink.write(f"{error.format_message()}\n")
        return 1
    return 0


def _get(kubeconfig: Kubeconfig, text: str) -> str:
    found = find_credential(kubeconfig, _server(text))
    if found is None:
        raise _Refused(NOT_FOUND)
    shown = _Stored(server_url=text, username=found.username, secret=found.secret)
    return f"{msgspec.json.encode(shown).decode()}\n"


def _store(kubeconfig: Kubeconfig, text: str) -> str:
    try:
        given = msgspec.json.decode(text, type=_Stored)
    except (msgspec.DecodeError, RecursionError) as error:
        # The text holds the secret, and the parser's message may.
        raise _Refused("the credentials to store are not in the form of the protocol") from error
    credential = Credential(username=given.username, secret=given.secret)
    store_credential(kubeconfig, _server(given.server_url), credential)
    return ""


def _erase(kubeconfig: Kubeconfig, text: str) -> str:
    erase_credential(kubeconfig, _server(text))
    return ""


def _list(kubeconfig: Kubeconfig, _text: str) -> str:
    return f"{msgspec.json.encode(list_credentials(kubeconfig)).decode()}\n"


def _version(_kubeconfig: Kubeconfig, _text: str) -> str:
    return f"docker-credential-atomic-registry {__version__}\n"


def _server(url: str) -> str:
    if not url:
        raise _Refused("no credentials server URL")
    return url


_Action = Callable[[Kubeconfig, str], str]
_ACTIONS: Mapping[str, _Action] = {
    "get": _get,
    "store": _store,
    "erase": _erase,
    "list": _list,
    "version": _version,
}
_WITHOUT_INPUT = ("list", "version")

if __name__ == "__main__":
    main()
