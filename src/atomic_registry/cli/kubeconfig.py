"""The file in which logins are kept, in the form that `oc` and `kubectl` read and write.

Whatever others keep in it stays. It is replaced whole, only its owner may read it, and the lock
file is the one that `kubectl` heeds.
Source: Kubernetes `client-go`, package `clientcmd`.
"""

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click
import yaml

from atomic_registry.cli.documents import Document, document_at, documents_at, text_at
from atomic_registry.system.durable_files import write_file

_SECTIONS = {"clusters": "cluster", "users": "user", "contexts": "context"}
_LOCK_TRIES = 50
_LOCK_PAUSE_SECONDS = 0.1
_CREDENTIALS = frozenset(
    {
        "token",
        "tokenFile",
        "username",
        "password",
        "exec",
        "auth-provider",
        "client-certificate",
        "client-certificate-data",
        "client-key",
        "client-key-data",
    }
)


class _Loader(yaml.SafeLoader):
    """Leaves alone what would not be written back as it was: times, and numbers like 1:30."""


_LOST = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _LOST]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"-?(?:0|[1-9][0-9]*)\Z"), list("-0123456789")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What commands act on: where, as whom, in which project."""

    name: str
    cluster_name: str
    user_name: str
    cluster: Document
    user: Document
    namespace: str

    @property
    def server(self) -> str:
        """The master's URL."""
        return text_at(self.cluster, "server").rstrip("/")


class Kubeconfig:
    """One or several files read as one; changes go to the first, as its entries win."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self.paths = paths

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Kubeconfig":
        """Return that of $KUBECONFIG, else of the home directory."""
        named = [part for part in environment.get("KUBECONFIG", "").split(os.pathsep) if part]
        if named:
            return cls(tuple(Path(part) for part in dict.fromkeys(named)))
        return cls((home_of(environment) / ".kube" / "config",))

    def read(self) -> Document:
        """Return what all files say together."""
        merged: Document = {}
        for path in self.paths:
            document = _read(path)
            for section in (*_SECTIONS, "extensions"):
                known = documents_at(merged, section)
                names = {entry.get("name") for entry in known}
                new = [it for it in documents_at(document, section) if it.get("name") not in names]
                merged[section] = known + new
            merged["current-context"] = text_at(merged, "current-context") or text_at(
                document, "current-context"
            )
        return merged

    def find_context(self, name: str = "") -> Context | None:
        """Return a context, without a name the current one."""
        document = self.read()
        name = name or text_at(document, "current-context")
        context = find_entry(document, "contexts", name)
        if context is None:
            return None
        cluster, user = text_at(context, "cluster"), text_at(context, "user")
        return Context(
            name=name,
            cluster_name=cluster,
            user_name=user,
            cluster=find_entry(document, "clusters", cluster) or {},
            user=find_entry(document, "users", user) or {},
            namespace=text_at(context, "namespace"),
        )

    def change(self, edit: Callable[[Document], None]) -> None:
        """Apply an edit to the first file, in turn with others who write it."""
        _change(self.paths[0], edit)

    def change_all(self, edit: Callable[[Document], None]) -> None:
        """Apply an edit to every file that exists."""
        for path in self.paths:
            if path.exists():
                _change(path, edit)


def home_of(environment: Mapping[str, str]) -> Path:
    """Return the home directory."""
    return Path(environment["HOME"]) if environment.get("HOME") else Path.home()


def find_entry(document: Document, section: str, name: str) -> Document | None:
    """Return what stands under a name in a section."""
    for entry in documents_at(document, section):
        if entry.get("name") == name:
            return document_at(entry, _SECTIONS[section])
    return None


def put_entry(document: Document, section: str, name: str, body: Document) -> None:
    """Set what stands under a name, in its old place or at the end."""
    entries = documents_at(document, section)
    new: Document = {"name": name, _SECTIONS[section]: body}
    at = next((at for at, it in enumerate(entries) if it.get("name") == name), len(entries))
    document[section] = [*entries[:at], new, *entries[at + 1 :]]


def remove_entry(document: Document, section: str, name: str) -> None:
    """Remove what stands under a name."""
    entries = documents_at(document, section)
    document[section] = [entry for entry in entries if entry.get("name") != name]


def put_login(
    document: Document, cluster: Document, user: Document, *, user_name: str, namespace: str
) -> None:
    """Enter a login and make it the current one; other settings of the entries stay."""
    at = cluster_nickname(text_at(cluster, "server"))
    trust = {"certificate-authority", "certificate-authority-data", "insecure-skip-tls-verify"}
    kept = find_entry(document, "clusters", at) or {}
    kept = {key: value for key, value in kept.items() if key not in trust}
    put_entry(document, "clusters", at, kept | cluster)
    as_user = f"{user_name}/{at}"
    kept = without_credentials(find_entry(document, "users", as_user) or {})
    put_entry(document, "users", as_user, kept | user)
    put_context(document, cluster=at, user=as_user, namespace=namespace)


def put_context(document: Document, *, cluster: str, user: str, namespace: str) -> None:
    """Enter a context under its nickname and make it the current one."""
    # A service account's name has colons, and other users' may have slashes.
    short = user.removesuffix(f"/{cluster}")
    name = f"{namespace}/{cluster}/{short}"
    body = dict(find_entry(document, "contexts", name) or {})
    body |= {"cluster": cluster, "user": user}
    if namespace:
        body["namespace"] = namespace
    put_entry(document, "contexts", name, body)
    document["current-context"] = name


def without_credentials(user: Document) -> Document:
    """Return a user's entry without what proves who it is."""
    return {key: value for key, value in user.items() if key not in _CREDENTIALS}


def cluster_nickname(server: str) -> str:
    """Return the name under which a server is entered: `host-with-dashes:port`."""
    parts = urlsplit(server)
    return f"{(parts.hostname or '').replace('.', '-')}:{parts.port or 443}"


def _read(path: Path) -> Document:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(
            f"{path} cannot be read: {error}; set KUBECONFIG to use another file"
        ) from error
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - derived from the safe one
    except (yaml.YAMLError, ValueError) as error:
        # The parser's message quotes lines, which may hold tokens.
        raise click.ClickException(f"{path} is not YAML; mend it or move it away") from error
    if document is None:
        return {}
    if not isinstance(document, dict) or any(
        not isinstance(document.get(section) or [], list) for section in _SECTIONS
    ):
        raise click.ClickException(f"{path} is not a kubeconfig; mend it or move it away")
    return document


def _change(path: Path, edit: Callable[[Document], None]) -> None:
    # A link, as people keep them to a repository of settings, is written through.
    target = path.resolve()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(target):
            document: Document = {"apiVersion": "v1", "kind": "Config", **_read(target)}
            for section in _SECTIONS:
                document[section] = documents_at(document, section)
            edit(document)
            text = yaml.safe_dump(document, sort_keys=True, allow_unicode=True)
            write_file(target, text.encode(), 0o600)
    except OSError as error:
        raise click.ClickException(
            f"{target} cannot be written: {error.strerror}; set KUBECONFIG to use another file"
        ) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = path.with_name(f"{path.name}.lock")
    for _ in range(_LOCK_TRIES):
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            break
        except FileExistsError:
            time.sleep(_LOCK_PAUSE_SECONDS)
    else:
        raise click.ClickException(
            f"another program is writing {path}; if none is, remove {lock} and try again"
        )
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
