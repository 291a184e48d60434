"""`assetConfig.extensions`: directories of the administrator's under `/console/extensions`."""

import asyncio
import re

from atomic_registry.clock import Clock
from atomic_registry.errors import RouteUnknown
from atomic_registry.faces.site.authority import AuthorityFile
from atomic_registry.faces.site.options import Extension, SiteOptions
from atomic_registry.web.conditional import client_holds
from atomic_registry.web.messages import Request, Response
from atomic_registry.web.ranges import blob_response
from atomic_registry.web.static_files import StaticFile, open_beneath

PREFIX = "/console/extensions"
CERTIFICATES = "certs"
_INDEX = "index.html"
_MAX_INDEX_BYTES = 4 * 1024 * 1024
_BASE = re.compile(rb'<base\s+href="/"\s*/?>', re.IGNORECASE)
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


class ExtensionHandlers:
    """Files by name; a directory shows its `index.html` and never a list."""

    def __init__(self, options: SiteOptions, authority: AuthorityFile, clock: Clock) -> None:
        self._extensions = {it.name: it for it in options.extensions}
        self._authority = authority
        self._clock = clock

    async def to_directory(self, request: Request) -> Response:
        """Lead to the path that relative links work from."""
        name = request.parameters["extension"]
        if name not in self._extensions:
            raise RouteUnknown(path=request.path)
        return Response(status=301, headers={"Location": f"{PREFIX}/{name}/", **_HEADERS})

    async def root(self, request: Request) -> Response:
        return await self._serve(request, "")

    async def file(self, request: Request) -> Response:
        return await self._serve(request, request.parameters["file"])

    async def _serve(self, request: Request, path: str) -> Response:
        extension = self._extensions.get(request.parameters["extension"])
        if extension is None:
            if (request.parameters["extension"], path) == (CERTIFICATES, "ca.crt"):
                return await self._authority.get(request)
            raise RouteUnknown(path=request.path)
        wanted = f"{path}{_INDEX}" if not path or path.endswith("/") else path
        found = await asyncio.to_thread(open_beneath, extension.directory, wanted)
        if extension.html5 and (found is None or wanted == _INDEX):
            if found is not None:
                found.source.close()
            return await self._index(request, extension)
        if found is None:
            raise RouteUnknown(path=request.path)
        return self._file(request, found)

    def _file(self, request: Request, found: StaticFile) -> Response:
        headers = {**_HEADERS, "Content-Type": found.content_type, "ETag": found.etag}
        if client_holds(request.headers.get("If-None-Match"), found.etag):
            found.source.close()
            return Response(status=304, headers=headers)
        if request.method == "HEAD":
            found.source.close()
            return Response(status=200, headers=headers, length=found.size)
        return blob_response(
            found.source,
            found.size,
            request_headers=request.headers,
            headers=headers,
            boundary=self._clock.new_id(),
        )

    async def _index(self, request: Request, extension: Extension) -> Response:
        """Return the page of an application that reads the path by itself.

        As in the original, its `<base href="/">` is made the path of the extension.
        """
        found = await asyncio.to_thread(open_beneath, extension.directory, _INDEX)
        if found is None:
            raise RouteUnknown(path=request.path)
        try:
            pieces = [it async for it in found.source.read(0, min(found.size, _MAX_INDEX_BYTES))]
        finally:
            found.source.close()
        base = f'<base href="{PREFIX}/{extension.name}/">'.encode()
        headers = {**_HEADERS, "Content-Type": found.content_type, "ETag": found.etag}
        if client_holds(request.headers.get("If-None-Match"), found.etag):
            return Response(status=304, headers=headers)
        return Response(status=200, headers=headers, body=_BASE.sub(base, b"".join(pieces), 1))
