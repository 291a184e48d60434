"""Reads the original's configuration of the registry into our options.

That is Docker Distribution's `config.yml`, and the variables `REGISTRY_*` that stand for a path in
it; what each key does is said in `config/registry_keys.py`.
"""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from atomic_registry.config.load import (
    ConfigInvalid,
    Given,
    Mistake,
    UniqueKeyLoader,
    read_yaml_file,
)
from atomic_registry.config.options import list_options
from atomic_registry.config.registry_keys import KEYS, SECTIONS

PREFIX = "REGISTRY_"
_MAX_LIST = 100
# Middleware is a list in the file, and a name in the variables.
_CHAINS = frozenset({"middleware.registry", "middleware.repository", "middleware.storage"})


@dataclass(slots=True, kw_only=True)
class _Entry:
    value: object
    origin: str
    text: str | None = None


@dataclass(slots=True)
class RegistryConfig:
    """Collects keys, of the file first and of variables after it, and tells what they mean."""

    mistakes: list[Mistake] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    _entries: dict[str, _Entry] = field(default_factory=dict)

    def read_file(self, path: Path) -> None:
        """Take in a `config.yml`."""
        try:
            document = read_yaml_file(path)
        except ConfigInvalid as error:
            self.mistakes += error.mistakes
            return
        if "version" not in document:
            reason = "it is required, and reads 0.1"
            self._wrong(str(path), "version", reason)
        self._walk("", document, str(path))

    def read_variable(self, name: str, text: str) -> bool:
        """Take in a variable; return False if it stands for no key of ours."""
        words = name.removeprefix(PREFIX).lower().split("_")
        origin = f"environment {name}"
        for depth in range(1, len(words) + 1):
            path = ".".join(words[:depth])
            if path in KEYS:
                value = _parse(text)
                rest = words[depth:]
                if rest and path in self._entries:
                    value = _graft(self._entries[path].value, rest, value)
                elif rest:
                    value = _graft(None, rest, value)
                self._entries[path] = _Entry(
                    value=value, origin=origin, text=None if rest else text
                )
                return True
        path = ".".join(words)
        if path in SECTIONS:
            self._walk(path, _parse(text), origin)
            return True
        if words[0] not in SECTIONS and not difflib.get_close_matches(words[0], _TOP, cutoff=0.8):
            return False
        self._wrong("environment", name, "there is no such key of config.yml", _nearest(path))
        return True

    def given(self) -> list[Given]:
        """Return what the keys set, and note what is wrong with them."""
        options = list_options()
        found: list[Given] = []
        # In the order of the table, where the more exact one of two keys comes later.
        for path, key in KEYS.items():
            entry = self._entries.get(path)
            if entry is None:
                continue
            place = entry.origin.removeprefix("environment ")
            is_variable = place != entry.origin
            origin, shown = ("environment", place) if is_variable else (entry.origin, path)
            try:
                key.accepts(entry.value)
                if key.refused and not key.harmless(entry.value):
                    self._wrong(origin, shown, key.refused, key.hint)
                elif key.ignored:
                    self.ignored.append(shown)
                for name, read in (key.sets or {}).items():
                    option = options[name]
                    is_text = option.kind is not bool and option.kind is not int
                    raw = entry.text if is_text and _is_scalar(entry) else entry.value
                    value = read(raw)
                    # The original writes a key without a value for what it has no value for.
                    if value is not None:
                        found.append((option, option.read(value), entry.origin))
            except ValueError as error:
                self._wrong(origin, shown, str(error))
        return found

    def _walk(self, path: str, value: object, origin: str) -> None:
        if path in KEYS:
            self._entries[path] = _Entry(value=value, origin=origin)
        elif path in _CHAINS and isinstance(value, list):
            self._chain(path, value, origin)
        elif path and path not in SECTIONS:
            self._wrong(origin, path, "there is no such key", _nearest(path))
        elif isinstance(value, str) and path:
            # `storage: filesystem` names a driver without parameters.
            self._walk(f"{path}.{value}", {}, origin)
        elif isinstance(value, dict):
            for name, item in value.items():
                self._walk(f"{path}.{name}" if path else str(name), item, origin)
        elif value is not None:
            self._wrong(origin, path, "it must be a mapping of keys to values")

    def _chain(self, path: str, chain: Sequence[object], origin: str) -> None:
        for index, item in enumerate(chain):
            place = f"{path}[{index}]"
            if not isinstance(item, dict) or not isinstance(item.get("name"), str):
                self._wrong(origin, place, "it must be a mapping with a name")
            elif item.get("disabled") is True:
                continue
            elif item["name"] != "openshift":
                reason = f"middleware {item['name']} is not supported in this version"
                self._wrong(origin, f"{place}.name", reason, "take the entry away")
            else:
                self._walk(f"{path}.openshift", item.get("options") or {}, origin)

    def _wrong(self, origin: str, key: str, reason: str, hint: str = "") -> None:
        self.mistakes.append(Mistake(origin=origin, key=key, reason=reason, hint=hint))


_TOP = sorted({path.partition(".")[0] for path in KEYS})


def _is_scalar(entry: _Entry) -> bool:
    return entry.text is not None and not isinstance(entry.value, list | dict)


def _parse(text: str) -> object:
    try:
        value: object = yaml.load(text, Loader=UniqueKeyLoader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, RecursionError):
        return text
    return value


def _graft(base: object, words: Sequence[str], value: object) -> object:
    """Return the base with the value at the place that the words name; numbers are of lists."""
    if not words:
        return value
    first, rest = words[0], words[1:]
    if first.isascii() and first.isdigit() and int(first) < _MAX_LIST:
        items = list(base) if isinstance(base, list) else []
        index = int(first)
        items += [None] * (index + 1 - len(items))
        items[index] = _graft(items[index], rest, value)
        return items
    mapping = dict(base) if isinstance(base, dict) else {}
    mapping[first] = _graft(mapping.get(first), rest, value)
    return mapping


def _nearest(path: str) -> str:
    known: Iterable[str] = [*KEYS, *SECTIONS]
    close = difflib.get_close_matches(path, known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    parent = path.rpartition(".")[0]
    beside = sorted(_children(parent))
    return f"known here: {', '.join(beside)}" if beside else ""


def _children(parent: str) -> Iterator[str]:
    start = f"{parent}." if parent else ""
    for path in KEYS:
        if path.startswith(start):
            yield path.removeprefix(start).partition(".")[0]
