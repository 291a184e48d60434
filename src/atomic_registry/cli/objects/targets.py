"""What the words after a command mean: kinds, and objects of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from atomic_registry.cli.client import ApiClient, ApiError
from atomic_registry.cli.documents import Document, document_at, name_of, text_at
from atomic_registry.cli.objects.discovery import Catalogue, Kind
from atomic_registry.cli.objects.files import read_documents
from atomic_registry.cli.objects.pages import items_of
from atomic_registry.cli.output import printable
from atomic_registry.cli.session import Login, open_login


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A collection, or with a name one object; without a namespace of all projects."""

    kind: Kind
    name: str = ""
    namespace: str = ""
    uid: str = ""

    @property
    def path(self) -> str:
        """Where it is served."""
        return self.kind.path(self.namespace, self.name)

    @property
    def label(self) -> str:
        """How messages name it."""
        return printable(f"{self.kind.full_name}/{self.name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A login with the kinds that its master serves."""

    login: Login
    catalogue: Catalogue
    asked_namespace: str | None = None
    is_everywhere: bool = False

    @classmethod
    def open(cls, namespace: str | None = None, *, everywhere: bool = False) -> "Work":
        """Return the current login's; all projects win over one that is named."""
        login = open_login()
        return cls(
            login=login,
            catalogue=Catalogue.of(login.client),
            asked_namespace=None if everywhere else namespace,
            is_everywhere=everywhere,
        )

    @property
    def client(self) -> ApiClient:
        """The API as the caller."""
        return self.login.client

    def namespace_of(self, kind: Kind, document: Document | None = None) -> str:
        """Return the project in which objects of a kind are meant, empty where none is.

        Raises:
            ClickException: none is chosen, or a document names another one.
        """
        if not kind.is_namespaced or (self.is_everywhere and document is None):
            return ""
        own = text_at(document, "metadata", "namespace")
        if own and self.asked_namespace and own != self.asked_namespace:
            raise click.ClickException(
                f"{kind.kind} {printable(name_of(document or {}))} says that it is in project "
                f"{printable(own)}, not in {self.asked_namespace}; leave -n out, or change one"
            )
        return self.login.namespace(own or self.asked_namespace)

    def targets(self, words: Sequence[str]) -> list[Target]:
        """Return what the words mean: `is`, `is,secrets`, `is web api` or `is/web secret/x`.

        Raises:
            UsageError: they mix both forms.
        """
        if any("/" in word for word in words):
            return [self._slashed(word) for word in words]
        kinds = [kind for word in words[0].split(",") for kind in self.catalogue.named(word)]
        if len(words) > 1 and self.is_everywhere and any(kind.is_namespaced for kind in kinds):
            raise click.UsageError("an object of a name is in one project; give -n, not -A")
        return [
            Target(kind=kind, name=name, namespace=self.namespace_of(kind))
            for kind in kinds
            for name in words[1:] or [""]
        ]

    def in_files(
        self, files: Sequence[str], *, is_recursive: bool
    ) -> Iterator[tuple[Target, Document]]:
        """Yield the documents in files with what they mean."""
        for document in read_documents(files, is_recursive=is_recursive):
            kind = self.catalogue.of_document(document)
            namespace = self.namespace_of(kind, document)
            name = name_of(document)
            metadata = document_at(document, "metadata")
            if namespace:
                metadata = metadata | {"namespace": namespace}
            shown = document | {"apiVersion": kind.api_version, "metadata": metadata}
            yield Target(kind=kind, name=name, namespace=namespace), shown

    def objects(
        self,
        words: Sequence[str],
        files: Sequence[str],
        *,
        is_recursive: bool = False,
        selector: str = "",
        is_all: bool = False,
    ) -> Iterator[Target]:
        """Yield the single objects that are meant: by name, selected, all of a kind, in files."""
        if files:
            if words or selector or is_all:
                raise click.UsageError("-f names the objects; give no kind, -l or --all with it")
            yield from (it for it, _ in self.in_files(files, is_recursive=is_recursive))
            return
        if not words:
            raise click.UsageError("name objects: KIND NAME, KIND/NAME, or -f FILE")
        for target in self.targets(words):
            if target.name:
                if selector or is_all:
                    raise click.UsageError("names, -l and --all exclude each other")
                yield target
            elif selector or is_all:
                yield from self._listed(target, selector)
            else:
                raise click.UsageError("name the objects, or choose them with -l or --all")

    def _listed(self, target: Target, selector: str) -> Iterator[Target]:
        for item in items_of(self.client, target.path, selector=selector):
            namespace = text_at(item, "metadata", "namespace")
            uid = text_at(item, "metadata", "uid")
            yield Target(kind=target.kind, name=name_of(item), namespace=namespace, uid=uid)

    def _slashed(self, word: str) -> Target:
        kind_word, _, name = word.partition("/")
        if not kind_word or not name or "/" in name:
            raise click.UsageError(
                f"{word!r} is no KIND/NAME; all words have that form, or none, as in: KIND NAME"
            )
        [kind, *more] = self.catalogue.named(kind_word)
        if more:
            raise click.UsageError(f"{kind_word!r} is several kinds; name one of them")
        return Target(kind=kind, name=name, namespace=self.namespace_of(kind))


def find(client: ApiClient, target: Target, *, is_missing_fine: bool) -> Document | None:
    """Return one object; None where there is none and that is fine."""
    try:
        return client.get(target.path)
    except ApiError as error:
        if error.status == 404 and is_missing_fine:
            return None
        raise
