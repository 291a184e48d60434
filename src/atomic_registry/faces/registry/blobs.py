"""GET, HEAD and DELETE of blobs."""

from atomic_registry.clock import Clock
from atomic_registry.content.blobs import BlobService
from atomic_registry.content.ports import HotReads, StoredBlob
from atomic_registry.web.conditional import client_holds
from atomic_registry.web.messages import Request, Response
from atomic_registry.web.ranges import blob_response


class BlobHandlers:
    """Blobs by digest."""

    def __init__(self, blobs: BlobService, clock: Clock) -> None:
        self._blobs = blobs
        self._clock = clock

    async def head(self, request: Request) -> Response:
        blob = await self._blobs.get(request.parameters["repository"], request.parameters["digest"])
        return _described(blob)

    def quick_head(self, hot: HotReads, request: Request) -> Response:
        """Do what `head` does, without waiting."""
        parameters = request.parameters
        return _described(self._blobs.get_now(hot, parameters["repository"], parameters["digest"]))

    async def get(self, request: Request) -> Response:
        blob = await self._blobs.get(request.parameters["repository"], request.parameters["digest"])
        headers = _headers(str(blob.digest))
        if client_holds(request.headers.get("If-None-Match"), headers["ETag"]):
            return Response(status=304, headers=headers)
        return blob_response(
            await self._blobs.open(blob),
            blob.size,
            request_headers=request.headers,
            headers=headers,
            boundary=self._clock.new_id(),
        )

    async def delete(self, request: Request) -> Response:
        parameters = request.parameters
        await self._blobs.delete(parameters["repository"], parameters["digest"])
        return Response(status=202)


def _described(blob: StoredBlob) -> Response:
    return Response(status=200, headers=_headers(str(blob.digest)), length=blob.size)


def _headers(digest: str) -> dict[str, str]:
    return {
        "Content-Type": "application/octet-stream",
        "Docker-Content-Digest": digest,
        "ETag": f'"{digest}"',
        "Accept-Ranges": "bytes",
    }
