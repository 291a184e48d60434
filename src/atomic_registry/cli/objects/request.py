"""What `get` was asked for, and how what comes is shown."""

from collections.abc import Callable
from dataclasses import dataclass

from atomic_registry.cli.documents import Document
from atomic_registry.cli.objects.discovery import Kind
from atomic_registry.cli.objects.forms import TABLES, Form, parse_form, without_managers
from atomic_registry.cli.objects.tables import TableWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for, and how it is shown."""

    output: str
    query: dict[str, str]
    page: int
    with_headings: bool
    with_labels: bool
    with_managers: bool
    order: Callable[[Document], tuple[int, float, str]] | None
    is_missing_fine: bool
    is_everywhere: bool

    @property
    def is_table(self) -> bool:
        """Whether the master is asked for tables."""
        return self.output in TABLES

    def form(self) -> Form:
        """Return what prints objects, where tables are not wanted."""
        return parse_form(self.output, with_headings=self.with_headings)

    def writer(self, kind: Kind, *, with_kind: bool) -> TableWriter:
        """Return what prints tables of a kind."""
        return TableWriter(
            is_wide=self.output == "wide",
            with_namespace=self.is_everywhere and kind.is_namespaced,
            with_headings=self.with_headings,
            with_labels=self.with_labels,
            prefix=f"{kind.full_name}/" if with_kind else "",
        )

    def cleaned(self, kind: Kind, item: Document) -> Document:
        """Return an object as it is shown; items of a list need not say what they are."""
        own: Document = {"apiVersion": kind.api_version, "kind": kind.kind}
        return own | (item if self.with_managers else without_managers(item, self.output))
