"""Changes who holds a role, by the bindings of a project or of the whole registry."""

from collections.abc import Callable, Sequence

from atomic_registry.cli.client import ApiClient, ApiError, segment
from atomic_registry.cli.documents import Document, document_at, documents_at, name_of, text_at
from atomic_registry.cli.session import RBAC
from atomic_registry.identity.actors import AUTHENTICATED, UNAUTHENTICATED
from atomic_registry.identity.roles import default_bindings

PUBLIC_GROUPS = frozenset({AUTHENTICATED, UNAUTHENTICATED})
_API_GROUP = "rbac.authorization.k8s.io"
_TRIES = 5
# The next start of the master makes these anew if they are gone, but leaves empty ones alone.
_KEPT = frozenset(binding.metadata.name for binding in default_bindings())


def user_subject(name: str) -> Document:
    """Return a user as bindings name them; the long name of a robot works too."""
    parts = name.split(":")
    if len(parts) == 4 and parts[:2] == ["system", "serviceaccount"]:
        return robot_subject(parts[2], parts[3])
    return {"kind": "User", "apiGroup": _API_GROUP, "name": name}


def group_subject(name: str) -> Document:
    """Return a group as bindings name it."""
    return {"kind": "Group", "apiGroup": _API_GROUP, "name": name}


def robot_subject(namespace: str, name: str) -> Document:
    """Return a service account as bindings name it."""
    return {"kind": "ServiceAccount", "namespace": namespace, "name": name}


def cluster_role(name: str) -> Document:
    """Return a role that is the same in all projects."""
    return {"kind": "ClusterRole", "name": name}


def list_bindings(client: ApiClient, namespace: str) -> list[Document]:
    """Return the bindings of a project, or with an empty name those of the registry."""
    return client.list(_collection(namespace))


def binding_role(binding: Document) -> Document:
    """Return the kind and the name of a binding's role."""
    reference = document_at(binding, "roleRef")
    return {"kind": text_at(reference, "kind"), "name": text_at(reference, "name")}


def add_subject(
    client: ApiClient, namespace: str, role: Document, subject: Document, *, new_name: str = ""
) -> bool:
    """Give a role to somebody; return False if they hold it already."""
    return _again(lambda: _add(client, namespace, role, subject, new_name))


def remove_subjects(
    client: ApiClient, namespace: str, role: Document, subjects: Sequence[Document]
) -> bool:
    """Take a role from somebody, whichever bindings give it; return False if none did."""
    return _again(lambda: _remove(client, namespace, role, subjects))


def _add(
    client: ApiClient, namespace: str, role: Document, subject: Document, new_name: str
) -> bool:
    all_bindings = list_bindings(client, namespace)
    bindings = [it for it in all_bindings if binding_role(it) == role]
    if any(_holds(binding, subject) for binding in bindings):
        return False
    members = [binding for binding in bindings if not _is_public(binding)]
    if members and not new_name:
        binding = members[0]
        binding["subjects"] = [*documents_at(binding, "subjects"), subject]
        client.call("PUT", _path(namespace, binding), binding)
        return True
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    name = _free_name(new_name or text_at(role, "name"), {name_of(it) for it in all_bindings})
    new: Document = {
        "kind": kind,
        "apiVersion": f"{_API_GROUP}/v1",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": _API_GROUP, **role},
        "subjects": [subject],
    }
    client.call("POST", _collection(namespace), new)
    return True


def _remove(
    client: ApiClient, namespace: str, role: Document, subjects: Sequence[Document]
) -> bool:
    is_changed = False
    for binding in list_bindings(client, namespace):
        if binding_role(binding) != role:
            continue
        held = documents_at(binding, "subjects")
        left = [it for it in held if not any(_is_same(it, gone) for gone in subjects)]
        if len(left) == len(held):
            continue
        is_changed = True
        if left or (not namespace and name_of(binding) in _KEPT):
            binding["subjects"] = left
            client.call("PUT", _path(namespace, binding), binding)
        else:
            version = text_at(binding, "metadata", "resourceVersion")
            options: Document = {"preconditions": {"resourceVersion": version}}
            client.call("DELETE", _path(namespace, binding), options)
    return is_changed


def _again(change: Callable[[], bool]) -> bool:
    """Do it anew from what is stored now, when somebody else was faster."""
    for _ in range(_TRIES - 1):
        try:
            return change()
        except ApiError as error:
            if error.status != 409:
                raise
    return change()


def _holds(binding: Document, subject: Document) -> bool:
    return any(_is_same(held, subject) for held in documents_at(binding, "subjects"))


def _is_same(one: Document, other: Document) -> bool:
    return all(
        text_at(one, field) == text_at(other, field) for field in ("kind", "name", "namespace")
    )


def _is_public(binding: Document) -> bool:
    names = {text_at(subject, "name") for subject in documents_at(binding, "subjects")}
    return bool(names & PUBLIC_GROUPS)


def _free_name(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 0
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name


def _collection(namespace: str) -> str:
    if not namespace:
        return f"{RBAC}/clusterrolebindings"
    return f"{RBAC}/namespaces/{segment(namespace)}/rolebindings"


def _path(namespace: str, binding: Document) -> str:
    return f"{_collection(namespace)}/{segment(name_of(binding))}"
