"""A small synchronous registry client on http.client, and raw exchanges for hostile bytes."""

import contextlib
import hashlib
import http.client
import json
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from tests.kit.images import Content, Image

MANIFEST_ACCEPT = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.manifest.v1",
        "oci.image.index.v1",
        "docker.distribution.manifest.v2",
        "docker.distribution.manifest.list.v2",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error_codes(self) -> list[str]:
        """The codes of an error in OCI form; AssertionError when the body is not in that form."""
        value = json.loads(self.body)
        errors = value["errors"]
        assert isinstance(errors, list), value
        assert errors, value
        for error in errors:
            assert isinstance(error["code"], str), value
            assert isinstance(error["message"], str), value
            assert error["message"], value
        return [error["code"] for error in errors]


def read_answer(connection: socket.socket, *, method: str = "GET") -> Answer:
    """Reads one answer from a socket; ConnectionError or HTTPException when there is none."""
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    body = response.read()
    return Answer(status=response.status, headers=_headers(response), body=body)


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


@contextlib.contextmanager
def open_socket(host: str, *, timeout: float = 20.0) -> Iterator[socket.socket]:
    """A connected socket to HOST:PORT."""
    name, port = host.rsplit(":", 1)
    with socket.create_connection((name, int(port)), timeout=timeout) as connection:
        yield connection


def raw_exchange(host: str, *parts: bytes, method: str = "GET", half_close: bool = False) -> Answer:
    """Sends bytes as they are and reads one answer, even when the server stops reading early."""
    with open_socket(host) as connection:
        try:
            for part in parts:
                connection.sendall(part)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return read_answer(connection, method=method)


class RegistryClient:
    """One keep-alive connection to a registry. Not for use by two threads."""

    def __init__(self, host: str, *, timeout: float = 30.0) -> None:
        self.host = host
        self._connection = http.client.HTTPConnection(host, timeout=timeout)

    @classmethod
    def over(cls, connection: http.client.HTTPConnection) -> "RegistryClient":
        """A client of a connection that somebody has made, with TLS for one."""
        client = cls(f"{connection.host}:{connection.port}")
        client._connection = connection
        return client

    def __enter__(self) -> "RegistryClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One exchange; an iterable body is sent chunked."""
        chunked = body is not None and not isinstance(body, bytes)
        try:
            self._connection.request(
                method, path, body=body, headers=dict(headers or {}), encode_chunked=chunked
            )
            response = self._connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        return Answer(status=response.status, headers=_headers(response), body=data)

    def get(self, path: str, **headers: str) -> Answer:
        """GET with the manifest types accepted; keyword `if_none_match` = that header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("GET", path, headers={"Accept": MANIFEST_ACCEPT, **named})

    def start_upload(self, repository: str, **query: str) -> Answer:
        """POST of an upload session."""
        suffix = f"?{urlencode(query)}" if query else ""
        return self.request(
            "POST", f"/v2/{repository}/blobs/uploads/{suffix}", b"", {"Content-Length": "0"}
        )

    def upload_location(self, repository: str) -> str:
        """The path of a fresh upload session."""
        answer = self.start_upload(repository)
        assert answer.status == 202, (answer.status, answer.body)
        return location_path(answer)

    def finish_upload(self, location: str, digest: str, data: bytes = b"") -> Answer:
        """PUT of the last bytes with the digest."""
        headers = {"Content-Type": "application/octet-stream"}
        return self.request("PUT", with_query(location, digest=digest), data, headers)

    def push_blob(self, repository: str, data: bytes) -> Answer:
        """POST, then PUT of everything."""
        answer = self.start_upload(repository)
        if answer.status != 202:
            return answer
        return self.finish_upload(location_path(answer), sha256(data), data)

    def push_blob_single_post(self, repository: str, data: bytes) -> Answer:
        """One POST with the bytes and the digest."""
        path = with_query(f"/v2/{repository}/blobs/uploads/", digest=sha256(data))
        headers = {"Content-Type": "application/octet-stream"}
        return self.request("POST", path, data, headers)

    def push_blob_chunked(
        self, repository: str, chunks: Iterable[bytes], *, ranges: bool = True
    ) -> Answer:
        """POST, a PATCH for each chunk (with Content-Range, or streamed without), PUT."""
        location = self.upload_location(repository)
        digest = hashlib.sha256()
        offset = 0
        for chunk in chunks:
            headers = {"Content-Type": "application/octet-stream"}
            if ranges:
                headers["Content-Range"] = f"{offset}-{offset + len(chunk) - 1}"
            answer = self.request("PATCH", location, chunk if ranges else [chunk], headers)
            if answer.status != 202:
                return answer
            location = location_path(answer)
            offset += len(chunk)
            digest.update(chunk)
        return self.finish_upload(location, f"sha256:{digest.hexdigest()}")

    def mount_blob(self, repository: str, digest: str, source: str | None) -> Answer:
        """Cross-repository mount, anonymous without a source."""
        query = {"mount": digest} if source is None else {"mount": digest, "from": source}
        return self.start_upload(repository, **query)

    def push_manifest(self, repository: str, reference: str, manifest: Content) -> Answer:
        """PUT of a manifest by tag or digest."""
        path = f"/v2/{repository}/manifests/{reference}"
        return self.request("PUT", path, manifest.data, {"Content-Type": manifest.media_type})

    def push_image(self, repository: str, reference: str, image: Image) -> Answer:
        """Everything of an image in order; the answer to the last manifest or the first failure."""
        for child in image.children:
            answer = self.push_image(repository, child.manifest.digest, child)
            if answer.status != 201:
                return answer
        for blob in image.blobs:
            answer = self.push_blob(repository, blob.data)
            if answer.status != 201:
                return answer
        return self.push_manifest(repository, reference, image.manifest)

    def pull_blob(self, repository: str, digest: str) -> Answer:
        """GET of a blob."""
        return self.request("GET", f"/v2/{repository}/blobs/{digest}")

    def pull_manifest(self, repository: str, reference: str) -> Answer:
        """GET of a manifest, every type accepted."""
        return self.get(f"/v2/{repository}/manifests/{reference}")

    def assert_pullable(self, repository: str, reference: str) -> None:
        """Pulls a manifest and all that it names; each byte string must match its digest."""
        answer = self.pull_manifest(repository, reference)
        assert answer.status == 200, (repository, reference, answer.status, answer.body[:300])
        assert sha256(answer.body) == answer.headers["docker-content-digest"]
        if reference.startswith("sha256:"):
            assert reference == sha256(answer.body)
        value = json.loads(answer.body)
        for child in value.get("manifests", []):
            self.assert_pullable(repository, child["digest"])
        for blob in [*value.get("layers", []), *filter(None, [value.get("config")])]:
            pulled = self.pull_blob(repository, blob["digest"])
            assert pulled.status == 200, (repository, blob["digest"], pulled.status)
            assert (sha256(pulled.body), len(pulled.body)) == (blob["digest"], blob["size"])

    def tags(self, repository: str) -> list[str]:
        """All tags; an unknown repository has none."""
        answer = self.get(f"/v2/{repository}/tags/list")
        if answer.status == 404:
            return []
        assert answer.status == 200, (answer.status, answer.body)
        tags: list[str] = json.loads(answer.body)["tags"] or []
        return tags


def sha256(data: bytes) -> str:
    """The sha256 digest as the registry writes it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def location_path(answer: Answer) -> str:
    """The path and query of the Location, whether it is relative or absolute."""
    parts = urlsplit(answer.headers["location"])
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def with_query(location: str, **query: str) -> str:
    """A location with further query parameters."""
    return f"{location}{'&' if '?' in location else '?'}{urlencode(query)}"
