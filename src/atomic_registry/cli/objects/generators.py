"""`atomic-registry create KIND`: objects that a few options describe."""

from collections.abc import Sequence

import click

from atomic_registry.cli.bindings import group_subject, robot_subject, user_subject
from atomic_registry.cli.documents import Document
from atomic_registry.cli.objects.making import make, making_options

_RBAC = "rbac.authorization.k8s.io"
_RBAC_VERSION = f"{_RBAC}/v1"
_IMAGE_VERSION = "image.openshift.io/v1"
_USER_VERSION = "user.openshift.io/v1"


@click.command("imagestream")
@click.argument("name")
@click.option("--lookup-local", is_flag=True, help="Let workloads name it without the registry.")
@making_options
def imagestream(name: str, *, lookup_local: bool) -> None:
    """Make image stream NAME, an empty repository.

    \b
    Example:
      atomic-registry create imagestream web -n demo
    """
    spec: Document = {"lookupPolicy": {"local": True}} if lookup_local else {}
    make(_IMAGE_VERSION, "ImageStream", name, {"spec": spec} if spec else None)


@click.command("namespace")
@click.argument("name")
@making_options
def namespace(name: str) -> None:
    """Make project NAME by its other name, without a role in it; `new-project` gives one.

    \b
    Example:
      atomic-registry create namespace demo
    """
    make("v1", "Namespace", name)


@click.command("serviceaccount")
@click.argument("name")
@making_options
def serviceaccount(name: str) -> None:
    """Make service account NAME, a robot; `robots token` gives it a token.

    \b
    Example:
      atomic-registry create serviceaccount ci -n demo
    """
    make("v1", "ServiceAccount", name)


@click.command("user")
@click.argument("name")
@click.option("--full-name", default="", help="Name for people.")
@making_options
def user(name: str, full_name: str) -> None:
    """Make account NAME.

    \b
    Example:
      atomic-registry create user bob --full-name "Bob Smith"
    """
    make(_USER_VERSION, "User", name, {"fullName": full_name} if full_name else None)


@click.command("identity")
@click.argument("name", metavar="PROVIDER:NAME")
@making_options
def identity(name: str) -> None:
    """Make the identity of somebody as an identity provider knows them.

    \b
    Example:
      atomic-registry create identity ldap:bob
    """
    provider, _, known_as = name.partition(":")
    if not provider or not known_as:
        raise click.UsageError(f"{name!r} is no PROVIDER:NAME, such as ldap:bob")
    parts: Document = {"providerName": provider, "providerUserName": known_as}
    make(_USER_VERSION, "Identity", name, parts)


@click.command("useridentitymapping")
@click.argument("identity_name", metavar="PROVIDER:NAME")
@click.argument("user_name", metavar="USER")
@making_options
def useridentitymapping(identity_name: str, user_name: str) -> None:
    """Let an identity log in as USER.

    \b
    Example:
      atomic-registry create useridentitymapping ldap:bob bob
    """
    parts: Document = {"identity": {"name": identity_name}, "user": {"name": user_name}}
    make(_USER_VERSION, "UserIdentityMapping", identity_name, parts)


@click.command("quota")
@click.argument("name")
@click.option("--hard", required=True, metavar="NAME=AMOUNT,...", help="What may be used at most.")
@making_options
def quota(name: str, hard: str) -> None:
    """Make quota NAME.

    \b
    Example:
      atomic-registry create quota small --hard openshift.io/imagestreams=10
    """
    limits: Document = {}
    for part in hard.split(","):
        what, _, amount = part.partition("=")
        if not what or not amount or what in limits:
            raise click.UsageError(f"--hard: {part!r} is no NAME=AMOUNT, or stands twice")
        limits[what] = amount
    make("v1", "ResourceQuota", name, {"spec": {"hard": limits}})


def _role(name: str, kind: str) -> click.Command:
    @click.command(name, help=_ROLE_HELP.format(name=name, where=_WHERE[kind]))
    @click.argument("role_name", metavar="NAME")
    @click.option("--verb", "verbs", required=True, multiple=True, help="get,list,...")
    @click.option("--resource", "resources", required=True, multiple=True, help="A plural[.group].")
    @click.option("--resource-name", "names", multiple=True, help="Only the object of this name.")
    @making_options
    def run(
        role_name: str, verbs: Sequence[str], resources: Sequence[str], names: Sequence[str]
    ) -> None:
        by_group: dict[str, list[object]] = {}
        for resource in _listed(resources):
            plural, _, group = resource.partition(".")
            # A subresource stands before the group or after it.
            group, _, below = group.partition("/")
            by_group.setdefault(group, []).append(f"{plural}/{below}" if below else plural)
        rules: list[object] = []
        for group, plurals in by_group.items():
            rule: Document = {"apiGroups": [group], "resources": plurals, "verbs": _listed(verbs)}
            rules.append(rule | ({"resourceNames": list(names)} if names else {}))
        make(_RBAC_VERSION, kind, role_name, {"rules": rules})

    return run


def _binding(name: str, kind: str, role_kinds: Sequence[str]) -> click.Command:
    is_local = "Role" in role_kinds

    @click.command(name, help=_BINDING_HELP.format(name=name, where=_WHERE[kind]))
    @click.argument("binding_name", metavar="NAME")
    @click.option("--clusterrole", default="", help="Role that is the same in all projects.")
    @click.option("--role", default="", hidden=not is_local, help="Role of the project.")
    @click.option("--user", "users", multiple=True, help="Who gets it; may be given again.")
    @click.option("--group", "groups", multiple=True, help="Group that gets it.")
    @click.option(
        "--serviceaccount", "robots", multiple=True, metavar="PROJECT:NAME", help="Robot."
    )
    @making_options
    def run(
        *,
        binding_name: str,
        clusterrole: str,
        role: str,
        users: Sequence[str],
        groups: Sequence[str],
        robots: Sequence[str],
    ) -> None:
        if bool(clusterrole) == bool(role) or (role and not is_local):
            asked = "--role or --clusterrole" if is_local else "--clusterrole"
            raise click.UsageError(f"name one role with {asked}")
        subjects = [*map(user_subject, users), *map(group_subject, groups), *map(_robot, robots)]
        reference: Document = {
            "apiGroup": _RBAC,
            "kind": "ClusterRole" if clusterrole else "Role",
            "name": clusterrole or role,
        }
        parts: Document = {"roleRef": reference, "subjects": subjects}
        make(_RBAC_VERSION, kind, binding_name, parts)

    return run


def _robot(text: str) -> Document:
    project, _, name = text.partition(":")
    if not project or not name:
        raise click.UsageError(f"--serviceaccount: {text!r} is no PROJECT:NAME")
    return robot_subject(project, name)


def _listed(texts: Sequence[str]) -> list[str]:
    return [part for text in texts for part in text.split(",") if part]


_WHERE = {
    "Role": "in the project",
    "ClusterRole": "in all projects",
    "RoleBinding": "in the project",
    "ClusterRoleBinding": "in all projects",
}
_ROLE_HELP = """Make role NAME, whose holders may do these things {where}.

\b
Example:
  atomic-registry create {name} reader --verb get,list --resource secrets
"""
_BINDING_HELP = """Make binding NAME, which gives a role {where}; `policy` is the shorter way.

\b
Example:
  atomic-registry create {name} viewers --clusterrole registry-viewer --user bob
"""

COMMANDS: Sequence[click.Command] = (
    imagestream,
    namespace,
    serviceaccount,
    user,
    identity,
    useridentitymapping,
    quota,
    _role("role", "Role"),
    _role("clusterrole", "ClusterRole"),
    _binding("rolebinding", "RoleBinding", ("Role", "ClusterRole")),
    _binding("clusterrolebinding", "ClusterRoleBinding", ("ClusterRole",)),
)
