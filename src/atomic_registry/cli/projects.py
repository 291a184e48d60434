"""`atomic-registry new-project`, `projects`, `project`, `delete-project` and `share`."""

import click

from atomic_registry.cli.bindings import (
    PUBLIC_GROUPS,
    add_subject,
    binding_role,
    cluster_role,
    group_subject,
    list_bindings,
    remove_subjects,
)
from atomic_registry.cli.client import ApiError, segment
from atomic_registry.cli.documents import Document, documents_at, name_of, text_at
from atomic_registry.cli.kubeconfig import put_context
from atomic_registry.cli.output import echo_items, output_option, printable
from atomic_registry.cli.session import PROJECTS, Login, check_project_name, open_login
from atomic_registry.identity.actors import AUTHENTICATED, UNAUTHENTICATED

# Of the API, as the paths are; the module of the domain that has them too takes long to load.
DISPLAY_NAME = "openshift.io/display-name"
DESCRIPTION = "openshift.io/description"
_VIEWER = "registry-viewer"
_SHARED_WITH = {
    "private": frozenset[str](),
    "shared": frozenset({AUTHENTICATED}),
    "anonymous": frozenset({AUTHENTICATED, UNAUTHENTICATED}),
}
_MEANING = {
    "private": "Only its members may pull from project {project}.",
    "shared": "Everybody who is logged in may pull from project {project}.",
    "anonymous": "Everybody may pull from project {project}, without a login.",
}


@click.command("new-project")
@click.argument("name")
@click.option("--display-name", default="", help="Name for people.")
@click.option("--description", default="", help="What it is for.")
def new_project(name: str, display_name: str, description: str) -> None:
    """Make a project, whose administrator you are, and work in it.

    \b
    Examples:
      atomic-registry new-project demo
      atomic-registry new-project demo --display-name "Demonstration"
    """
    login = open_login()
    login.client.call(
        "POST",
        f"{PROJECTS}/projectrequests",
        {
            "kind": "ProjectRequest",
            "apiVersion": "project.openshift.io/v1",
            "metadata": {"name": name},
            "displayName": display_name,
            "description": description,
        },
    )
    _switch(login, name)
    click.echo(f"Made project {name}; it is now the current one.")
    click.echo("\nWhat to do next:")
    click.echo(f"  atomic-registry docker-login && podman push IMAGE HOST:5000/{name}/IMAGE:TAG")
    click.echo("  atomic-registry policy add-role-to-user registry-viewer USER")


@click.command("projects")
@output_option
def projects(output: str) -> None:
    """List the projects that you can see; `*` marks the current one.

    \b
    Examples:
      atomic-registry projects
      atomic-registry projects -o name
    """
    login = open_login()
    current = login.context.namespace

    def row(item: Document) -> tuple[str, str, str]:
        name = name_of(item)
        return "*" if name == current else " ", name, _annotation(item, DISPLAY_NAME)

    echo_items(
        login.client.list(f"{PROJECTS}/projects"),
        output,
        (" ", "NAME", "DISPLAY NAME"),
        row,
        none="You can see no project; make one: atomic-registry new-project NAME",
    )


@click.command("project")
@click.argument("name", default="")
def project(name: str) -> None:
    """Work in project NAME from now on; without a name print the current one.

    \b
    Examples:
      atomic-registry project demo
      atomic-registry project
    """
    login = open_login()
    if not name:
        click.echo(login.namespace())
        return
    _get_project(login, name)
    _switch(login, name)
    click.echo(f"Now working in project {name} on {login.context.server}.")


@click.command("delete-project")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete_project(name: str, *, yes: bool) -> None:
    """Delete project NAME with all its repositories, robots and roles.

    \b
    Example:
      atomic-registry delete-project demo --yes
    """
    login = open_login()
    path = f"{PROJECTS}/projects/{segment(name)}"
    found = _get_project(login, name)
    if not yes:
        asked = f"Delete project {name} with everything in it? This cannot be undone"
        click.confirm(asked, abort=True, err=True)
    # The one that was looked at, not a namesake made meanwhile.
    uid = text_at(found, "metadata", "uid")
    login.client.call("DELETE", path, {"preconditions": {"uid": uid}})
    click.echo(f"Deleted project {name}.")


@click.command("share")
@click.argument("name", metavar="PROJECT")
@click.argument("sharing", type=click.Choice(sorted(_SHARED_WITH)))
def share(name: str, sharing: str) -> None:
    """Say who else may pull from PROJECT: members only, everybody with a login, or everybody.

    \b
    Examples:
      atomic-registry share demo shared
      atomic-registry share demo private
    """
    login = open_login()
    check_project_name(name)
    wanted = _SHARED_WITH[sharing]
    viewer = cluster_role(_VIEWER)
    unwanted = [group_subject(group) for group in sorted(PUBLIC_GROUPS - wanted)]
    # First less, then more: a failure in between leaves nothing open.
    remove_subjects(login.client, name, viewer, unwanted)
    for group in sorted(wanted):
        add_subject(login.client, name, viewer, group_subject(group), new_name=f"{_VIEWER}:{group}")
    click.echo(_MEANING[sharing].format(project=name))
    for binding in list_bindings(login.client, name):
        groups = {text_at(subject, "name") for subject in documents_at(binding, "subjects")}
        role = text_at(binding_role(binding), "name")
        others = groups & (PUBLIC_GROUPS - wanted)
        if role != _VIEWER and others:
            click.echo(
                f"But {', '.join(sorted(others))} still holds role {printable(role)}; take it "
                f"away: atomic-registry policy remove-role-from-group {printable(role)} "
                f"{min(others)} -n {name}",
                err=True,
            )


def _get_project(login: Login, name: str) -> Document:
    check_project_name(name)
    try:
        return login.client.get(f"{PROJECTS}/projects/{segment(name)}")
    except ApiError as error:
        # The master does not tell strangers which projects exist.
        if error.status not in {403, 404}:
            raise
        raise click.ClickException(
            f"project {printable(name)} does not exist on {login.context.server}, or you may not "
            "see it; those that you can see: atomic-registry projects"
        ) from error


def _switch(login: Login, name: str) -> None:
    context = login.context
    login.kubeconfig.change(
        lambda document: put_context(
            document, cluster=context.cluster_name, user=context.user_name, namespace=name
        )
    )


def _annotation(item: Document, key: str) -> str:
    return text_at(item, "metadata", "annotations", key) or text_at(
        item, "metadata", "annotations", DESCRIPTION
    )
