"""Reads YAML documents into frozen dataclasses and reports all their mistakes together.

A class says what it takes by its fields: names become `lowerCamelCase` keys, unless the field's
metadata names another `key`; a `Path` is relative to the document; a field with metadata
`secret` is a string source (`config/string_source.py`), one with `internal` is no key. Of a union
of classes the document's `kind` picks one. Three more things a class may have: `IGNORED`, keys that are taken without effect,
`REFUSED`, keys that may be there without a value only, each with what to do instead,
and `check()`, which yields what is wrong between its fields.
"""

import dataclasses
import difflib
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import (
    Literal,
    Protocol,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    runtime_checkable,
)

import yaml

from atomic_registry.config.faults import Fault
from atomic_registry.config.load import (
    MAX_FILE_BYTES,
    ConfigInvalid,
    Mistake,
    UniqueKeyLoader,
    yaml_reason,
)
from atomic_registry.config.string_source import SourceInvalid, resolve

_T = TypeVar("_T")


@runtime_checkable
class Checked(Protocol):
    """A class that compares its fields with each other."""

    def check(self) -> Iterator[Fault]: ...


class _Broken:
    """Stands for a value whose mistakes have been reported."""


_BROKEN = _Broken()


def read_document(
    path: Path,
    kind: type[_T],
    environment: Mapping[str, str],
    *,
    name: str,
    versions: tuple[str, ...] = ("v1",),
) -> tuple[_T, tuple[str, ...]]:
    """Return the document, and the keys in it that have no effect.

    Its `kind` must be `name`, where it has one, and its `apiVersion` one of `versions`.

    Raises:
        ConfigInvalid: with all mistakes.
    """
    raw = _parse(path)
    reader = _Reader(path, environment)
    for key, allowed in (("kind", (name,)), ("apiVersion", versions)):
        given = raw.pop(key, None)
        if given is not None and given not in allowed:
            reader.wrong(key, f"{given!r} is not {' or '.join(allowed)}")
    document = reader.read(kind, raw, "")
    if reader.mistakes:
        raise ConfigInvalid(reader.mistakes)
    assert isinstance(document, kind)  # noqa: S101 - for the type checker
    return document, tuple(reader.ignored)


def document_keys(kind: type, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Return each key that such a document may have, and what happens with it."""
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if field.metadata.get("internal"):
            continue
        path = prefix + _key(field)
        options = [it for it in _options(hints[field.name]) if it is not types.NoneType]
        is_list = get_origin(options[0]) is tuple
        inner = get_args(options[0])[0] if is_list else options[0]
        if isinstance(inner, type) and dataclasses.is_dataclass(inner):
            yield from document_keys(inner, f"{path}[]." if is_list else f"{path}.")
        else:
            yield f"{path}[]" if is_list else path, "holds"
    for name in sorted(getattr(kind, "IGNORED", ())):
        yield f"{prefix}{name}", "no effect"
    for name, instead in getattr(kind, "REFUSED", {}).items():
        yield f"{prefix}{name}", f"refused: {instead}"


def _parse(path: Path) -> dict[object, object]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise _unreadable(path, f"it is larger than {MAX_FILE_BYTES} bytes")
        document = yaml.load(content, Loader=_PlainLoader)  # noqa: S506 - a safe loader
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _unreadable(path, f"it is not YAML: {yaml_reason(error)}") from error
    if not isinstance(document, dict):
        raise _unreadable(path, "it must be a mapping of keys to values")
    return document


def _unreadable(path: Path, reason: str) -> ConfigInvalid:
    return ConfigInvalid([Mistake(origin=str(path), key="", reason=reason)])


class _PlainLoader(UniqueKeyLoader):
    """Refuses anchors and aliases as well: few lines of them can stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            problem = "anchors and aliases are not taken; write the value out"
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        return super().compose_node(parent, index)


class _Reader:
    """Turns plain values into those that the classes ask for."""

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self._path = path
        self._environment = environment
        self.mistakes: list[Mistake] = []
        self.ignored: list[str] = []

    def wrong(self, key: str, reason: str, hint: str = "") -> _Broken:
        """Note a mistake."""
        self.mistakes.append(Mistake(origin=str(self._path), key=key, reason=reason, hint=hint))
        return _BROKEN

    def read(self, hint: object, raw: object, key: str) -> object:
        """Return the value in the form that the type asks for."""
        options = [it for it in _options(hint) if it is not types.NoneType]
        classes = [it for it in options if isinstance(it, type) and dataclasses.is_dataclass(it)]
        if len(classes) > 1:
            return self._tagged(classes, raw, key)
        if classes:
            return self._object(classes[0], raw, key)
        origin, arguments = get_origin(options[0]), get_args(options[0])
        if origin is tuple:
            return self._list(arguments[0], raw, key)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return self._mapping(raw, key)
        return self._scalar(options[0], raw, key)

    def _object(self, kind: type, raw: object, key: str) -> object:
        if not isinstance(raw, dict):
            return self.wrong(key, "it must be a mapping of keys to values")
        hints = get_type_hints(kind)
        fields = {
            _key(field): field
            for field in dataclasses.fields(kind)
            if not field.metadata.get("internal")
        }
        ignored: frozenset[str] = getattr(kind, "IGNORED", frozenset())
        refused: Mapping[str, str] = getattr(kind, "REFUSED", {})
        values: dict[str, object] = {}
        for name, value in raw.items():
            place = f"{key}.{name}" if key else str(name)
            if name in ignored:
                self.ignored.append(place)
            elif name in refused:
                if value:
                    self.wrong(place, "it is not offered here", refused[name])
            elif name not in fields:
                self.wrong(place, "there is no such key", _nearest(str(name), [*fields, *ignored]))
            elif not _is_unset(hints[fields[name].name], value):
                field = fields[name]
                values[field.name] = (
                    self._secret(value, place)
                    if field.metadata.get("secret")
                    else self.read(hints[field.name], value, place)
                )
        return self._built(kind, fields, values, key)

    def _built(
        self,
        kind: type,
        fields: Mapping[str, "dataclasses.Field[object]"],
        values: Mapping[str, object],
        key: str,
    ) -> object:
        missing = [
            name
            for name, field in fields.items()
            if field.name not in values
            and field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        ]
        for name in missing:
            self.wrong(f"{key}.{name}" if key else name, "it is required")
        if missing or _BROKEN in values.values():
            return _BROKEN
        built: object = kind(**values)
        faults = list(built.check()) if isinstance(built, Checked) else []
        for fault in faults:
            place = ".".join(part for part in (key, fault.key) if part)
            self.wrong(place, fault.reason, fault.hint)
        return _BROKEN if faults else built

    def _tagged(self, classes: list[type], raw: object, key: str) -> object:
        if not isinstance(raw, dict):
            return self.wrong(key, "it must be a mapping of keys to values")
        by_kind: dict[object, type] = {vars(it)["kind"]: it for it in classes}
        rest = dict(raw)
        kind, version = rest.pop("kind", None), rest.pop("apiVersion", "v1")
        if version != "v1":
            self.wrong(f"{key}.apiVersion", f"{version!r} is not v1")
        if not isinstance(kind, str) or kind not in by_kind:
            known = sorted(map(str, by_kind))
            close = difflib.get_close_matches(str(kind), known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"it is one of {', '.join(known)}"
            return self.wrong(f"{key}.kind", f"{kind!r} is not known", hint)
        return self._object(by_kind[kind], rest, key)

    def _list(self, hint: object, raw: object, key: str) -> object:
        if not isinstance(raw, list):
            return self.wrong(key, "it must be a list")
        items = [self.read(hint, item, f"{key}[{index}]") for index, item in enumerate(raw)]
        return _BROKEN if _BROKEN in items else tuple(items)

    def _mapping(self, raw: object, key: str) -> object:
        if not isinstance(raw, dict):
            return self.wrong(key, "it must be a mapping of keys to values")
        if not all(isinstance(it, str) for pair in raw.items() for it in pair):
            return self.wrong(key, "its keys and values must be text")
        return types.MappingProxyType(raw)

    def _scalar(self, kind: object, raw: object, key: str) -> object:
        if get_origin(kind) is Literal:
            choices = get_args(kind)
            if isinstance(raw, str) and raw in choices:
                return raw
            return self.wrong(key, f"{raw!r} is not one of {', '.join(choices)}")
        if kind is Path and isinstance(raw, str) and raw and "\0" not in raw:
            return self._path.parent / raw
        # A bool is an int in Python, but not in a document.
        if isinstance(kind, type) and type(raw) is kind:
            return raw
        wanted = {bool: "true or false", int: "a whole number", Path: "a path", str: "text"}
        reason = next(text for known, text in wanted.items() if known is kind)
        shown = repr(raw) if isinstance(raw, str | int | float | bool) else "it"
        return self.wrong(key, f"{shown} is not {reason}", _quoting(kind, raw))

    def _secret(self, raw: object, key: str) -> object:
        try:
            return resolve(raw, self._path.parent, self._environment)
        except SourceInvalid as error:
            return self.wrong(key, str(error))


def _options(hint: object) -> tuple[object, ...]:
    return get_args(hint) if get_origin(hint) in {Union, types.UnionType} else (hint,)


def _is_unset(hint: object, value: object) -> bool:
    """Tell whether the value is what the original writes for a key without one."""
    may_be_empty = types.NoneType in _options(hint) or get_origin(hint) is Literal
    return value is None or (value == "" and may_be_empty)


def _key(field: "dataclasses.Field[object]") -> str:
    named = field.metadata.get("key")
    if named is not None:
        return str(named)
    first, *rest = field.name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _quoting(kind: object, raw: object) -> str:
    return "put it in quotes" if kind is str and isinstance(raw, int | float) else ""


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    folded = [it for it in known if it.lower() == name.lower()]
    if folded or close:
        return f"did you mean {(folded or close)[0]}?"
    return f"known here: {', '.join(sorted(known))}" if known else "nothing may stand here"
