"""A restore that is tried: beside everything, served for a moment, pulled from and taken away."""

import contextlib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

import msgspec

from atomic_registry.app.backup import restoration
from atomic_registry.clock import Clock
from atomic_registry.oci.digest import Digest, PlainHasher
from atomic_registry.store.metadata.snapshots import pick_copied_images
from atomic_registry.system.backup.failures import BackupFailed
from atomic_registry.system.backup.manifest import DATABASE_FILE, Manifest
from atomic_registry.system.backup.progress import Progress
from atomic_registry.system.backup.restore import restore_snapshot
from atomic_registry.system.backup.source import Source
from atomic_registry.system.ca import ensure_client_certificate, ensure_server_certificate
from atomic_registry.system.signers import ensure_signer

_HOST = "127.0.0.1"
_START_SECONDS = 60.0
_STOP_SECONDS = 45.0
_ANSWER_SECONDS = 60.0
_POLL_SECONDS = 0.1
_CHUNK = 1024 * 1024
_MAX_MANIFEST = 64 * 1024 * 1024
_LAST_WORDS = 2000


class Drilled(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    snapshot: str
    images: int
    bytes: int
    seconds: float
    faults: tuple[str, ...]


class _Descriptor(msgspec.Struct, frozen=True):
    digest: str
    urls: list[str] | None = None


class _Document(msgspec.Struct, frozen=True):
    """What a manifest or an index refers to."""

    config: _Descriptor | None = None
    layers: list[_Descriptor] | None = None
    blobs: list[_Descriptor] | None = None
    manifests: list[_Descriptor] | None = None

    def content(self) -> Iterator[str]:
        """Yield the digests of what the registry itself has to have."""
        for it in (self.config, *(self.layers or ()), *(self.blobs or ())):
            if it is not None and not it.urls:
                yield it.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    port: int
    context: ssl.SSLContext


def hold_drill(
    source: Source, at: str | None, to: Path | None, count: int, progress: Progress, clock: Clock
) -> Drilled:
    """Restore a snapshot, serve it to ourselves alone, and pull so many images.

    Raises:
        BackupFailed: it cannot be restored, or not be served.
    """
    start = clock.monotonic()
    with tempfile.TemporaryDirectory(prefix="atomic-registry-drill-", dir=to) as scratch:
        tree = Path(scratch) / "tree"
        plan = restoration(tree, force=False, is_machine=False)
        restored = restore_snapshot(source, at, plan, progress, clock)
        root = _root_without_settings(Path(scratch), restored.manifest)
        images = pick_copied_images(root / "datastore" / DATABASE_FILE, count)
        storage = tree / _path_of(restored.manifest, "blobs")
        progress.note(f"restored; pulling images: {len(images)}")
        with _served(root, storage, clock) as served:
            puller = _Puller(served)
            for repository, digest in images:
                puller.pull(repository, digest)
    return Drilled(
        snapshot=restored.snapshot,
        images=len(images),
        bytes=puller.bytes,
        seconds=round(clock.monotonic() - start, 3),
        faults=tuple(puller.faults),
    )


def _root_without_settings(scratch: Path, manifest: Manifest) -> Path:
    """The settings in a backup may name the database and the ports that are in use."""
    root = scratch / "root"
    root.mkdir()
    (scratch / "tree" / _path_of(manifest, "database")).rename(root / "datastore")
    return root


def _path_of(manifest: Manifest, holds: str) -> str:
    return next(it.path for it in manifest.places if it.holds == holds)


@contextlib.contextmanager
def _served(root: Path, storage: Path, clock: Clock) -> Iterator[_Served]:
    keys = root / "keys"
    keys.mkdir(mode=0o700)
    signer = ensure_signer(keys, clock=clock)
    server = ensure_server_certificate(keys, [_HOST], signer, clock=clock, name="server")
    client = ensure_client_certificate("drill", (), signer, clock=clock, name="client")
    context = ssl.create_default_context(cafile=str(signer.certificate))
    context.load_cert_chain(client.certificate, client.key)
    served = _Served(port=_free_port(), context=context)
    environment = {
        "ATOMIC_REGISTRY_ROOT": str(root),
        "ATOMIC_REGISTRY_STORAGE_DIRECTORY": str(storage),
        # Nobody connects who does not have the key that was made for this drill.
        "ATOMIC_REGISTRY_ACCESS_POLICY": "open",
        "ATOMIC_REGISTRY_HTTP_LISTEN": f"{_HOST}:{served.port}",
        "ATOMIC_REGISTRY_HTTP_WORKERS": "1",
        "ATOMIC_REGISTRY_HTTP_TLS_CERTIFICATE": str(server.certificate),
        "ATOMIC_REGISTRY_HTTP_TLS_KEY": str(server.key),
        "ATOMIC_REGISTRY_HTTP_TLS_CLIENT_AUTHORITIES": str(signer.certificate),
    }
    log = root / "log"
    words = [sys.executable, "-I", "-m", "atomic_registry", "serve", "registry"]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - a list of words, no shell
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, cwd=root
        )
    try:
        _wait(process, served, log, clock)
        yield served
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], served: _Served, log: Path, clock: Clock) -> None:
    end = clock.monotonic() + _START_SECONDS
    while True:
        connection = HTTPSConnection(_HOST, served.port, timeout=5, context=served.context)
        with contextlib.closing(connection), contextlib.suppress(OSError, HTTPException):
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        if process.poll() is not None or clock.monotonic() > end:
            said = log.read_text(errors="replace")[-_LAST_WORDS:]
            raise BackupFailed(f"the restored registry does not start; it said:\n{said}")
        time.sleep(_POLL_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


class _Puller:
    """Pulls as a client does; what does not come back as it was is a fault."""

    def __init__(self, served: _Served) -> None:
        self.faults: list[str] = []
        self.bytes = 0
        self._served = served
        self._seen: set[str] = set()

    def pull(self, repository: str, digest: str) -> None:
        """Pull a manifest and all that it needs, but for what was pulled before."""
        waiting = [digest]
        while waiting:
            manifest = waiting.pop()
            body = self._get(repository, "manifests", manifest, is_child=manifest != digest)
            if body is None:
                continue
            try:
                document = msgspec.json.decode(body, type=_Document)
            except msgspec.MsgspecError as error:
                self.faults.append(f"{repository}@{digest}: {error}")
                continue
            for content in document.content():
                self._get(repository, "blobs", content)
            waiting += [it.digest for it in document.manifests or ()]

    def _get(
        self, repository: str, kind: str, digest: str, *, is_child: bool = False
    ) -> bytes | None:
        """Compare every byte; return those of a manifest."""
        path = f"/v2/{repository}/{kind}/{digest}"
        if path in self._seen:
            return None
        self._seen.add(path)
        hasher = PlainHasher(Digest.parse(digest).algorithm)
        kept = bytearray()
        connection = HTTPSConnection(
            _HOST, self._served.port, timeout=_ANSWER_SECONDS, context=self._served.context
        )
        try:
            with contextlib.closing(connection):
                connection.request("GET", path, headers={"Accept": "*/*"})
                answer = connection.getresponse()
                if answer.status == 404 and is_child:
                    # Manifests are rows of the database: this one was deleted, not lost.
                    return None
                if answer.status != 200:
                    self.faults.append(f"{path}: the registry answers {answer.status}")
                    return None
                while chunk := answer.read(_CHUNK):
                    hasher.update(chunk)
                    self.bytes += len(chunk)
                    if kind == "manifests" and len(kept) < _MAX_MANIFEST:
                        kept += chunk
        except (OSError, HTTPException) as error:
            self.faults.append(f"{path}: {str(error) or type(error).__name__}")
            return None
        if str(hasher.digest()) != digest:
            self.faults.append(f"{path}: other bytes came back")
            return None
        return bytes(kept)
