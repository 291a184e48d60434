"""The hops of a transfer: a token, a push of random content, the same bytes back, a deletion."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

from atomic_registry.cli.client import Answer
from atomic_registry.cli.doctor.checklist import Checklist
from atomic_registry.cli.doctor.front import PROXY, is_of_proxy, proxy_name
from atomic_registry.cli.doctor.scratch import Scratch
from atomic_registry.cli.documents import documents_at, text_at
from atomic_registry.cli.wire import ExchangeFailed, Line
from atomic_registry.clock import Clock

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_SLACK = 1 << 16
_GATEWAY = frozenset({502, 503, 504})
_SECONDS = 120.0
SMALL = 16 << 10
MEDIUM = (1 << 20) + (1 << 19)
LARGE = 64 << 20


class TransferFailed(Exception):
    """A hop failed; the checklist says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Bytes and their digest."""

    body: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """As the registry names it."""
        return f"sha256:{sha256(self.body).hexdigest()}"

    @property
    def descriptor(self) -> dict[str, object]:
        """As a manifest names it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.body)}


def random_layers(sizes: Sequence[int]) -> list[Content]:
    """Return layers that no registry has yet."""
    return [Content(body=os.urandom(size), media_type=_LAYER) for size in sizes]


def image_of(layers: Sequence[Content]) -> tuple[Content, Content]:
    """Return the configuration and the manifest of an image."""
    document = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
    }
    config = Content(body=json.dumps(document).encode(), media_type=_CONFIG)
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": config.descriptor,
        "layers": [layer.descriptor for layer in layers],
    }
    return config, Content(body=json.dumps(manifest).encode(), media_type=_MANIFEST)


class Transfer:
    """Pushes and pulls one image as a container client does."""

    def __init__(
        self, line: Line, scratch: Scratch, checklist: Checklist, clock: Clock, token_path: str
    ) -> None:
        self._line = line
        self._scratch = scratch
        self._checklist = checklist
        self._clock = clock
        self._token_path = token_path
        self._headers: dict[str, str] = {}
        self._base = f"/v2/{scratch.repository}"

    def log_in(self) -> None:
        """Get a registry token.

        Raises:
            TransferFailed: none is given.
        """
        if not self._token_path:
            return
        scope = f"repository:{self._scratch.repository}:pull,push,delete"
        path = f"{self._token_path}&{urlencode({'scope': scope})}"
        answer = self._send(
            "token", "GET", path, headers={"Authorization": self._scratch.caller.authorization}
        )
        token = text_at(answer.document(), "token")
        if answer.status != HTTPStatus.OK or not token:
            advice = "check the name and the password, or log in again: atomic-registry login"
            self._refuse("token", "no registry token", answer, advice)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._checklist.ok("token", "the registry gives one")

    def push_blobs(self, blobs: Sequence[Content]) -> None:
        """Upload the blobs, the smaller first.

        Raises:
            TransferFailed: one is not taken.
        """
        start = self._clock.monotonic()
        for blob in blobs:
            self._upload(blob)
        seconds = self._clock.monotonic() - start
        size = sum(len(blob.body) for blob in blobs)
        self._checklist.ok("push", f"{_mebibytes(size)} in {seconds:.2f} s")

    def push_manifest(self, manifest: Content) -> None:
        """Upload the manifest with a tag.

        Raises:
            TransferFailed: it is not taken.
        """
        path = f"{self._base}/manifests/doctor"
        headers = {"Content-Type": manifest.media_type}
        answer = self._send("push", "PUT", path, headers=headers, body=manifest.body)
        if answer.status != HTTPStatus.CREATED:
            self._refuse("push", "the manifest is not taken", answer)

    def pull(self, manifest: Content, blobs: Sequence[Content]) -> None:
        """Get everything back and compare it byte by byte.

        Raises:
            TransferFailed: something is missing, or another.
        """
        start = self._clock.monotonic()
        self._get(f"{self._base}/manifests/doctor", manifest)
        for blob in blobs:
            self._get(f"{self._base}/blobs/{blob.digest}", blob)
        seconds = self._clock.monotonic() - start
        self._checklist.ok("pull", f"the same bytes came back in {seconds:.2f} s")

    def delete(self, manifest: Content, blobs: Sequence[Content]) -> None:
        """Take the image out again.

        Raises:
            TransferFailed: the registry refuses.
        """
        paths = [f"{self._base}/manifests/{manifest.digest}"]
        paths += [f"{self._base}/blobs/{blob.digest}" for blob in blobs]
        for path in paths:
            answer = self._send("delete", "DELETE", path)
            if answer.status != HTTPStatus.ACCEPTED:
                self._refuse("delete", "the image is not deleted", answer)
        self._checklist.ok("delete", "the image is gone")

    def _upload(self, blob: Content) -> None:
        begun = self._send("push", "POST", f"{self._base}/blobs/uploads/")
        if begun.status != HTTPStatus.ACCEPTED:
            self._refuse("push", "no upload is begun", begun)
        path = self._location(begun)
        body = {"Content-Type": "application/octet-stream"}
        size = _mebibytes(len(blob.body))
        sent = self._send("push", "PATCH", path, headers=body, body=blob.body)
        if sent.status != HTTPStatus.ACCEPTED:
            # What was begun is nobody's any more.
            self._abandon(path)
            self._refuse("push", f"a layer of {size} is not taken", sent)
        path = self._location(sent)
        ending = "&" if "?" in path else "?"
        ended = self._send("push", "PUT", f"{path}{ending}{urlencode({'digest': blob.digest})}")
        if ended.status != HTTPStatus.CREATED:
            self._abandon(path)
            self._refuse("push", f"a layer of {size} is not taken", ended)

    def _abandon(self, path: str) -> None:
        try:
            self._line.send("DELETE", path, headers=self._headers)
        except ExchangeFailed:
            # It expires by itself.
            return

    def _location(self, answer: Answer) -> str:
        told = answer.headers.get("location", "")
        parts = urlsplit(told)
        if parts.netloc and not told.startswith(f"{self._line.origin}/"):
            self._checklist.fail(
                PROXY,
                f"an upload is to go on at {parts.scheme}://{parts.netloc}, "
                f"but clients come to {self._line.origin}",
                "our registry answers with paths only: let the proxy leave Location as it is "
                "(nginx: proxy_redirect off;)",
            )
            raise TransferFailed
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    def _get(self, path: str, wanted: Content) -> None:
        headers = {"Accept": wanted.media_type}
        answer = self._send("pull", "GET", path, headers=headers, limit=len(wanted.body) + _SLACK)
        if answer.status != HTTPStatus.OK:
            self._refuse("pull", "what was pushed cannot be pulled", answer)
        found = f"sha256:{sha256(answer.body).hexdigest()}"
        if found != wanted.digest:
            self._checklist.fail(
                "pull",
                f"{wanted.digest} came back as {found} ({len(answer.body)} bytes)",
                "something on the way changes content: switch off compression and rewriting in the "
                "proxy; if there is none, check the disk",
            )
            raise TransferFailed

    def _send(
        self,
        hop: str,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        limit: int = 1 << 20,
    ) -> Answer:
        try:
            return self._line.send(
                method,
                path,
                headers={**self._headers, **(headers or {})},
                body=body,
                limit=limit,
                seconds=_SECONDS,
            )
        except ExchangeFailed as error:
            size = f" after {_mebibytes(len(body))}" if body else ""
            self._checklist.fail(
                hop,
                f"{method} broke off{size}: {error}",
                "the logs of the proxy, if there is one, and of the registry: "
                "journalctl -u atomic-registry -e",
            )
            raise TransferFailed from error

    def _refuse(self, hop: str, what: str, answer: Answer, advice: str = "") -> None:
        name = proxy_name(answer) or "a proxy"
        if is_of_proxy(answer) and answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            self._checklist.fail(
                PROXY,
                f"{what}: {name} answers 413, it takes no larger body",
                "nginx: client_max_body_size 0; proxy_request_buffering off; "
                "others: lift the limit of the request's body",
            )
        elif is_of_proxy(answer) and answer.status in _GATEWAY:
            self._checklist.fail(
                PROXY,
                f"{what}: {name} answers {answer.status}",
                "the proxy gives up on the registry: raise its timeouts (nginx: proxy_read_timeout "
                "900s; proxy_send_timeout 900s), and see that the registry runs",
            )
        else:
            text = f"{what}: {answer.status} {_reason(answer)}".rstrip()
            self._checklist.fail(hop, text, advice or _advice(answer))
        raise TransferFailed


def _reason(answer: Answer) -> str:
    errors = documents_at(answer.document(), "errors")
    texts = [f"{text_at(it, 'code')}: {text_at(it, 'message')}" for it in errors[:3]]
    return "; ".join(texts)


def _advice(answer: Answer) -> str:
    if answer.status in {401, 403}:
        return (
            "what you may do and why: atomic-registry can-i push PROJECT/NAME --why\n"
            "a right is given by: atomic-registry policy add-role-to-user registry-editor USER"
        )
    if answer.status >= 500:
        return "space, rights and logs on the registry's machine: atomic-registry status"
    return "the registry's log tells more: journalctl -u atomic-registry -e"


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
