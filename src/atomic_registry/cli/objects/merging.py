"""Makes a change of a document again on a newer one, unless both changed the same fields."""

from atomic_registry.cli.documents import Document

_VERSION = ("metadata", "resourceVersion")
# They change with each write, by themselves.
_OF_THE_SERVER = frozenset({_VERSION, ("metadata", "generation"), ("metadata", "managedFields")})

Path = tuple[str, ...]


class Overlap(Exception):
    """Two changes of one field; the message is its path."""


def difference(old: Document, new: Document) -> dict[Path, object]:
    """Return the fields that differ, with their new values; None where one is gone."""
    found: dict[Path, object] = {}
    for key in sorted({*old, *new}):
        one, other = old.get(key), new.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            found |= {(key, *rest): value for rest, value in difference(one, other).items()}
        elif one != other or type(one) is not type(other) or (key in old) != (key in new):
            found[(key,)] = other
    return found


def rebased(original: Document, edited: Document, current: Document) -> Document:
    """Return the current document with the change from the original to the edited one.

    Raises:
        Overlap: the current one has another change in the same place.
    """
    mine = {
        path: value
        for path, value in difference(original, edited).items()
        if path not in _OF_THE_SERVER
    }
    theirs = difference(original, current)
    for path, value in mine.items():
        for other in theirs:
            is_near = path[: len(other)] == other or other[: len(path)] == path
            if is_near and not (path == other and theirs[other] == value):
                raise Overlap(".".join(path))
    result = current
    for path, value in mine.items():
        result = _with(result, path, value)
    return result


def _with(document: Document, path: Path, value: object) -> Document:
    key, *rest = path
    if rest:
        inner = document.get(key)
        value = _with(inner if isinstance(inner, dict) else {}, tuple(rest), value)
    elif value is None:
        return {name: kept for name, kept in document.items() if name != key}
    return {**document, key: value}
