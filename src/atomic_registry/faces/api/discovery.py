"""What is served where, made from the table of kinds; and who answers.

Source: Kubernetes API, "API discovery": `APIVersions`, `APIGroupList`, `APIResourceList`.
"""

from atomic_registry import __version__
from atomic_registry.faces.api.status import Document, json_response
from atomic_registry.resources.kinds import (
    VERSION,
    Resource,
    api_version,
    named_groups,
    resources_of,
)
from atomic_registry.web.messages import Request, Response

# Clients compare it with their own to decide what to send.
_KUBERNETES = ("1", "32")


class DiscoveryHandlers:
    """Answers that are the same for everybody."""

    async def version(self, _request: Request) -> Response:
        major, minor = _KUBERNETES
        document = {
            "major": major,
            "minor": minor,
            "gitVersion": f"v{major}.{minor}.0+atomic-registry.{__version__}",
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "",
            "compiler": "",
            "platform": "linux/amd64",
        }
        return json_response(document)

    async def versions(self, _request: Request) -> Response:
        address = {"clientCIDR": "0.0.0.0/0", "serverAddress": ""}
        document = {
            "kind": "APIVersions",
            "versions": [VERSION],
            "serverAddressByClientCIDRs": [address],
        }
        return json_response(document)

    async def groups(self, _request: Request) -> Response:
        groups = [_group(name) for name in named_groups()]
        return json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})

    async def group(self, group: str, _request: Request) -> Response:
        return json_response({"kind": "APIGroup", "apiVersion": "v1"} | _group(group))

    async def resources(self, group: str, _request: Request) -> Response:
        listed = [_resource(row) for row in resources_of(group)]
        document = {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": api_version(group),
            "resources": listed,
        }
        return json_response(document)


def _group(name: str) -> Document:
    version = {"groupVersion": api_version(name), "version": VERSION}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resource(row: Resource) -> Document:
    shown: Document = {
        "name": row.plural,
        "singularName": "" if "/" in row.plural else row.kind.lower(),
        "namespaced": row.namespaced,
        "kind": row.kind,
        "verbs": list(row.verbs),
    }
    if row.short_names:
        shown["shortNames"] = list(row.short_names)
    return shown
