"""`atomic-registry can-i` and `who-can`: questions about rights, answered by the master."""

from dataclasses import dataclass

import click

from atomic_registry.cli.client import segment
from atomic_registry.cli.documents import Document, document_at, text_at, texts_at
from atomic_registry.cli.output import printable
from atomic_registry.cli.session import ACCESS, OLD_ACCESS, Login, namespace_option, open_login

# What people call it, and the verb that roles have for it.
_REPOSITORY_VERBS = {"pull": "get", "push": "update", "delete": "delete"}
_WITH_PARTS = ("imagestreams", "images", "serviceaccounts", "imagestreamtags")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A right in the terms of roles; a path stands alone."""

    verb: str
    resource: str = ""
    group: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


@click.command("can-i")
@click.argument("verb")
@click.argument("resource")
@namespace_option
@click.option("--why", is_flag=True, help="Say which role gives the right, or what is missing.")
@click.option("--as-user", metavar="USER", default="", help="Ask about somebody else.")
def can_i(verb: str, resource: str, namespace: str | None, *, why: bool, as_user: str) -> int:
    """Ask whether you may do VERB to RESOURCE; the exit code says no, too.

    RESOURCE is a repository (with push, pull, delete), a resource of the API, or a path.

    \b
    Examples:
      atomic-registry can-i push demo/app
      atomic-registry can-i pull demo/app --why --as-user bob
      atomic-registry can-i create rolebindings -n demo
    """
    login = open_login()
    asked = _right(login, verb, resource, namespace)
    status = _review(login, asked, as_user)
    is_allowed = status.get("allowed") is True
    click.echo("yes" if is_allowed else "no")
    if why:
        click.echo(printable(text_at(status, "reason")) or "the master gave no reason")
    return 0 if is_allowed else 1


@click.command("who-can")
@click.argument("verb")
@click.argument("resource")
@namespace_option
@click.option("-A", "--all-namespaces", is_flag=True, help="Who can in every project.")
def who_can(verb: str, resource: str, namespace: str | None, *, all_namespaces: bool) -> None:
    """List who may do VERB to RESOURCE.

    \b
    Examples:
      atomic-registry who-can push demo/app
      atomic-registry who-can delete imagestreams -n demo
    """
    login = open_login()
    asked = _right(login, verb, resource, "" if all_namespaces else namespace)
    if all_namespaces or asked.path:
        path = f"{OLD_ACCESS}/resourceaccessreviews"
    else:
        where = asked.namespace or login.namespace(namespace)
        path = f"{OLD_ACCESS}/namespaces/{segment(where)}/localresourceaccessreviews"
    answer = login.client.call(
        "POST",
        path,
        {
            "kind": "ResourceAccessReview",
            "apiVersion": "authorization.openshift.io/v1",
            "verb": asked.verb,
            "resource": asked.resource,
            "path": asked.path,
            "isNonResourceURL": bool(asked.path),
            "resourceAPIGroup": asked.group,
            "resourceName": asked.name,
        },
    )
    for title, field in (("Users", "users"), ("Groups", "groups")):
        names = texts_at(answer, field)
        click.echo(f"{title}:")
        for name in names or ["none"]:
            click.echo(f"  {printable(name)}")


def _right(login: Login, verb: str, resource: str, namespace: str | None) -> _Asked:
    if resource.startswith("/"):
        return _Asked(verb=verb, path=resource)
    project, slash, name = resource.partition("/")
    is_part = verb == "delete" and (not slash or project in _WITH_PARTS)
    if verb in _REPOSITORY_VERBS and not is_part:
        return _Asked(
            verb=_REPOSITORY_VERBS[verb],
            resource="imagestreams/layers",
            namespace=project,
            # A name of the API has no slash.
            name=name.replace("/", "~"),
        )
    plural, _, group = resource.partition(".")
    where = login.context.namespace if namespace is None else namespace
    return _Asked(verb=verb, resource=plural, group=group, namespace=where)


def _review(login: Login, asked: _Asked, user: str) -> Document:
    spec: Document
    if asked.path:
        spec = {"nonResourceAttributes": {"verb": asked.verb, "path": asked.path}}
    else:
        resource, _, part = asked.resource.partition("/")
        spec = {
            "resourceAttributes": {
                "verb": asked.verb,
                "group": asked.group,
                "resource": resource,
                "subresource": part,
                "namespace": asked.namespace,
                "name": asked.name,
            }
        }
    path, kind = f"{ACCESS}/selfsubjectaccessreviews", "SelfSubjectAccessReview"
    if user:
        spec["user"] = user
        path, kind = f"{ACCESS}/subjectaccessreviews", "SubjectAccessReview"
        if asked.namespace:
            # Administrators of a project may ask within it only.
            where = segment(asked.namespace)
            path = f"{ACCESS}/namespaces/{where}/localsubjectaccessreviews"
            kind = "LocalSubjectAccessReview"
    document: Document = {"kind": kind, "apiVersion": "authorization.k8s.io/v1", "spec": spec}
    return document_at(login.client.call("POST", path, document), "status")
