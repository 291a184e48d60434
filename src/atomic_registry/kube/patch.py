"""JSON merge patches (RFC 7386) and JSON patches (RFC 6902), as pure functions on documents.

A patch changes its own copy; documents that are passed in stay as they are.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from atomic_registry.errors import ParameterInvalid, PatchFailed, TooLarge
from atomic_registry.kube.shapes import Document, is_same

MAX_OPERATIONS = 10_000
MAX_RESULT = 3 * 512 * 1024
_MAX_STEPS = 100
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_BAD_ESCAPE = re.compile(r"~(?![01])")
_NOTHING = "there is nothing at this path"

Container = dict[str, object] | list[object]


def merge_patch(document: object, patch: object) -> object:
    """Return the document with a merge patch applied (RFC 7386 section 2)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def json_patch(document: Document, operations: object) -> Document:
    """Return the document with each operation applied, in order (RFC 6902).

    Raises:
        ParameterInvalid: this is no JSON patch.
        PatchFailed: an operation does not fit the document; it is named.
        TooLarge: there are too many operations, or the result is too large.
    """
    if not isinstance(operations, list):
        raise _malformed("it must be a list of operations")
    if len(operations) > MAX_OPERATIONS:
        raise TooLarge(what="the list of operations", limit=MAX_OPERATIONS)
    patching = _Patching(_copied(document))
    for position, operation in enumerate(operations):
        if not isinstance(operation, dict):
            raise _malformed(f"operation {position} must be an object")
        patching.apply(position, operation)
    return patching.result()


class _Fault(Exception):
    """Why an operation does not fit; the caller adds which one it is."""


class _Patching:
    """The document while it changes, and how much operations may still copy."""

    def __init__(self, document: object) -> None:
        self._root = document
        self._budget = MAX_RESULT

    def apply(self, position: int, operation: Mapping[str, object]) -> None:
        kind, path = operation.get("op"), operation.get("path")
        if not isinstance(kind, str) or kind not in _OPERATIONS:
            known = ", ".join(_OPERATIONS)
            raise _malformed(f"the op of operation {position} must be one of {known}")
        needed = _NEEDED[kind]
        if not isinstance(path, str) or (needed and needed not in operation):
            missing = " and ".join(filter(None, ("path", needed)))
            raise _malformed(f"operation {position} ({kind}) needs {missing}")
        try:
            _OPERATIONS[kind](self, path, operation)
        except _Fault as fault:
            reason = str(fault)
        except RecursionError:
            reason = "the document is nested too deeply"
        else:
            return
        raise PatchFailed(operation=f"operation {position} ({kind} {path})", reason=reason)

    def result(self) -> Document:
        if not isinstance(self._root, dict):
            raise PatchFailed(operation="the patch", reason="the result must be an object")
        return self._root

    def add(self, path: str, operation: Mapping[str, object]) -> None:
        self._put(path, _copied(operation["value"]))

    def remove(self, path: str, _operation: Mapping[str, object]) -> None:
        self._take(path)

    def replace(self, path: str, operation: Mapping[str, object]) -> None:
        steps, value = _steps(path), _copied(operation["value"])
        if not steps:
            self._root = value
            return
        parent = self._find(steps[:-1])
        _member(parent, steps[-1])
        if isinstance(parent, list):
            parent[_position(steps[-1], len(parent) - 1)] = value
        elif isinstance(parent, dict):
            parent[steps[-1]] = value

    def move(self, path: str, operation: Mapping[str, object]) -> None:
        source = _source(operation)
        if path == source:
            self._find(_steps(path))
            return
        if path.startswith(source + "/"):
            raise _Fault("a value cannot be moved into itself")
        self._put(path, self._take(source))

    def copy(self, path: str, operation: Mapping[str, object]) -> None:
        value = self._find(_steps(_source(operation)))
        encoded = msgspec.json.encode(value)
        # Copies of copies double each time.
        self._budget -= len(encoded)
        if self._budget < 0:
            raise TooLarge(what="what the patch copies", limit=MAX_RESULT)
        self._put(path, msgspec.json.decode(encoded))

    def test(self, path: str, operation: Mapping[str, object]) -> None:
        if not is_same(self._find(_steps(path)), operation["value"]):
            raise _Fault("the value is another one")

    def _find(self, steps: Sequence[str]) -> object:
        value = self._root
        for step in steps:
            value = _member(value, step)
        return value

    def _put(self, path: str, value: object) -> None:
        steps = _steps(path)
        if not steps:
            self._root = value
            return
        parent, step = self._find(steps[:-1]), steps[-1]
        if isinstance(parent, dict):
            parent[step] = value
        elif isinstance(parent, list):
            at = len(parent) if step == "-" else _position(step, len(parent))
            parent.insert(at, value)
        else:
            raise _Fault("there is no object or list to put it into")

    def _take(self, path: str) -> object:
        steps = _steps(path)
        if not steps:
            raise _Fault("the whole document cannot be removed")
        parent = self._find(steps[:-1])
        value = _member(parent, steps[-1])
        if isinstance(parent, dict):
            del parent[steps[-1]]
        elif isinstance(parent, list):
            del parent[_position(steps[-1], len(parent) - 1)]
        return value


_OPERATIONS: Mapping[str, Callable[[_Patching, str, Mapping[str, object]], None]] = {
    "add": _Patching.add,
    "remove": _Patching.remove,
    "replace": _Patching.replace,
    "move": _Patching.move,
    "copy": _Patching.copy,
    "test": _Patching.test,
}
_NEEDED = {
    "add": "value", "remove": "", "replace": "value", "move": "from", "copy": "from",
    "test": "value",
}  # fmt: skip


def _steps(pointer: str) -> list[str]:
    """Return the reference tokens of a JSON pointer (RFC 6901)."""
    if not pointer:
        return []
    if not pointer.startswith("/") or _BAD_ESCAPE.search(pointer):
        raise _Fault("it is not a JSON pointer: write /metadata/labels, with ~1 for / and ~0 for ~")
    steps = pointer[1:].split("/")
    if len(steps) > _MAX_STEPS:
        raise _Fault(f"the path has more than {_MAX_STEPS} steps")
    return [step.replace("~1", "/").replace("~0", "~") for step in steps]


def _source(operation: Mapping[str, object]) -> str:
    source = operation["from"]
    if not isinstance(source, str):
        raise _Fault("from must be a path")
    return source


def _member(value: object, step: str) -> object:
    if isinstance(value, dict) and step in value:
        member: object = value[step]
        return member
    if isinstance(value, list):
        item: object = value[_position(step, len(value) - 1)]
        return item
    raise _Fault(_NOTHING)


def _position(step: str, last: int) -> int:
    if not _INDEX.fullmatch(step):
        raise _Fault(f"{step[:20]!r} is no position in a list")
    if int(step) > last:
        raise _Fault(_NOTHING)
    return int(step)


def _copied(value: object) -> object:
    if isinstance(value, dict):
        return {key: _copied(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_copied(member) for member in value]
    return value


def _malformed(reason: str) -> ParameterInvalid:
    return ParameterInvalid(parameter="the patch", value="JSON patch", reason=reason)
