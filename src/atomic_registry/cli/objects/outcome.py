"""Writes of objects, and what is said of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

import click

from atomic_registry.cli.client import JSON, Answer
from atomic_registry.cli.documents import Document, name_of
from atomic_registry.cli.objects.forms import parse_form, without_managers
from atomic_registry.cli.objects.targets import Target, Work

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
_Decorated = TypeVar("_Decorated", bound=Callable[..., object])


def write_options(command: _Decorated) -> _Decorated:
    """Add `--dry-run`, `-o` and `--field-manager`."""
    dry_run = click.option(
        "--dry-run",
        type=click.Choice(["none", "client", "server"]),
        default="none",
        show_default=True,
        help="client sends nothing; server checks everything and keeps nothing.",
    )
    output = click.option(
        "-o", "--output", default="", metavar="FORM", help="Print the object: json, yaml, name, ..."
    )
    manager = click.option(
        "--field-manager",
        "manager",
        default="atomic-registry",
        show_default=True,
        help="In whose name fields are written.",
    )
    return dry_run(output(manager(command)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How a command writes, and how it tells of it."""

    work: Work
    dry_run: str = "none"
    output: str = ""
    manager: str = "atomic-registry"

    def __post_init__(self) -> None:
        if self.output:
            parse_form(self.output)

    @property
    def is_sent(self) -> bool:
        """Whether the master is asked at all."""
        return self.dry_run != "client"

    def send(
        self,
        method: str,
        path: str,
        document: Document | None = None,
        *,
        kind: str = JSON,
        **query: str,
    ) -> Answer:
        """Send one write."""
        asked = dict(query)
        if self.manager and method != "DELETE":
            asked["fieldManager"] = self.manager
        if self.dry_run == "server":
            asked["dryRun"] = "All"
        url = f"{path}?{urlencode(asked)}" if asked else path
        return self.work.client.request(method, url, document=document, kind=kind)

    def tell(self, target: Target, verb: str, item: Document | None = None) -> None:
        """Say what was done, or print the object in the form that was asked for."""
        if self.output and item is not None:
            parse_form(self.output).print_one(target.kind, without_managers(item, self.output))
            return
        dry = {"client": " (dry run)", "server": " (server dry run)"}.get(self.dry_run, "")
        click.echo(f"{target.label} {verb}{dry}")

    def create(self, target: Target, document: Document) -> None:
        """Make an object, and tell of it."""
        made = document
        if self.is_sent:
            path = target.kind.path(target.namespace)
            made = self.send("POST", path, document).document()
        named = Target(kind=target.kind, name=name_of(made), namespace=target.namespace)
        self.tell(named, "created", made)
