"""What templates of JSONPath are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


class TemplateInvalid(ValueError):
    """A template that cannot be read; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Literal text, or a literal value in a filter."""

    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A key of an object, or each value with `*`."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Descent:
    """Everything below, at any depth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Some entries of a list; `is_single` where one index was asked for, which must exist."""

    start: int | None
    stop: int | None
    step: int = 1
    is_single: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Union:
    """What several paths lead to, one after the other."""

    paths: Sequence["Path"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """The entries of a list for which a comparison holds, or without an operator a path exists."""

    left: "Path"
    operator: str = ""
    right: "Path" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A part of the template that is repeated for each value."""

    over: "Path"
    body: Sequence["Part"]


Step: TypeAlias = Text | Field | Descent | Slice | Union | Filter
Path: TypeAlias = Sequence[Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One pair of braces that gives values."""

    path: Path


Part: TypeAlias = Text | Action | Range
