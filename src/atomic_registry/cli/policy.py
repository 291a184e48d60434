"""`atomic-registry policy`: who holds which role."""

from collections.abc import Sequence

import click

from atomic_registry.cli.bindings import (
    add_subject,
    cluster_role,
    group_subject,
    remove_subjects,
    robot_subject,
    user_subject,
)
from atomic_registry.cli.documents import Document, text_at
from atomic_registry.cli.rights import can_i, who_can
from atomic_registry.cli.session import Login, namespace_option, open_login, warn_of_open_login

_robots_option = click.option(
    "-z",
    "--serviceaccount",
    "robots",
    metavar="NAME",
    multiple=True,
    help="A robot of the project; may stand several times.",
)
_own_role_option = click.option(
    "--role-namespace", metavar="PROJECT", help="The role is the project's own, not everywhere's."
)


@click.group("policy")
def command() -> None:
    """Give roles to users, groups and robots, take them away, and see who may do what.

    \b
    Roles for images: registry-viewer (pull), registry-editor (push), registry-admin (all).
    \b
    Examples:
      atomic-registry policy add-role-to-user registry-viewer bob
      atomic-registry policy add-role-to-user registry-editor -z ci -n demo
      atomic-registry policy add-role-to-group registry-viewer developers
    """


command.add_command(who_can)
command.add_command(can_i)


@command.command("add-role-to-user")
@click.argument("role")
@click.argument("users", nargs=-1)
@namespace_option
@_robots_option
@_own_role_option
def add_role_to_user(
    role: str,
    users: tuple[str, ...],
    namespace: str | None,
    robots: tuple[str, ...],
    role_namespace: str | None,
) -> None:
    """Give ROLE in a project to USERS.

    \b
    Example:
      atomic-registry policy add-role-to-user registry-viewer bob -n demo
    """
    login = open_login()
    where = login.namespace(namespace)
    subjects = _users(users, robots, where)
    _add(login, where, _role(role, role_namespace), subjects)


@command.command("add-role-to-group")
@click.argument("role")
@click.argument("groups", nargs=-1, required=True)
@namespace_option
@_own_role_option
def add_role_to_group(
    role: str, groups: tuple[str, ...], namespace: str | None, role_namespace: str | None
) -> None:
    """Give ROLE in a project to GROUPS.

    \b
    Example:
      atomic-registry policy add-role-to-group registry-viewer developers -n demo
    """
    login = open_login()
    subjects = [group_subject(name) for name in groups]
    _add(login, login.namespace(namespace), _role(role, role_namespace), subjects)


@command.command("remove-role-from-user")
@click.argument("role")
@click.argument("users", nargs=-1)
@namespace_option
@_robots_option
@_own_role_option
def remove_role_from_user(
    role: str,
    users: tuple[str, ...],
    namespace: str | None,
    robots: tuple[str, ...],
    role_namespace: str | None,
) -> None:
    """Take ROLE in a project from USERS.

    \b
    Example:
      atomic-registry policy remove-role-from-user registry-viewer bob -n demo
    """
    login = open_login()
    where = login.namespace(namespace)
    _remove(login, where, _role(role, role_namespace), _users(users, robots, where))


@command.command("remove-role-from-group")
@click.argument("role")
@click.argument("groups", nargs=-1, required=True)
@namespace_option
@_own_role_option
def remove_role_from_group(
    role: str, groups: tuple[str, ...], namespace: str | None, role_namespace: str | None
) -> None:
    """Take ROLE in a project from GROUPS.

    \b
    Example:
      atomic-registry policy remove-role-from-group registry-viewer developers -n demo
    """
    login = open_login()
    subjects = [group_subject(name) for name in groups]
    _remove(login, login.namespace(namespace), _role(role, role_namespace), subjects)


@command.command("add-cluster-role-to-user")
@click.argument("role")
@click.argument("users", nargs=-1, required=True)
def add_cluster_role_to_user(role: str, users: tuple[str, ...]) -> None:
    """Give ROLE in all projects to USERS.

    \b
    Example:
      atomic-registry policy add-cluster-role-to-user cluster-admin mary
    """
    _add(open_login(), "", cluster_role(role), _users(users, (), ""))


@command.command("add-cluster-role-to-group")
@click.argument("role")
@click.argument("groups", nargs=-1, required=True)
def add_cluster_role_to_group(role: str, groups: tuple[str, ...]) -> None:
    """Give ROLE in all projects to GROUPS.

    \b
    Example:
      atomic-registry policy add-cluster-role-to-group cluster-reader auditors
    """
    _add(open_login(), "", cluster_role(role), [group_subject(name) for name in groups])


@command.command("remove-cluster-role-from-user")
@click.argument("role")
@click.argument("users", nargs=-1, required=True)
def remove_cluster_role_from_user(role: str, users: tuple[str, ...]) -> None:
    """Take ROLE in all projects from USERS.

    \b
    Example:
      atomic-registry policy remove-cluster-role-from-user cluster-admin mary
    """
    _remove(open_login(), "", cluster_role(role), _users(users, (), ""))


@command.command("remove-cluster-role-from-group")
@click.argument("role")
@click.argument("groups", nargs=-1, required=True)
def remove_cluster_role_from_group(role: str, groups: tuple[str, ...]) -> None:
    """Take ROLE in all projects from GROUPS.

    \b
    Example:
      atomic-registry policy remove-cluster-role-from-group cluster-reader auditors
    """
    _remove(open_login(), "", cluster_role(role), [group_subject(name) for name in groups])


def _role(name: str, namespace: str | None) -> Document:
    return {"kind": "Role", "name": name} if namespace else cluster_role(name)


def _users(users: Sequence[str], robots: Sequence[str], namespace: str) -> list[Document]:
    if not users and not robots:
        raise click.UsageError("name a user, or a robot with -z")
    return [
        *(user_subject(name) for name in users),
        *(robot_subject(namespace, name) for name in robots),
    ]


def _add(login: Login, namespace: str, role: Document, subjects: Sequence[Document]) -> None:
    for subject in subjects:
        is_new = add_subject(login.client, namespace, role, subject)
        verb = "now has" if is_new else "already had"
        click.echo(f"{_named(subject)} {verb} role {role['name']} {_where(namespace)}.")
    if any(subject["kind"] == "User" for subject in subjects):
        warn_of_open_login(login.client)


def _remove(login: Login, namespace: str, role: Document, subjects: Sequence[Document]) -> None:
    for subject in subjects:
        if not remove_subjects(login.client, namespace, role, [subject]):
            raise click.ClickException(
                f"no binding gives role {role['name']} to {_named(subject)} {_where(namespace)}"
            )
        click.echo(f"{_named(subject)} no longer has role {role['name']} {_where(namespace)}.")


def _named(subject: Document) -> str:
    if subject["kind"] == "ServiceAccount":
        return f"Robot {text_at(subject, 'namespace')}/{text_at(subject, 'name')}"
    return f"{subject['kind']} {subject['name']}"


def _where(namespace: str) -> str:
    return f"in project {namespace}" if namespace else "in all projects"
