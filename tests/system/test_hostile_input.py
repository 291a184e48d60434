"""Hostile names, digests, parameters, ranges and manifests: a 4xx in OCI form, never a 500."""

import json

import pytest

from tests.kit.http import RegistryClient, raw_exchange, sha256
from tests.kit.images import OCI_INDEX, OCI_MANIFEST, document, image
from tests.kit.registry import Registry
from tests.system.hostile import (
    BLOB,
    BLOB_DIGEST,
    HOSTILE_MANIFESTS,
    REPOSITORY,
    assert_healthy,
    assert_refused,
    chunk,
    push_harmless_blob,
    request_bytes,
)

NAMES: dict[str, bytes] = {
    "dot dot": b"a/../b",
    "leading dot dot": b"../../etc/passwd",
    "single dots": b"a/./b",
    "encoded dots": b"a/%2e%2e/b",
    "encoded slash": b"a%2fb",
    "encoded slash in depth": b"a/b%2F..%2Fc",
    "doubly encoded": b"a/%252e%252e/b",
    "backslash": b"a\\b/c",
    "encoded backslash": b"a/b%5cc",
    "encoded NUL": b"a/b%00c",
    "encoded newline": b"a/b%0d%0ac",
    "overlong UTF-8": b"a/%c0%ae%c0%ae/b",
    "broken UTF-8": b"a/%ff%fe",
    "full-width letters": "a/ｂ".encode(),
    "broken percent": b"a/%zz",
    "upper case": b"Project/Name",
    "trailing dot": b"a/b.",
    "leading hyphen": b"a/-b",
    "three underscores": b"a/b___c",
    "empty component": b"a//b",
    "space": b"a/b%20c",
    "at sign": b"a/b@c",
    "colon": b"a/b:c",
    "256 characters": b"a/" + b"b" * 254,
    "8 KB": b"a/" + b"b" * 8000,
    "one component": b"alone",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_a_hostile_repository_name_is_refused(shared_registry: Registry, name: bytes) -> None:
    for method, rest in (
        ("GET", b"/tags/list"),
        ("GET", b"/manifests/v1"),
        ("POST", b"/blobs/uploads/"),
        ("PUT", b"/manifests/v1"),
    ):
        headers = [] if method == "GET" else [b"Content-Length: 0"]
        sent = request_bytes(method, b"/v2/" + name + rest, *headers)
        assert_refused(raw_exchange(shared_registry.host, sent, method=method))
    assert_healthy(shared_registry)


@pytest.mark.parametrize(
    "name",
    ["a/blobs/uploads/b", "a/manifests/b", "a/tags/list", "a/referrers", "x/blobs", "a/uploads"],
)
def test_a_name_of_reserved_words_works_fully_or_is_refused(
    shared_registry: Registry, name: str
) -> None:
    with RegistryClient(shared_registry.host) as client:
        answer = client.push_image(name, "v1", image("reserved"))
        if answer.status == 201:
            client.assert_pullable(name, "v1")
            assert json.loads(client.get(f"/v2/{name}/tags/list").body)["name"] == name
        else:
            assert_refused(answer)
    assert_healthy(shared_registry)


DIGESTS = {
    "unknown algorithm": "md5:" + "a" * 32,
    "unregistered algorithm": "sha1024:" + "a" * 256,
    "upper-case hex": "sha256:" + "A" * 64,
    "upper-case algorithm": "SHA256:" + "a" * 64,
    "too short": "sha256:" + "a" * 63,
    "too long": "sha256:" + "a" * 65,
    "sha512 length under sha256": "sha256:" + "a" * 128,
    "no hex": "sha256:" + "g" * 64,
    "empty hex": "sha256:",
    "empty algorithm": ":" + "a" * 64,
    "encoded path": "sha256:..%2f..%2f..%2fetc%2fpasswd",
    "encoded NUL": "sha256:" + "a" * 63 + "%00",
    "encoded newline": "sha256:" + "a" * 64 + "%0a",
    "very long": "sha256:" + "a" * 6000,
}


@pytest.mark.parametrize("digest", DIGESTS.values(), ids=DIGESTS.keys())
def test_a_hostile_digest_is_refused(shared_registry: Registry, digest: str) -> None:
    base = f"/v2/{REPOSITORY}"
    body = {"Content-Type": OCI_MANIFEST}
    with RegistryClient(shared_registry.host) as client:
        location = client.upload_location(REPOSITORY)
        query = f"{'&' if '?' in location else '?'}digest={digest}"
        for method, path, data in (
            ("GET", f"{base}/blobs/{digest}", None),
            ("HEAD", f"{base}/blobs/{digest}", None),
            ("DELETE", f"{base}/blobs/{digest}", None),
            ("GET", f"{base}/manifests/{digest}", None),
            ("PUT", f"{base}/manifests/{digest}", b"{}"),
            ("PUT", f"{location}{query}", b"x"),
            ("POST", f"{base}/blobs/uploads/?digest={digest}", b"x"),
        ):
            assert_refused(client.request(method, path, data, body), method=method)
        referrers = client.get(f"{base}/referrers/{digest}")
        assert referrers.status == 200 or referrers.error_codes
        assert referrers.status < 500
    assert_healthy(shared_registry)


@pytest.mark.parametrize(
    "query",
    ["n=-1", "n=abc", "n=1.5", "n=1e3", "n=", "n=0x10", "n=%00", "n=1%20", "n=%D9%A1"],
)
def test_a_page_size_that_is_no_number_is_refused(shared_registry: Registry, query: str) -> None:
    push_harmless_blob(shared_registry)
    with RegistryClient(shared_registry.host) as client:
        assert_refused(client.get(f"/v2/_catalog?{query}"))
        assert client.push_image(REPOSITORY, "v1", image("paging")).status == 201
        assert_refused(client.get(f"/v2/{REPOSITORY}/tags/list?{query}"))
    assert_healthy(shared_registry)


@pytest.mark.parametrize(
    "query",
    ["n=99999999999999999999999", "n=2147483648", "n=1&n=2", "last=%00", "last=%ff", "last=../..",
     "last=" + "a" * 5000, "last=%27%20OR%201=1--", "n=1&last=zzzz"],
)  # fmt: skip
def test_a_hostile_page_start_or_size_never_harms(shared_registry: Registry, query: str) -> None:
    with RegistryClient(shared_registry.host) as client:
        assert client.push_image(REPOSITORY, "v1", image("paging")).status == 201
        for path in ("_catalog", f"{REPOSITORY}/tags/list"):
            answer = client.get(f"/v2/{path}?{query}")
            assert answer.status == 200 or answer.error_codes
            assert answer.status < 500
    assert_healthy(shared_registry)


RANGES = {
    "1,000 single bytes": "bytes=" + ",".join(["0-0"] * 1000),
    "300 overlapping wholes": "bytes=" + ",".join(["0-"] * 300),
    "inverted": "bytes=9-1",
    "huge": "bytes=0-99999999999999999999999999",
    "past the end": "bytes=99999999999999999999-",
    "suffix of nothing": "bytes=-0",
    "negative twice": "bytes=--5",
    "no number": "bytes=a-b",
    "other unit": "lines=1-2",
    "empty": "bytes=",
    "many commas": "bytes=" + "," * 2000,
}


@pytest.mark.parametrize("value", RANGES.values(), ids=RANGES.keys())
def test_a_hostile_range_never_multiplies_a_blob(shared_registry: Registry, value: str) -> None:
    push_harmless_blob(shared_registry)
    path = f"/v2/{REPOSITORY}/blobs/{BLOB_DIGEST}"
    with RegistryClient(shared_registry.host) as client:
        answer = client.request("GET", path, headers={"Range": value})
    assert answer.status in (200, 206, 400, 416)
    if answer.status >= 400:
        assert answer.error_codes
    elif answer.status == 200:
        assert answer.body == BLOB
    else:
        assert len(answer.body) <= 2 * len(BLOB) + 1000
    assert_healthy(shared_registry)


@pytest.mark.parametrize("body", HOSTILE_MANIFESTS.values(), ids=HOSTILE_MANIFESTS.keys())
def test_a_hostile_manifest_is_refused_and_leaves_nothing(
    shared_registry: Registry, body: bytes
) -> None:
    push_harmless_blob(shared_registry)
    path = f"/v2/{REPOSITORY}/manifests/hostile-{sha256(body)[7:19]}"
    head = request_bytes(
        "PUT", path.encode(), b"Content-Type: " + OCI_MANIFEST.encode(),
        b"Content-Length: %d" % len(body),
    )  # fmt: skip
    assert_refused(raw_exchange(shared_registry.host, head, body))
    with RegistryClient(shared_registry.host) as client:
        assert client.get(path).status == 404
        assert client.get(f"/v2/{REPOSITORY}/manifests/{sha256(body)}").status == 404
    assert_healthy(shared_registry)


def test_a_manifest_past_4_mib_is_refused_while_it_streams(shared_registry: Registry) -> None:
    path = f"/v2/{REPOSITORY}/manifests/big".encode()
    kind = b"Content-Type: " + OCI_MANIFEST.encode()
    head = request_bytes("PUT", path, kind, b"Transfer-Encoding: chunked")
    parts = [chunk(b" " * 65536)] * 1024
    answer = raw_exchange(shared_registry.host, head, *parts, b"0\r\n\r\n")
    assert answer.status == 413
    assert answer.error_codes
    sized = request_bytes("PUT", path, kind, b"Content-Length: 99999999999")
    assert raw_exchange(shared_registry.host, sized, b" " * 1000).status == 413
    assert_healthy(shared_registry)


@pytest.mark.timeout(60)
def test_indexes_nested_50_deep_and_twofold_are_taken_or_refused_quickly(
    shared_registry: Registry,
) -> None:
    with RegistryClient(shared_registry.host, timeout=10) as client:
        inner = image("nested")
        assert client.push_image(REPOSITORY, inner.manifest.digest, inner).status == 201
        content = inner.manifest
        for _ in range(50):
            twice = [content.descriptor(), content.descriptor()]
            value = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": twice}
            content = document(OCI_INDEX, value)
            answer = client.push_manifest(REPOSITORY, content.digest, content)
            if answer.status != 201:
                assert_refused(answer)
                break
            assert client.get(f"/v2/{REPOSITORY}/manifests/{content.digest}").status == 200
    assert_healthy(shared_registry)
