"""The options of the settings tree as a flat table, and the reading of one value."""

import dataclasses
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Union, get_args, get_origin, get_type_hints

from atomic_registry.config.settings import Settings

ENVIRONMENT_PREFIX = "ATOMIC_REGISTRY_"
Value = str | int | bool | Path | None

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One leaf of the settings tree; `key` is its dotted path."""

    key: str
    kind: type
    choices: tuple[str, ...]
    is_optional: bool
    default: Value
    help: str
    minimum: int | None
    maximum: int | None
    is_secret: bool

    @property
    def variable(self) -> str:
        """The name of the environment variable that sets the option."""
        return ENVIRONMENT_PREFIX + self.key.replace(".", "_").upper()

    def read(self, raw: object) -> Value:
        """Return the value that a file or a flag gives.

        Raises:
            ValueError: the value is of another kind or outside the limits; says what is wanted.
        """
        if raw is None and self.is_optional:
            return None
        # A bool is an int in Python, but not in a configuration file.
        if self.kind is bool and isinstance(raw, bool):
            return raw
        if self.kind is int and isinstance(raw, int) and not isinstance(raw, bool):
            return self._within_limits(raw)
        if self.kind is Path and isinstance(raw, str | Path):
            return self._path(str(raw))
        if self.kind is str and isinstance(raw, str):
            return self._text(raw)
        shown = "***" if self.is_secret else repr(raw)
        raise ValueError(f"{shown} is not {self.wanted}")

    def read_text(self, text: str) -> Value:
        """Return the value that an environment variable spells.

        Raises:
            ValueError: as `read` does.
        """
        if self.kind is bool and text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        if self.kind is int:
            try:
                return self.read(int(text))
            except ValueError as error:
                raise ValueError(f"{text!r} is not {self.wanted}") from error
        return self.read(text)

    @property
    def wanted(self) -> str:
        """What a right value looks like, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.kind is int:
            bounds = [f"at least {self.minimum}"] if self.minimum is not None else []
            bounds += [f"at most {self.maximum}"] if self.maximum is not None else []
            return " ".join(["a whole number", " and ".join(bounds)]).strip()
        return {bool: "true or false", Path: "a path", str: "text"}[self.kind]

    def _within_limits(self, number: int) -> int:
        too_small = self.minimum is not None and number < self.minimum
        too_large = self.maximum is not None and number > self.maximum
        if too_small or too_large:
            raise ValueError(f"{number} is not {self.wanted}")
        return number

    def _path(self, text: str) -> Path | None:
        if not text and self.is_optional:
            return None
        if not text or "\0" in text:
            raise ValueError(f"{text!r} is not {self.wanted}")
        return Path(text)

    def _text(self, text: str) -> str:
        if self.choices and text not in self.choices:
            raise ValueError(f"{text!r} is not {self.wanted}")
        return text


def list_options() -> Mapping[str, Option]:
    """Return every option by its dotted key, in the order of the tree."""
    return {option.key: option for option in _walk(Settings, "")}


def section_help() -> Mapping[str, str]:
    """Return the description of every section by its dotted key."""
    found: dict[str, str] = {}

    def visit(section: type, prefix: str) -> None:
        for name, hint in get_type_hints(section).items():
            if dataclasses.is_dataclass(hint) and isinstance(hint, type):
                found[prefix + name] = (hint.__doc__ or "").strip()
                visit(hint, f"{prefix}{name}.")

    visit(Settings, "")
    return found


def build(values: Mapping[str, Value]) -> Settings:
    """Return the settings tree with the given values; the others keep their defaults."""
    settings = _build(Settings, "", values)
    assert isinstance(settings, Settings)  # noqa: S101 - for the type checker
    return settings


def _build(section: type, prefix: str, values: Mapping[str, Value]) -> object:
    arguments: dict[str, object] = {}
    for name, hint in get_type_hints(section).items():
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            arguments[name] = _build(hint, f"{prefix}{name}.", values)
        elif prefix + name in values:
            arguments[name] = values[prefix + name]
    built: object = section(**arguments)
    return built


def _walk(section: type, prefix: str) -> Iterator[Option]:
    hints = get_type_hints(section)
    assert dataclasses.is_dataclass(section)  # noqa: S101 - for the type checker
    for field in dataclasses.fields(section):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            yield from _walk(hint, f"{prefix}{field.name}.")
            continue
        kind, choices, is_optional = _shape(hint)
        default: Value = field.default  # type: ignore[assignment]  # `option` always sets one
        yield Option(
            key=prefix + field.name,
            kind=kind,
            choices=choices,
            is_optional=is_optional,
            default=default,
            help=field.metadata["help"],
            minimum=field.metadata["minimum"],
            maximum=field.metadata["maximum"],
            is_secret=field.metadata["secret"],
        )


def _shape(hint: object) -> tuple[type, tuple[str, ...], bool]:
    origin = get_origin(hint)
    if origin is Literal:
        return str, get_args(hint), False
    if origin in (Union, types.UnionType):
        (kind,) = (part for part in get_args(hint) if part is not type(None))
        return kind, (), True
    assert isinstance(hint, type)  # noqa: S101 - for the type checker
    return hint, (), False
