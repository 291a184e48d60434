"""Fills templates of JSONPath in with documents; what is not there is left out, as in kubectl."""

import json
from collections.abc import Iterator, Sequence

from atomic_registry.cli.objects.jsonpath_parts import (
    Action,
    Descent,
    Field,
    Filter,
    Part,
    Path,
    Range,
    Slice,
    Step,
    TemplateInvalid,
    Text,
    Union,
)


def fill(parts: Sequence[Part], document: object) -> str:
    """Return the template's text for a document.

    Raises:
        TemplateInvalid: a comparison or an index does not fit the document.
    """
    return "".join(_texts(parts, document))


def values_at(path: Path, document: object) -> list[object]:
    """Return all values that a path leads to.

    Raises:
        TemplateInvalid: a comparison or an index does not fit the document.
    """
    values: list[object] = [document]
    for step in path:
        values = list(_after(step, values))
    return values


def shown(value: object) -> str:
    """Return a value as text: texts as they are, objects and lists as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _texts(parts: Sequence[Part], document: object) -> Iterator[str]:
    for part in parts:
        match part:
            case Text(value=value):
                yield str(value)
            case Action(path=path):
                yield " ".join(shown(value) for value in values_at(path, document))
            case Range(over=over, body=body):
                for value in values_at(over, document):
                    yield from _texts(body, value)


def _after(step: Step, values: Sequence[object]) -> Iterator[object]:
    match step:
        case Text(value=text):
            yield text
        case Union(paths=paths):
            for path in paths:
                for value in values:
                    yield from values_at(path, value)
        case _:
            for value in values:
                yield from _below(step, value)


def _below(step: Step, value: object) -> Iterator[object]:
    match step:
        case Field(name="*"):
            yield from _children(value)
        case Field(name=name):
            if isinstance(value, dict) and name in value:
                yield value[name]
        case Descent():
            yield from _descendants(value)
        case Slice():
            if isinstance(value, list):
                yield from _sliced(step, value)
        case Filter():
            yield from (it for it in _children(value) if _holds(step, it))
        case _:
            pass


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return [value[key] for key in sorted(value)]
    return list(value) if isinstance(value, list) else []


def _descendants(value: object) -> Iterator[object]:
    yield value
    for child in _children(value):
        if isinstance(child, dict | list):
            yield from _descendants(child)


def _sliced(step: Slice, value: list[object]) -> list[object]:
    found = value[step.start : step.stop : step.step]
    if step.is_single and not found and value:
        raise TemplateInvalid(
            f"index {step.start} is out of bounds: the list has {len(value)} entries"
        )
    return found


def _holds(step: Filter, value: object) -> bool:
    left = values_at(step.left, value)
    if not step.operator:
        return bool(left)
    right = values_at(step.right, value)
    if not left or not right:
        return False
    if len(left) > 1 or len(right) > 1:
        raise TemplateInvalid("a comparison takes one value on each side")
    one, other = left[0], right[0]
    if not _is_comparable(one, other):
        raise TemplateInvalid(f"{shown(one)!r} and {shown(other)!r} cannot be compared")
    if step.operator in {"==", "!="}:
        return (one == other) is (step.operator == "==")
    if isinstance(one, bool):
        raise TemplateInvalid("true and false have no order")
    order = _ordered(one, other)
    return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[step.operator]


def _ordered(one: object, other: object) -> int:
    if isinstance(one, str) and isinstance(other, str):
        return (one > other) - (one < other)
    if isinstance(one, int | float) and isinstance(other, int | float):
        return (one > other) - (one < other)
    raise TemplateInvalid(f"{shown(one)!r} and {shown(other)!r} have no order")


def _is_comparable(one: object, other: object) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return isinstance(one, bool) and isinstance(other, bool)
    if isinstance(one, int | float):
        return isinstance(other, int | float)
    return isinstance(one, str) and isinstance(other, str)
