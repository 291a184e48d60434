"""Lines of a description: labels with their values below each other, and free text between."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from atomic_registry.cli.documents import Document

Pair: TypeAlias = tuple[str, Sequence[str]]
NONE = "<none>"


def aligned(parts: Sequence[Pair | str]) -> list[str]:
    """Return the lines; values of all labels begin in one column."""
    width = max((len(part[0]) for part in parts if not isinstance(part, str)), default=0) + 3
    lines: list[str] = []
    for part in parts:
        if isinstance(part, str):
            lines.append(part)
            continue
        label, values = part
        first, *more = values or [NONE]
        lines.append(f"{label}:".ljust(width) + first)
        lines += [" " * width + value for value in more]
    return lines


def indented(parts: Sequence[Pair | str]) -> Iterator[str]:
    """Yield the lines a step to the right, aligned among themselves."""
    return (f"  {line}" for line in aligned(parts))


def by_key(values: Document) -> list[str]:
    """Return what is in a map, a line each."""
    return [f"{key}={values[key]}" for key in sorted(values)] or [NONE]
