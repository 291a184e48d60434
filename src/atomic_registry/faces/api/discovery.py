"""What is served where, made from the table of kinds; and who answers.

Source: Kubernetes API, "API discovery": `APIVersions`, `APIGroupList`, `APIResourceList`, and
the aggregated form, `APIGroupDiscoveryList` of `apidiscovery.k8s.io`.
"""

import hashlib
from collections.abc import Sequence

import msgspec

from atomic_registry import __version__
from atomic_registry.faces.api.negotiate import JSON, choices
from atomic_registry.faces.api.status import Document, json_response
from atomic_registry.resources.kinds import (
    CORE,
    VERSION,
    Resource,
    api_version,
    named_groups,
    resources_of,
)
from atomic_registry.web.conditional import client_holds
from atomic_registry.web.messages import Request, Response

# Clients compare it with their own to decide what to send.
_KUBERNETES = ("1", "32")
_KUBERNETES_GROUPS = ".k8s.io"
_AGGREGATED_GROUP = "apidiscovery.k8s.io"
_AGGREGATED_KIND = "APIGroupDiscoveryList"
_AGGREGATED_VERSIONS = ("v2", "v2beta1")


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

    async def core(self, request: Request) -> Response:
        """Answer `/api`: its versions, or all that is below it."""
        aggregated = _aggregated_version(request)
        if aggregated:
            return _aggregated(request, aggregated, (CORE,))
        return await self.versions(request)

    async def versions(self, _request: Request) -> Response:
        address = {"clientCIDR": "0.0.0.0/0", "serverAddress": ""}
        document = {
            "kind": "APIVersions",
            "versions": [VERSION],
            "serverAddressByClientCIDRs": [address],
        }
        return _varied(json_response(document))

    async def groups(self, request: Request) -> Response:
        """Answer `/apis`: the groups, or all that is in them."""
        aggregated = _aggregated_version(request)
        if aggregated:
            return _aggregated(request, aggregated, _shown_groups())
        groups = [_group(name) for name in _shown_groups()]
        document = {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        return _varied(json_response(document))

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


def aggregated_document(version: str, groups: Sequence[str]) -> Document:
    """Return the resources of several groups in one document."""
    return {
        "kind": _AGGREGATED_KIND,
        "apiVersion": f"{_AGGREGATED_GROUP}/{version}",
        "metadata": {},
        "items": [_aggregated_group(group) for group in groups],
    }


def cached_response(request: Request, body: bytes, media_type: str, etag: str) -> Response:
    """Return a body that clients may keep as long as its entity tag stays the same."""
    headers = {
        "Content-Type": media_type,
        "ETag": f'"{etag}"',
        "Vary": "Accept",
        # Clients ask again each time; the same for everybody, but behind a login.
        "Cache-Control": "private, no-cache",
    }
    if client_holds(request.headers.get("If-None-Match"), headers["ETag"]):
        return Response(status=304, headers=headers)
    return Response(status=200, headers=headers, body=body)


def _shown_groups() -> list[str]:
    # Clients take the first group that has a kind, and know the forms of Kubernetes' own best.
    return sorted(named_groups(), key=lambda name: not name.endswith(_KUBERNETES_GROUPS))


def _aggregated_version(request: Request) -> str:
    """Return the version of the aggregated form that the client prefers to all else."""
    for choice in choices(request.headers.get("Accept", "")):
        if choice.media_type != JSON:
            continue
        kind, group, version = choice.form
        if not kind:
            return ""
        if (kind, group) == (_AGGREGATED_KIND, _AGGREGATED_GROUP) and (
            version in _AGGREGATED_VERSIONS
        ):
            return version
    return ""


def _aggregated(request: Request, version: str, groups: Sequence[str]) -> Response:
    body = msgspec.json.encode(aggregated_document(version, groups))
    media_type = f"{JSON};g={_AGGREGATED_GROUP};v={version};as={_AGGREGATED_KIND}"
    return cached_response(request, body, media_type, hashlib.sha512(body).hexdigest().upper())


def _aggregated_group(group: str) -> Document:
    rows = list(resources_of(group))
    resources = []
    for row in rows:
        if "/" in row.plural:
            continue
        shown = _aggregated_resource(row, group)
        below = [
            _aggregated_subresource(it, group)
            for it in rows
            if it.plural.startswith(f"{row.plural}/")
        ]
        resources.append(shown | {"subresources": below} if below else shown)
    version = {"version": VERSION, "resources": resources, "freshness": "Current"}
    return {"metadata": {"name": group, "creationTimestamp": None}, "versions": [version]}


def _kind(row: Resource, group: str) -> Document:
    return {"group": group, "version": VERSION, "kind": row.kind}


def _aggregated_resource(row: Resource, group: str) -> Document:
    shown: Document = {
        "resource": row.plural,
        "responseKind": _kind(row, group),
        "scope": "Namespaced" if row.namespaced else "Cluster",
        "singularResource": row.kind.lower(),
        "verbs": list(row.verbs),
    }
    if row.short_names:
        shown["shortNames"] = list(row.short_names)
    if row.categories:
        shown["categories"] = list(row.categories)
    return shown


def _aggregated_subresource(row: Resource, group: str) -> Document:
    return {
        "subresource": row.plural.partition("/")[2],
        "responseKind": _kind(row, group),
        "verbs": list(row.verbs),
    }


def _varied(response: Response) -> Response:
    response.headers["Vary"] = "Accept"
    return response


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
    if row.categories:
        shown["categories"] = list(row.categories)
    return shown
