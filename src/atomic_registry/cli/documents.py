"""Reads values out of documents of others, whose form nobody has checked."""

Document = dict[str, object]


def document_at(document: object, *path: str) -> Document:
    """Return the object at a path, an empty one where there is none."""
    found = _at(document, path)
    return found if isinstance(found, dict) else {}


def list_at(document: object, *path: str) -> list[object]:
    """Return the list at a path, an empty one where there is none."""
    found = _at(document, path)
    return found if isinstance(found, list) else []


def documents_at(document: object, *path: str) -> list[Document]:
    """Return the objects in the list at a path."""
    return [item for item in list_at(document, *path) if isinstance(item, dict)]


def texts_at(document: object, *path: str) -> list[str]:
    """Return the texts in the list at a path."""
    return [item for item in list_at(document, *path) if isinstance(item, str)]


def text_at(document: object, *path: str) -> str:
    """Return the text at a path, an empty one where there is none."""
    found = _at(document, path)
    return found if isinstance(found, str) else ""


def number_at(document: object, *path: str, default: int) -> int:
    """Return the whole number at a path."""
    found = _at(document, path)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def name_of(document: Document) -> str:
    """Return the name in an object's metadata."""
    return text_at(document, "metadata", "name")


def _at(document: object, path: tuple[str, ...]) -> object:
    for key in path:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document
