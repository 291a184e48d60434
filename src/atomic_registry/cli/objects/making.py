"""What the commands below `create` share: their options, and how an object is made."""

from collections.abc import Callable
from typing import TypeVar

import click

from atomic_registry.cli.documents import Document
from atomic_registry.cli.objects.outcome import Writing, write_options
from atomic_registry.cli.objects.targets import Target, Work
from atomic_registry.cli.session import namespace_option

_Decorated = TypeVar("_Decorated", bound=Callable[..., object])
_SHARED = ("namespace", "dry_run", "output", "manager")


def making_options(command: _Decorated) -> _Decorated:
    """Add the options that say where and how; they may stand before or after the kind."""
    found = namespace_option(write_options(command))
    # The decorators leave their options on the function until it becomes a command.
    for option in getattr(found, "__click_params__", ()):
        if option.name in _SHARED:
            option.expose_value = False
            option.callback = _keep
    return found


def open_writing() -> Writing:
    """Return how the command that runs now writes."""
    meta = click.get_current_context().meta
    namespace, dry_run, output, manager = (meta.get(_key(name)) for name in _SHARED)
    return Writing(
        work=Work.open(namespace),
        dry_run=dry_run or "none",
        output=output or "",
        manager=manager or "",
    )


def make(version: str, kind: str, name: str, parts: Document | None = None) -> None:
    """Make one object, as the options of the command that runs now say."""
    writing = open_writing()
    found = writing.work.catalogue.of_document({"apiVersion": version, "kind": kind})
    namespace = writing.work.namespace_of(found)
    metadata: Document = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    document: Document = {"apiVersion": version, "kind": kind, "metadata": metadata}
    target = Target(kind=found, name=name, namespace=namespace)
    writing.create(target, document | (parts or {}))


def _keep(context: click.Context, parameter: click.Parameter, value: object) -> object:
    """Remember the option for the command; one of the kind wins over the same one before it."""
    key = _key(parameter.name or "")
    if key not in context.meta or value != parameter.get_default(context):
        context.meta[key] = value
    return value


def _key(name: str) -> str:
    return f"{__name__}.{name}"
