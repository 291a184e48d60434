"""GET, HEAD, PUT and DELETE of manifests."""

from collections.abc import Callable

from atomic_registry.content.manifests import ManifestService
from atomic_registry.content.ports import HotReads, StoredManifest
from atomic_registry.errors import BodyInterrupted, TooLarge
from atomic_registry.oci.reference import Reference, RepositoryName, Tag
from atomic_registry.web.conditional import client_holds
from atomic_registry.web.messages import Body, Request, Response

PullCounter = Callable[[RepositoryName, Reference], None]


class ManifestHandlers:
    """Manifests by tag or digest; `max_bytes` limits those that are pushed.

    `on_pull` is told of each manifest that is read, and must not wait for anything.
    """

    def __init__(
        self,
        manifests: ManifestService,
        *,
        max_bytes: int,
        on_pull: PullCounter | None = None,
    ) -> None:
        self._manifests = manifests
        self._max_bytes = max_bytes
        self._on_pull = on_pull

    async def get(self, request: Request) -> Response:
        """The stored bytes, whatever `Accept` says: a converted manifest has another digest."""
        parameters = request.parameters
        manifest = await self._manifests.get(parameters["repository"], parameters["reference"])
        return self._counted(request, manifest)

    def quick_get(self, hot: HotReads, request: Request) -> Response:
        """Do what `get` does, without waiting."""
        parameters = request.parameters
        manifest = self._manifests.get_now(hot, parameters["repository"], parameters["reference"])
        return self._counted(request, manifest)

    async def put(self, request: Request) -> Response:
        repository = request.parameters["repository"]
        result = await self._manifests.push(
            request.actor,
            repository,
            request.parameters["reference"],
            content_type=request.headers.get("Content-Type", ""),
            body=await read_body(request.body, self._max_bytes, "the manifest"),
            tags=[Tag.parse(tag) for tag in request.query.get_all("tag")],
        )
        headers = {
            "Location": f"/v2/{repository}/manifests/{result.digest}",
            "Docker-Content-Digest": str(result.digest),
        }
        if result.subject is not None:
            headers["OCI-Subject"] = str(result.subject)
        if request.query.get_all("tag"):
            headers["OCI-Tag"] = ", ".join(str(tag) for tag in result.tags)
        return Response(status=201, headers=headers)

    async def delete(self, request: Request) -> Response:
        parameters = request.parameters
        await self._manifests.delete(
            request.actor, parameters["repository"], parameters["reference"]
        )
        return Response(status=202)

    def _counted(self, request: Request, manifest: StoredManifest) -> Response:
        # Clients look by HEAD whether there is something new; that is no pull.
        if self._on_pull is not None and request.method == "GET":
            parameters = request.parameters
            self._on_pull(parameters["repository"], parameters["reference"])
        return _manifest(request, manifest)


def _manifest(request: Request, manifest: StoredManifest) -> Response:
    digest = str(manifest.digest)
    etag = f'"{digest}"'
    headers = {
        "Content-Type": manifest.media_type,
        "Docker-Content-Digest": digest,
        "ETag": etag,
    }
    if client_holds(request.headers.get("If-None-Match"), etag):
        return Response(status=304, headers=headers)
    return Response(status=200, headers=headers, body=manifest.body)


async def read_body(body: Body, limit: int, what: str) -> bytes:
    """Return the whole body.

    Raises:
        TooLarge: it is longer than the limit; reading stops there.
    """
    if body.length is not None and body.length > limit:
        raise TooLarge(what=what, limit=limit)
    pieces, received = [], 0
    async for piece in body:
        received += len(piece)
        if received > limit:
            raise TooLarge(what=what, limit=limit)
        pieces.append(piece)
    if body.length is not None and received != body.length:
        raise BodyInterrupted(received=received)
    return b"".join(pieces)
