"""Documents in files, directories and standard input: JSON or YAML, several in one file too."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from atomic_registry.cli.documents import Document, documents_at, text_at
from atomic_registry.cli.objects.yaml_text import TextInvalid, parse_documents

_ENDINGS = frozenset({".json", ".yaml", ".yml"})
_MAX_BYTES = 16 << 20


def read_documents(names: Sequence[str], *, is_recursive: bool) -> Iterator[Document]:
    """Yield the objects of each file, of the files of each directory, or of `-`.

    Raises:
        ClickException: a file cannot be read, or is neither JSON nor YAML.
    """
    for name in names:
        for shown, text in _texts(name, is_recursive=is_recursive):
            is_empty = True
            for document in _parsed(shown, text):
                is_empty = False
                yield from _expanded(document)
            if is_empty:
                raise click.ClickException(f"{shown} holds no document")


def _texts(name: str, *, is_recursive: bool) -> Iterator[tuple[str, str]]:
    if name == "-":
        yield "standard input", sys.stdin.read(_MAX_BYTES)
        return
    path = Path(name)
    if not path.is_dir():
        yield name, _read(path)
        return
    found = path.rglob("*") if is_recursive else path.glob("*")
    files = sorted(it for it in found if it.suffix in _ENDINGS and it.is_file())
    if not files:
        raise click.ClickException(f"{name} holds no file that ends in .json, .yaml or .yml")
    for file in files:
        yield str(file), _read(file)


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise click.ClickException(f"{path} is larger than {_MAX_BYTES >> 20} MiB; split it")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{path} is no text in UTF-8") from error


def _parsed(name: str, text: str) -> Iterator[Document]:
    try:
        for document in parse_documents(text):
            if not isinstance(document, dict):
                raise click.ClickException(f"{name} holds something that is no object")
            yield document
    except TextInvalid as error:
        raise click.ClickException(f"{name} is neither JSON nor YAML: {error}") from error


def _expanded(document: Document) -> Iterator[Document]:
    if text_at(document, "kind").endswith("List") and "items" in document:
        for item in documents_at(document, "items"):
            yield from _expanded(item)
    else:
        yield document
