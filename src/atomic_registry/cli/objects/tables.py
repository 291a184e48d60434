"""Prints the master's tables as they come, page by page, in columns that only grow."""

from collections.abc import Sequence

import click

from atomic_registry.cli.documents import Document, document_at, documents_at, list_at, text_at
from atomic_registry.cli.output import printable

_LEAST_WIDTH = 6
_GAP = 3


class TableWriter:
    """Rows of one kind under its headings; `prefix` stands before each name."""

    def __init__(
        self,
        *,
        is_wide: bool = False,
        with_namespace: bool = False,
        with_headings: bool = True,
        prefix: str = "",
        with_labels: bool = False,
    ) -> None:
        self._is_wide = is_wide
        self._with_namespace = with_namespace
        self._with_headings = with_headings
        self._prefix = prefix
        self._with_labels = with_labels
        self._columns: Sequence[Document] = ()
        self._headings: list[str] = []
        self._widths: list[int] = []

    @property
    def has_begun(self) -> bool:
        """Whether anything was printed."""
        return bool(self._headings)

    def write(self, table: Document) -> int:
        """Print a table's rows, with headings where they are new; return how many there were."""
        rows = documents_at(table, "rows")
        if not rows:
            return 0
        # A watch may name the columns with its first rows only.
        self._columns = documents_at(table, "columnDefinitions") or self._columns
        lines = [self._row(row) for row in rows]
        headings = self._row_of_headings()
        if headings != self._headings:
            self._headings, self._widths = headings, []
            if self._with_headings:
                lines.insert(0, headings)
        click.echo("\n".join(self._aligned(lines)))
        return len(rows)

    def _row_of_headings(self) -> list[str]:
        found = [text_at(it, "name").upper() for it in self._columns if self._is_shown(it)]
        namespace = ["NAMESPACE"] if self._with_namespace else []
        return [*namespace, *map(printable, found), *(["LABELS"] if self._with_labels else [])]

    def _row(self, row: Document) -> list[str]:
        metadata = document_at(row, "object", "metadata")
        cells = zip(self._columns, list_at(row, "cells"), strict=False)
        found = [_shown(cell) for column, cell in cells if self._is_shown(column)]
        if found:
            found[0] = self._prefix + found[0]
        if self._with_namespace:
            found.insert(0, printable(text_at(metadata, "namespace")))
        if self._with_labels:
            labels = document_at(metadata, "labels")
            found.append(",".join(f"{key}={labels[key]}" for key in sorted(labels)) or "<none>")
        return found

    def _is_shown(self, column: Document) -> bool:
        return self._is_wide or not column.get("priority")

    def _aligned(self, lines: Sequence[Sequence[str]]) -> list[str]:
        for line in lines:
            for at, cell in enumerate(line):
                width = max(len(cell) + _GAP, _LEAST_WIDTH)
                if at == len(self._widths):
                    self._widths.append(width)
                self._widths[at] = max(self._widths[at], width)
        return [
            "".join(
                cell if at == len(line) - 1 else cell.ljust(self._widths[at])
                for at, cell in enumerate(line)
            )
            for line in lines
        ]


def _shown(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    first, *more = str(cell).splitlines() or [""]
    return printable(first) + ("..." if more else "")
