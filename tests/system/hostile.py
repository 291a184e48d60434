"""What every hostile request must leave behind, and the documents that tests send."""

import json

from tests.kit.http import Answer, RegistryClient, sha256
from tests.kit.images import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from tests.kit.registry import Registry

MEMORY_BYTES = 200 * 1024 * 1024
REPOSITORY = "hostile/input"
BLOB = b"a harmless blob" * 10
BLOB_DIGEST = sha256(BLOB)


def assert_refused(answer: Answer, *, method: str = "GET") -> None:
    """A 4xx with an error in OCI form (HEAD has no body)."""
    assert 400 <= answer.status < 500, (answer.status, answer.body[:500])
    if method != "HEAD":
        assert answer.error_codes


def assert_healthy(registry: Registry) -> None:
    """The server lives, answers, and its memory is bounded."""
    assert registry.process.poll() is None, "the server died"
    assert registry.answers(seconds=10)
    too_big = {pid: size for pid, size in registry.memory().items() if size > MEMORY_BYTES}
    assert not too_big


def request_bytes(method: str, target: bytes, *headers: bytes) -> bytes:
    """A request exactly as given."""
    lines = [method.encode() + b" " + target + b" HTTP/1.1", b"Host: registry.test", *headers]
    return b"\r\n".join(lines) + b"\r\nConnection: close\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def push_harmless_blob(registry: Registry) -> None:
    """The blob that hostile manifests name truly."""
    with RegistryClient(registry.host) as client:
        assert client.push_blob(REPOSITORY, BLOB).status == 201


def descriptor(media_type: str = OCI_LAYER, **changes: object) -> dict[str, object]:
    """A true descriptor of the harmless blob, with changes."""
    return {"mediaType": media_type, "digest": BLOB_DIGEST, "size": len(BLOB), **changes}


def manifest(**changes: object) -> bytes:
    """A valid image manifest, with changes."""
    value: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG),
        "layers": [descriptor()],
    }
    return json.dumps({**value, **changes}).encode()


def with_extra(text: bytes) -> bytes:
    """A valid manifest with raw text as further members."""
    return manifest()[:-1] + b", " + text + b"}"


HOSTILE_MANIFESTS: dict[str, bytes] = {
    "empty body": b"",
    "not JSON": b"<xml/>",
    "a list": b"[]",
    "null": b"null",
    "a number": b"7",
    "truncated": manifest()[:-5],
    "trailing garbage": manifest() + b"}",
    "arrays 100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "objects 50,000 deep in a member": with_extra(
        b'"x":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001
    ),
    "annotations 10,000 deep": with_extra(b'"annotations":' + b"[" * 10_000 + b"]" * 10_000),
    "duplicate layers": with_extra(b'"layers":[]'),
    "duplicate config": with_extra(b'"config":{}'),
    "duplicate media type": with_extra(b'"mediaType":"' + OCI_INDEX.encode() + b'"'),
    "NaN": with_extra(b'"x":NaN'),
    "Infinity": with_extra(b'"x":-Infinity'),
    "a huge size": manifest(layers=[descriptor(size=10**400)]),
    "a size past 64 bits": manifest(layers=[descriptor(size=2**64)]),
    "a size as exponent": manifest().replace(b'"size": 150', b'"size": 15e1'),
    "a negative size": manifest(layers=[descriptor(size=-1)]),
    "a lying layer size": manifest(layers=[descriptor(size=len(BLOB) + 1)]),
    "a lying config size": manifest(config=descriptor(OCI_CONFIG, size=1)),
    "a size as text": manifest(layers=[descriptor(size="150")]),
    "a size that is true": manifest(layers=[descriptor(size=True)]),
    "invalid UTF-8": with_extra(b'"annotations":{"a":"\xff\xfe"}'),
    "overlong UTF-8": with_extra(b'"annotations":{"a":"\xc0\xaf"}'),
    "a lone surrogate": with_extra(b'"annotations":{"a":"\\ud800"}'),
    "UTF-16": manifest().decode().encode("utf-16"),
    "layers and manifests": manifest(manifests=[]),
    "schema version 1": manifest(schemaVersion=1),
    "no schema version": manifest(schemaVersion=None),
    "a media type of an index": manifest(mediaType=OCI_INDEX),
    "layers as an object": manifest(layers={}),
    "a layer that is text": manifest(layers=["x"]),
    "annotations that are a list": manifest(annotations=[]),
    "an annotation that is an object": manifest(annotations={"a": {}}),
    "an unknown blob": manifest(layers=[descriptor(digest=sha256(b"never pushed"))]),
    "a digest with a path": manifest(layers=[descriptor(digest="sha256:../../../etc/passwd")]),
    "a digest in upper case": manifest(layers=[descriptor(digest=BLOB_DIGEST.upper())]),
    "a subject that is text": manifest(subject="x"),
    "100,000 descriptors past 4 MiB": manifest(layers=[descriptor()] * 100_000),
}
