"""Upload sessions: POST, PATCH, PUT, GET and DELETE under `blobs/uploads/`."""

import re

from atomic_registry.content.blobs import BlobService
from atomic_registry.content.leases import Chunk
from atomic_registry.content.ports import StoredBlob, UploadSession
from atomic_registry.content.uploads import UploadService, check_owner
from atomic_registry.errors import NameInvalid, ParameterInvalid
from atomic_registry.faces.registry.errors import upload_headers
from atomic_registry.oci.digest import DEFAULT_ALGORITHM, Digest, parse_algorithm
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.web.messages import Request, Response

# "a-b" is the specification's form; the others are HTTP's, which some clients send.
_CONTENT_RANGE = re.compile(r"(?:bytes[ =])?([0-9]{1,19})-([0-9]{1,19})(?:/(?:[0-9]{1,19}|\*))?\Z")


class UploadHandlers:
    """Everything that brings a blob in."""

    def __init__(self, uploads: UploadService, blobs: BlobService) -> None:
        self._uploads = uploads
        self._blobs = blobs

    async def start(self, request: Request) -> Response:
        """POST: mount a blob, take a whole one, or open a session."""
        repository: RepositoryName = request.parameters["repository"]
        mount = request.query.get("mount")
        if mount is not None:
            digest = Digest.parse(mount)
            if await self._mount(request, repository, digest):
                return _created(repository, digest)
            return await self._open(request, digest.algorithm)
        whole = request.query.get("digest")
        if whole is not None and request.body.length != 0:
            blob = await self._uploads.push(
                request.actor,
                repository,
                Digest.parse(whole),
                request.body,
                length=request.body.length,
            )
            return _created(repository, blob.digest)
        algorithm = request.query.get("digest-algorithm")
        return await self._open(request, parse_algorithm(algorithm or DEFAULT_ALGORITHM))

    async def status(self, request: Request) -> Response:
        session = await self._uploads.status(request.parameters["repository"], _upload(request))
        return _session(204, session)

    async def append(self, request: Request) -> Response:
        session = await self._uploads.append(
            request.parameters["repository"],
            _upload(request),
            request.body,
            _chunk(request),
            length=request.body.length,
        )
        return _session(202, session)

    async def commit(self, request: Request) -> Response:
        repository = request.parameters["repository"]
        digest = request.query.get("digest")
        if digest is None:
            raise ParameterInvalid(
                parameter="digest", value="", reason="finish the upload with ?digest=<digest>"
            )
        blob: StoredBlob = await self._uploads.commit(
            repository,
            _upload(request),
            Digest.parse(digest),
            request.body,
            _chunk(request),
            length=request.body.length,
        )
        return _created(repository, blob.digest)

    async def cancel(self, request: Request) -> Response:
        await self._uploads.cancel(request.parameters["repository"], _upload(request))
        return Response(status=204)

    async def _mount(self, request: Request, target: RepositoryName, digest: Digest) -> bool:
        source = request.query.get("from")
        try:
            name = RepositoryName.parse(source) if source else None
        except NameInvalid:
            # Clients name repositories of other registries too; the upload goes on without.
            return False
        return await self._blobs.mount(request.actor, target, digest, name)

    async def _open(self, request: Request, algorithm: str) -> Response:
        repository = request.parameters["repository"]
        return _session(202, await self._uploads.start(request.actor, repository, algorithm))


def _upload(request: Request) -> str:
    """Return the id in the path.

    Raises:
        UploadUnknown: the session is not the caller's.
    """
    upload_id: str = request.parameters["upload"]
    check_owner(upload_id, request.actor)
    return upload_id


def _session(status: int, session: UploadSession) -> Response:
    headers = upload_headers(session.repository, session.id, session.offset)
    return Response(status=status, headers=headers)


def _created(repository: RepositoryName, digest: Digest) -> Response:
    return Response(
        status=201,
        headers={
            "Location": f"/v2/{repository}/blobs/{digest}",
            "Docker-Content-Digest": str(digest),
        },
    )


def _chunk(request: Request) -> Chunk | None:
    """Return what `Content-Range` says; None where a client streams without it, as docker does.

    Raises:
        ParameterInvalid: the header cannot be read, or contradicts `Content-Length`.
    """
    header = request.headers.get("Content-Range")
    if header is None:
        return None
    match = _CONTENT_RANGE.match(header)
    if match is None or int(match[1]) > int(match[2]):
        raise ParameterInvalid(
            parameter="Content-Range", value=header, reason="it must read <first>-<last>"
        )
    length = int(match[2]) - int(match[1]) + 1
    if request.body.length is not None and request.body.length != length:
        raise ParameterInvalid(
            parameter="Content-Range",
            value=header,
            reason=f"Content-Length is {request.body.length}, not {length}",
        )
    return Chunk(start=int(match[1]), length=length)
