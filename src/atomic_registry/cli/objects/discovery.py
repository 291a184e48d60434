"""What the master serves, as it says itself; kept on disk for some minutes.

Source: Kubernetes API, "API discovery", the aggregated form `apidiscovery.k8s.io/v2`.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from atomic_registry.cli.client import ApiClient, segment
from atomic_registry.cli.documents import Document, documents_at, name_of, text_at, texts_at
from atomic_registry.cli.kubeconfig import home_of
from atomic_registry.cli.output import printable
from atomic_registry.clock import Clock, SystemClock
from atomic_registry.config.environment import process_environment
from atomic_registry.system.durable_files import write_file

_FORM = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_KEPT_SECONDS = 600
_GUESSES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of objects at one group and version."""

    plural: str
    singular: str
    kind: str
    group: str
    version: str
    is_namespaced: bool
    verbs: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """What its documents carry as `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """Kind and group, as answers of commands name an object before the slash."""
        return f"{self.kind.lower()}.{self.group}" if self.group else self.kind.lower()

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the path of a collection, or of one object in it."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        within = f"/namespaces/{segment(namespace)}" if namespace and self.is_namespaced else ""
        return f"{root}{within}/{self.plural}" + (f"/{segment(name)}" if name else "")

    def goes_by(self, word: str) -> bool:
        """Tell whether the kind is meant by a word that people type."""
        name, _, group = word.partition(".")
        if name not in {self.plural, self.singular, *self.short_names}:
            return False
        full = f"{self.version}.{self.group}" if self.group else self.version
        return group in {"", self.group, full}


class Catalogue:
    """All kinds, found out when the first one is asked for."""

    def __init__(self, client: ApiClient, directory: Path, clock: Clock) -> None:
        key = hashlib.sha256(client.server.encode()).hexdigest()[:32]
        self._client = client
        self._path = directory / f"{key}.json"
        self._clock = clock
        self._is_fresh = False
        self._kinds: Sequence[Kind] = ()

    @classmethod
    def of(cls, client: ApiClient) -> "Catalogue":
        """Return that of a master, kept in the caller's cache."""
        environment = process_environment()
        named = environment.get("XDG_CACHE_HOME", "")
        cache = Path(named) if named else home_of(environment) / ".cache"
        return cls(client, cache / "atomic-registry" / "discovery", SystemClock())

    def kinds(self) -> Sequence[Kind]:
        """Return all kinds, in the order in which the master prefers them."""
        if not self._kinds:
            self._kinds = self._load()
        return self._kinds or self._fetch()

    def named(self, word: str) -> list[Kind]:
        """Return the kind that a word means, or all kinds of the category that it names.

        Raises:
            ClickException: it means none.
        """
        found = self._look_up(word)
        if not found and not self._is_fresh:
            self._fetch()
            found = self._look_up(word)
        if not found:
            raise click.ClickException(self._unknown(word))
        return found

    def of_document(self, document: Document) -> Kind:
        """Return the kind of a document.

        Raises:
            ClickException: the document names none, or the master serves no such kind.
        """
        version, name = text_at(document, "apiVersion"), text_at(document, "kind")
        if not version or not name:
            raise click.ClickException(
                "a document has no apiVersion or no kind; write both, such as apiVersion: v1 and "
                "kind: Secret"
            )
        found = self._find(version, name)
        if found is None and not self._is_fresh:
            self._fetch()
            found = self._find(version, name)
        if found is None:
            raise click.ClickException(
                f"the master serves no kind {printable(name)} of {printable(version)}; "
                "`atomic-registry get` without a kind lists those that it serves"
            )
        return found

    def _find(self, version: str, name: str) -> Kind | None:
        kinds = [it for it in self.kinds() if it.kind == name]
        exact = [it for it in kinds if it.api_version == version]
        # Documents of the original name its own kinds without their group.
        old = [it for it in kinds if it.group.endswith(".openshift.io")] if version == "v1" else []
        return next(iter(exact or old), None)

    def _look_up(self, word: str) -> list[Kind]:
        asked = word.lower()
        named = [kind for kind in self.kinds() if kind.goes_by(asked)]
        if named:
            return named[:1]
        return [it for it in self.kinds() if asked in it.categories and "list" in it.verbs]

    def _unknown(self, word: str) -> str:
        from difflib import get_close_matches  # noqa: PLC0415 - for mistakes only

        known = [name for kind in self.kinds() for name in (kind.plural, kind.singular)]
        close = list(dict.fromkeys(get_close_matches(word.lower(), known, _GUESSES)))
        hint = (
            f"did you mean {' or '.join(close)}?"
            if close
            else ("`atomic-registry get` without a kind lists those that it serves")
        )
        return f"the master serves no kind {printable(word)!r}; {hint}"

    def _load(self) -> Sequence[Kind]:
        """Return what was kept; nothing if that is too old, damaged, or not there."""
        try:
            age = self._clock.now().timestamp() - self._path.stat().st_mtime
            if not 0 <= age < _KEPT_SECONDS:
                return ()
            return list(_kinds_of(json.loads(self._path.read_bytes())))
        except (OSError, ValueError):
            return ()

    def _fetch(self) -> Sequence[Kind]:
        groups: list[object] = []
        for path in ("/api", "/apis"):
            document = self._client.request("GET", path, accept=_FORM).document()
            groups += documents_at(document, "items")
        kept: Document = {"items": groups}
        self._is_fresh = True
        self._kinds = list(_kinds_of(kept))
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_file(self._path, json.dumps(kept).encode(), 0o600)
        except OSError:
            # It only saves time; another process may be writing the same.
            pass
        return self._kinds


def _kinds_of(document: object) -> Iterator[Kind]:
    for group in documents_at(document, "items"):
        for version in documents_at(group, "versions"):
            for resource in documents_at(version, "resources"):
                yield Kind(
                    plural=text_at(resource, "resource"),
                    singular=text_at(resource, "singularResource"),
                    kind=text_at(resource, "responseKind", "kind"),
                    group=name_of(group),
                    version=text_at(version, "version"),
                    is_namespaced=text_at(resource, "scope") == "Namespaced",
                    verbs=tuple(texts_at(resource, "verbs")),
                    short_names=tuple(texts_at(resource, "shortNames")),
                    categories=tuple(texts_at(resource, "categories")),
                )
