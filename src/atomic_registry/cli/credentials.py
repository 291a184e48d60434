"""Which login a registry is given: kept in the kubeconfig, beside the logins themselves.

An entry of the file's own `extensions`, which other programs leave as they are, maps each
registry to a user entry. A registry that is not in it is given nothing.
"""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from atomic_registry.cli.documents import Document, document_at, documents_at, text_at
from atomic_registry.cli.kubeconfig import Kubeconfig, find_entry, put_entry, remove_entry

_EXTENSION = "atomic-registry/registries"
_STORED = "docker/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a client shows the registry."""

    username: str
    secret: str = field(repr=False)


def registry_key(url: str) -> str:
    """Return the `host:port` that a client means, whatever it writes round it."""
    parts = urlsplit(url if "://" in url else f"//{url}")
    return parts.netloc.rpartition("@")[2].lower()


def find_credential(kubeconfig: Kubeconfig, registry: str) -> Credential | None:
    """Return what was meant for the registry, None if nothing was or it has been forgotten."""
    document = kubeconfig.read()
    name = text_at(_mapping(document), registry_key(registry))
    user = find_entry(document, "users", name) if name else None
    if user is None:
        return None
    secret = text_at(user, "token") or text_at(user, "password")
    if not secret:
        return None
    # A login's entry is called user/cluster; the name of a cluster has no slash.
    username = text_at(user, "username") or name.rpartition("/")[0]
    if ":" in username:
        # A robot's name; Basic credentials end the name at the first colon, and the token tells
        # whose it is anyway.
        username = "robot"
    return Credential(username=username, secret=secret)


def list_credentials(kubeconfig: Kubeconfig) -> dict[str, str]:
    """Return the registries with the names that they are given."""
    found = {}
    for registry in _mapping(kubeconfig.read()):
        credential = find_credential(kubeconfig, registry)
        if credential is not None:
            found[registry] = credential.username
    return found


def use_login(kubeconfig: Kubeconfig, registry: str, user_name: str) -> None:
    """Give the registry this login from now on."""

    def edit(document: Document) -> None:
        remove_entry(document, "users", _STORED + registry_key(registry))
        _set_mapping(document, _mapping(document) | {registry_key(registry): user_name})

    kubeconfig.change(edit)


def store_credential(kubeconfig: Kubeconfig, registry: str, credential: Credential) -> None:
    """Keep what a client was given for the registry."""
    key = registry_key(registry)
    name = _STORED + key
    user: Document = {"username": credential.username, "password": credential.secret}

    def edit(document: Document) -> None:
        put_entry(document, "users", name, user)
        _set_mapping(document, _mapping(document) | {key: name})

    kubeconfig.change(edit)


def erase_credential(kubeconfig: Kubeconfig, registry: str) -> None:
    """Give the registry nothing any more; the login itself stays."""
    key = registry_key(registry)

    def edit(document: Document) -> None:
        remove_entry(document, "users", _STORED + key)
        kept = {name: user for name, user in _mapping(document).items() if name != key}
        _set_mapping(document, kept)

    kubeconfig.change_all(edit)


def _mapping(document: Document) -> Document:
    for entry in documents_at(document, "extensions"):
        if entry.get("name") == _EXTENSION:
            return document_at(entry, "extension", "registries")
    return {}


def _set_mapping(document: Document, mapping: Document) -> None:
    others = [it for it in documents_at(document, "extensions") if it.get("name") != _EXTENSION]
    new: Document = {"name": _EXTENSION, "extension": {"registries": mapping}}
    document["extensions"] = [*others, new] if mapping else others
