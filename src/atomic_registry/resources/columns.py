"""Which columns a table of each kind has; a kind without a row here has its name and age.

Sources: the printers of Kubernetes and of OpenShift Origin 1.x, whose headings people know.
"""

from collections.abc import Callable, Sequence

from atomic_registry.identity.records import DESCRIPTION, DISPLAY_NAME, REQUESTER
from atomic_registry.kube.table import DATE, WIDE, Column, Document

Cell = Callable[[Document], object]
_NONE = "<none>"
_SHOWN = 3


def at(*path: str) -> Cell:
    """Return the cell of what stands at a path, `<none>` where nothing does."""

    def cell(document: Document) -> object:
        value = _find(document, path)
        return _NONE if value in (None, "") else value

    return cell


def listed(*path: str) -> Cell:
    """Return the cell of a list of texts: all of them, with commas."""

    def cell(document: Document) -> object:
        value = _find(document, path)
        return ", ".join(map(str, value)) if isinstance(value, list) and value else _NONE

    return cell


def abridged(*path: str) -> Cell:
    """Return the cell of a list of texts that may be long: the first few and how many more."""

    def cell(document: Document) -> object:
        value = _find(document, path)
        return _abridged(list(map(str, value)) if isinstance(value, list) else [])

    return cell


def counted(*path: str) -> Cell:
    """Return the cell of how many members a list or an object has."""

    def cell(document: Document) -> object:
        value = _find(document, path)
        return len(value) if isinstance(value, list | dict) else 0

    return cell


def column(name: str, cell: Cell, *, wide: bool = False) -> Column:
    """Return a column; a wide one is shown by `-o wide` only."""
    return Column(name=name, cell=cell, priority=WIDE if wide else 0)


NAME = Column(name="Name", cell=at("metadata", "name"), format="name")
AGE = Column(
    name="Age",
    type=DATE,
    cell=lambda document: _find(document, ("metadata", "creationTimestamp")),
    description="How long ago it was made",
)


def columns_of(kind: str) -> Sequence[Column]:
    """Return the columns of a kind, or of its list."""
    return COLUMNS.get(kind.removesuffix("List"), _PLAIN)


def _abridged(texts: Sequence[str]) -> str:
    more = f" + {len(texts) - _SHOWN} more..." if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more or _NONE


def _find(document: Document, path: Sequence[str]) -> object:
    value: object = document
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _members(document: Document) -> list[Document]:
    subjects = document.get("subjects")
    return [it for it in subjects if isinstance(it, dict)] if isinstance(subjects, list) else []


def _subjects(kind: str) -> Cell:
    def cell(document: Document) -> object:
        names = [
            f"{it['namespace']}/{it['name']}" if it.get("namespace") else str(it.get("name", ""))
            for it in _members(document)
            if it.get("kind") == kind
        ]
        return ", ".join(names)

    return cell


def _role(document: Document) -> object:
    reference = document.get("roleRef")
    if not isinstance(reference, dict):
        return _NONE
    kind = reference.get("kind", "ClusterRole")
    return f"{kind}/{reference.get('name', '')}"


def _quota(document: Document) -> object:
    hard, used = _find(document, ("spec", "hard")), _find(document, ("status", "used"))
    if not isinstance(hard, dict) or not hard:
        return _NONE
    spent = used if isinstance(used, dict) else {}
    return ", ".join(f"{key}: {spent.get(key, '0')}/{hard[key]}" for key in sorted(hard))


def _stream_tags(document: Document) -> list[Document]:
    tags = _find(document, ("status", "tags"))
    return [it for it in tags if isinstance(it, dict)] if isinstance(tags, list) else []


def _tags(document: Document) -> object:
    names = [str(it.get("tag", "")) for it in _stream_tags(document)]
    return _abridged(names)


def _updated(document: Document) -> object:
    moments = []
    for tag in _stream_tags(document):
        items = tag.get("items")
        if isinstance(items, list) and items and isinstance(items[0], dict):
            moments.append(str(items[0].get("created", "")))
    return max(moments, default=None)


_PLAIN = (NAME, AGE)
_BINDING = (
    NAME,
    column("Role", _role),
    AGE,
    column("Users", _subjects("User"), wide=True),
    column("Groups", _subjects("Group"), wide=True),
    column("ServiceAccounts", _subjects("ServiceAccount"), wide=True),
)
_PROJECT = (
    NAME,
    column("Display Name", at("metadata", "annotations", DISPLAY_NAME)),
    column("Status", at("status", "phase")),
    column("Requester", at("metadata", "annotations", REQUESTER), wide=True),
    column("Description", at("metadata", "annotations", DESCRIPTION), wide=True),
)
_TOKEN = (
    NAME,
    column("User Name", at("userName")),
    column("Client Name", at("clientName")),
    column("Description", at("description")),
    Column(name="Created", type=DATE, cell=AGE.cell),
    column("Expires", at("status", "expires")),
    column("Last Used", at("status", "lastUsed"), wide=True),
    column("Scopes", listed("scopes"), wide=True),
)

COLUMNS: dict[str, Sequence[Column]] = {
    "Project": _PROJECT,
    "Namespace": (NAME, column("Status", at("status", "phase")), AGE),
    "User": (
        NAME,
        column("UID", at("metadata", "uid")),
        column("Full Name", at("fullName")),
        column("Identities", listed("identities")),
        column("Disabled", at("disabled"), wide=True),
    ),
    "Group": (NAME, column("Users", abridged("users")), AGE),
    "Identity": (
        NAME,
        column("IDP Name", at("providerName")),
        column("IDP User Name", at("providerUserName")),
        column("User Name", at("user", "name")),
        column("User UID", at("user", "uid")),
    ),
    "UserIdentityMapping": (
        NAME,
        column("Identity", at("identity", "name")),
        column("User Name", at("user", "name")),
        column("User UID", at("user", "uid")),
    ),
    "Role": (NAME, Column(name="Created At", cell=at("metadata", "creationTimestamp"))),
    "ClusterRole": (NAME, Column(name="Created At", cell=at("metadata", "creationTimestamp"))),
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "ServiceAccount": (
        NAME,
        Column(name="Secrets", cell=counted("secrets"), type="integer"),
        AGE,
        column("Disabled", at("disabled"), wide=True),
    ),
    "Secret": (
        NAME,
        column("Type", at("type")),
        Column(name="Data", cell=counted("data"), type="integer"),
        AGE,
    ),
    "LimitRange": (NAME, Column(name="Created At", cell=at("metadata", "creationTimestamp"))),
    "ResourceQuota": (NAME, column("Request", _quota), column("Limit", lambda _: ""), AGE),
    "OAuthClient": (
        NAME,
        column("WWW-Challenge", at("respondWithChallenges")),
        column("Token-Max-Age", at("accessTokenMaxAgeSeconds")),
        column("Redirect URIs", listed("redirectURIs")),
        column("Grant", at("grantMethod"), wide=True),
    ),
    "OAuthClientAuthorization": (
        NAME,
        column("User Name", at("userName")),
        column("Client Name", at("clientName")),
        column("Scopes", listed("scopes")),
    ),
    "OAuthAccessToken": _TOKEN,
    "UserOAuthAccessToken": _TOKEN,
    "ImageStream": (
        NAME,
        column("Image Repository", at("status", "dockerImageRepository")),
        column("Tags", _tags),
        Column(name="Updated", type=DATE, cell=_updated),
    ),
    "ImageStreamTag": (
        NAME,
        column("Image Reference", at("image", "dockerImageReference")),
        Column(name="Updated", type=DATE, cell=AGE.cell),
    ),
    "ImageStreamImage": (
        NAME,
        column("Image Reference", at("image", "dockerImageReference")),
        Column(name="Updated", type=DATE, cell=AGE.cell),
    ),
    "Image": (NAME, column("Image Reference", at("dockerImageReference")), AGE),
    "Node": (NAME, column("Status", at("status", "phase")), AGE),
    "Pod": (NAME, column("Status", at("status", "phase")), AGE),
    "Event": (
        Column(name="Last Seen", type=DATE, cell=at("lastTimestamp")),
        column("Type", at("type")),
        column("Reason", at("reason")),
        column(
            "Object",
            lambda it: (
                f"{str(_find(it, ('involvedObject', 'kind')) or '').lower()}/"
                f"{_find(it, ('involvedObject', 'name')) or ''}"
            ),
        ),
        column("Message", at("message")),
    ),
}
