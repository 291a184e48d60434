"""The file with which `kubectl` and `oc` act as the administrator of everything.

It holds the certificates themselves, so that it can be carried to another machine as one file.
"""

import base64
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from atomic_registry.system.ca import Pair
from atomic_registry.system.durable_files import write_file

KUBECONFIG_NAME = "admin.kubeconfig"
_PROJECT = "default"


def ensure_kubeconfig(directory: Path, user: str, server: str, authority: Path, pair: Pair) -> Path:
    """Return the file, made where it is not there, and anew where the certificate was.

    Only one process at a time may do this: hold `locked`.
    """
    path = directory / KUBECONFIG_NAME
    certificate = _encoded(pair.certificate)
    if not path.exists() or certificate not in path.read_text():
        document = _document(
            user,
            server,
            cluster={"server": server, "certificate-authority-data": _encoded(authority)},
            credentials={
                "client-certificate-data": certificate,
                "client-key-data": _encoded(pair.key),
            },
        )
        write_file(path, yaml.safe_dump(document, sort_keys=False).encode(), 0o600)
    return path


def _document(
    user: str, server: str, *, cluster: dict[str, str], credentials: dict[str, str]
) -> dict[str, object]:
    # The names are those that `oc login` gives, so that the file can be merged with others.
    parts = urlsplit(server)
    at = f"{(parts.hostname or '').replace('.', '-')}:{parts.port or 443}"
    as_user, name = f"{user}/{at}", f"{_PROJECT}/{at}/{user}"
    context = {"cluster": at, "user": as_user, "namespace": _PROJECT}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": at, "cluster": cluster}],
        "users": [{"name": as_user, "user": credentials}],
        "contexts": [{"name": name, "context": context}],
        "current-context": name,
    }


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
