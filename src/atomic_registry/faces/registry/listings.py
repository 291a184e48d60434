"""The paged lists: catalog, tags and referrers."""

from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from atomic_registry.content.listings import ListingService
from atomic_registry.content.ports import Referrer
from atomic_registry.errors import ParameterInvalid
from atomic_registry.oci.media_types import OCI_INDEX
from atomic_registry.web.messages import Query, Request, Response

# Referrers carry their annotations, so their pages are shorter.
_MAX_REFERRERS = 100
_JSON = {"Content-Type": "application/json"}


class ListingHandlers:
    """Lists by pages of `page_size` items at most; `Link` leads to the next page."""

    def __init__(self, listings: ListingService, *, page_size: int) -> None:
        self._listings = listings
        self._page_size = page_size

    async def catalog(self, request: Request) -> Response:
        limit = _limit(request.query, self._page_size)
        names, more = await self._listings.list_repositories(
            request.actor, after=request.query.get("last") or "", limit=limit
        )
        headers = _JSON | _link(request.path, names, limit, more=more)
        return Response(
            status=200, headers=headers, body=msgspec.json.encode({"repositories": names})
        )

    async def tags(self, request: Request) -> Response:
        repository = request.parameters["repository"]
        limit = _limit(request.query, self._page_size)
        tags, more = await self._listings.list_tags(
            repository, after=request.query.get("last") or "", limit=limit
        )
        body = msgspec.json.encode({"name": str(repository), "tags": tags})
        return Response(
            status=200, headers=_JSON | _link(request.path, tags, limit, more=more), body=body
        )

    async def referrers(self, request: Request) -> Response:
        limit = _limit(request.query, min(self._page_size, _MAX_REFERRERS))
        artifact_type = request.query.get("artifactType") or None
        found, more = await self._listings.list_referrers(
            request.parameters["repository"],
            request.parameters["digest"],
            artifact_type=artifact_type,
            after=request.query.get("last") or "",
            limit=limit,
        )
        headers = {"Content-Type": OCI_INDEX}
        extra = {}
        if artifact_type is not None:
            headers["OCI-Filters-Applied"] = "artifactType"
            extra["artifactType"] = artifact_type
        digests = [str(item.descriptor.digest) for item in found]
        headers |= _link(request.path, digests, limit, more=more, extra=extra)
        index = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [_descriptor(item) for item in found],
        }
        return Response(status=200, headers=headers, body=msgspec.json.encode(index))


def _limit(query: Query, page_size: int) -> int:
    """Return how many items the page holds: what `n` asks for, within the page size.

    Raises:
        ParameterInvalid: `n` is not a number.
    """
    text = query.get("n")
    if text is None:
        return page_size
    if not (text.isascii() and text.isdigit()):
        raise ParameterInvalid(parameter="n", value=text, reason="it must be a number, 0 or more")
    return min(int(text[:19]), page_size)


def _link(
    path: str, items: list[str], limit: int, *, more: bool, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the header that leads to the next page, if there is one (RFC 8288)."""
    if not more or not items:
        return {}
    query = urlencode({"n": limit, "last": items[-1], **(extra or {})})
    return {"Link": f'<{path}?{query}>; rel="next"'}


def _descriptor(item: Referrer) -> dict[str, object]:
    shown: dict[str, object] = {
        "mediaType": item.descriptor.media_type,
        "digest": str(item.descriptor.digest),
        "size": item.descriptor.size,
    }
    if item.artifact_type:
        shown["artifactType"] = item.artifact_type
    if item.annotations:
        shown["annotations"] = item.annotations
    return shown
