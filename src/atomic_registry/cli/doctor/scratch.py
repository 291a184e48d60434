"""A place to push to, which is gone afterwards whatever happens in between."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click

from atomic_registry.cli.client import ApiClient, ApiError, segment
from atomic_registry.cli.doctor.caller import Caller, make_robot
from atomic_registry.cli.doctor.checklist import Checklist
from atomic_registry.cli.documents import Document
from atomic_registry.cli.session import IMAGES, PROJECTS, RBAC

HOP = "project"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """Where to push, and as whom."""

    project: str
    repository: str
    caller: Caller


class CannotPush(Exception):
    """There is no place; the checklist says why."""


class Tidy:
    """Takes back what was made, the last first; what cannot be is entered in the list."""

    def __init__(self, checklist: Checklist) -> None:
        self._checklist = checklist
        self._steps: list[tuple[str, Callable[[], object]]] = []

    def later(self, what: str, step: Callable[[], object]) -> None:
        """Take this step at the end."""
        self._steps.append((what, step))

    def close(self) -> None:
        """Take the steps; a failing one keeps none of the others back."""
        is_clean = True
        while self._steps:
            what, step = self._steps.pop()
            try:
                step()
            except click.ClickException as error:
                if isinstance(error, ApiError) and error.status == 404:
                    continue
                is_clean = False
                self._checklist.warn("cleanup", f"{what} is left: {error.message}", "delete it")
        if is_clean:
            self._checklist.ok("cleanup", "nothing is left behind")


@contextlib.contextmanager
def tidying(checklist: Checklist) -> Iterator[Tidy]:
    """Give what remembers the steps, and take them at the end, also after Ctrl-C."""
    tidy = Tidy(checklist)
    try:
        yield tidy
    finally:
        tidy.close()


def make_scratch(
    client: ApiClient | None,
    caller: Caller,
    project: str,
    name: str,
    *,
    tidy: Tidy,
    checklist: Checklist,
) -> Scratch:
    """Return a place called by the name in the project, or in one of its own.

    Raises:
        CannotPush: there is none.
    """
    if client is None and not project:
        checklist.skip(
            HOP, "no master to make a project: nothing was pushed", "name one: --project"
        )
        raise CannotPush
    own = project or name
    try:
        if client is not None and not project:
            _make_project(client, own, tidy)
            checklist.ok(HOP, f"made {own}")
        elif client is not None:
            stream = f"{IMAGES}/namespaces/{segment(own)}/imagestreams/{segment(name)}"
            tidy.later(f"image stream {own}/{name}", lambda: client.call("DELETE", stream))
        if client is not None and not caller.secret:
            caller = _robot(client, own, name, tidy)
    except click.ClickException as error:
        checklist.fail(
            HOP,
            f"as {caller.name}: {error.message}",
            "name a project in which you may push: --project PROJECT, or let an administrator "
            "run it: doctor --admin",
        )
        raise CannotPush from error
    return Scratch(project=own, repository=f"{own}/{name}", caller=caller)


def _make_project(client: ApiClient, name: str, tidy: Tidy) -> None:
    document: Document = {
        "kind": "ProjectRequest",
        "apiVersion": "project.openshift.io/v1",
        "metadata": {"name": name},
        "description": "Made by `atomic-registry doctor`, which deletes it again.",
    }
    path = f"{PROJECTS}/projects/{segment(name)}"
    # Before it is made: an answer may get lost. The name is random, so it is nobody else's.
    tidy.later(f"project {name}", lambda: client.call("DELETE", path))
    client.call("POST", f"{PROJECTS}/projectrequests", document)


def _robot(client: ApiClient, project: str, name: str, tidy: Tidy) -> Caller:
    below = f"/namespaces/{segment(project)}"
    binding = f"{RBAC}{below}/rolebindings/{segment(name)}"
    robot = f"/api/v1{below}/serviceaccounts/{segment(name)}"
    tidy.later(f"robot {project}/{name}", lambda: client.call("DELETE", robot))
    tidy.later(f"role binding {project}/{name}", lambda: client.call("DELETE", binding))
    return make_robot(client, project, name)
