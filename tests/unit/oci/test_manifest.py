"""What parse_manifest accepts, keeps and refuses."""

import json
from typing import Any

import pytest

from atomic_registry.errors import ManifestInvalid, Unsupported
from atomic_registry.oci import media_types
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.manifest import MAX_DESCRIPTORS, parse_manifest

EMPTY = str(Digest.of(b"{}"))


def descriptor(**changes: Any) -> dict[str, Any]:
    return {"mediaType": "application/octet-stream", "digest": EMPTY, "size": 2, **changes}


def image(**changes: Any) -> dict[str, Any]:
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": descriptor(mediaType="application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor()],
        **changes,
    }
    return {key: value for key, value in document.items() if value is not None}


def index(**changes: Any) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [descriptor(mediaType=media_types.OCI_MANIFEST)],
        **changes,
    }


def encode(document: object) -> bytes:
    return json.dumps(document).encode()


def test_an_image_manifest_keeps_its_bytes_and_names_config_and_layers() -> None:
    body = b" " + encode(image()) + b"\n"

    manifest = parse_manifest(body, media_types.OCI_MANIFEST)

    assert body == manifest.body
    assert Digest.of(body) == manifest.digest
    assert [EMPTY, EMPTY] == [str(item.digest) for item in manifest.blobs]
    assert "application/vnd.oci.image.config.v1+json" == manifest.artifact_type


def test_the_digest_is_of_the_algorithm_asked_for() -> None:
    body = encode(image())

    manifest = parse_manifest(body, media_types.OCI_MANIFEST, algorithm="sha512")

    assert Digest.of(body, "sha512") == manifest.digest


def test_an_index_names_its_children_and_no_blobs() -> None:
    manifest = parse_manifest(encode(index()), media_types.OCI_INDEX)

    assert () == manifest.blobs
    assert [EMPTY] == [str(item.digest) for item in manifest.children]


def test_the_type_in_the_document_stands_in_for_a_missing_header() -> None:
    assert media_types.OCI_INDEX == parse_manifest(encode(index()), "").media_type


def test_parameters_of_the_content_type_do_not_matter() -> None:
    manifest = parse_manifest(encode(index()), f"{media_types.OCI_INDEX}; charset=utf-8")

    assert media_types.OCI_INDEX == manifest.media_type


def test_layers_that_stay_at_their_origin_need_not_be_there() -> None:
    foreign = descriptor(mediaType="application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")

    manifest = parse_manifest(encode(image(layers=[foreign])), media_types.OCI_MANIFEST)

    assert 1 == len(manifest.blobs)


REFUSED: dict[str, bytes] = {
    "not JSON": b"{",
    "not an object": b"[]",
    "invalid UTF-8": encode(image()).replace(b"octet", b"\xff\xfe"),
    "a lone surrogate": encode(image(annotations={"a": "x"})).replace(b'"x"', b'"\\ud800"'),
    "a duplicate key": encode(image()).replace(b"{", b'{"schemaVersion": 2, ', 1),
    "NaN": encode(image(extra=1.5)).replace(b"1.5", b"NaN"),
    "a number of five thousand digits": encode(image(extra=15)).replace(b"15", b"1" * 5000),
    "arrays nested 100,000 deep": b"[" * 100_000,
    "objects nested 100,000 deep": b'{"a":' * 100_000,
    "layers and manifests at once": encode(image(manifests=[])),
    "an index with a config": encode(index(config=descriptor())),
    "no layers": encode(image(layers=None)),
    "no config": encode(image(config=None)),
    "a negative size": encode(image(layers=[descriptor(size=-1)])),
    "a size beyond 64 bits": encode(image(layers=[descriptor(size=2**63)])),
    "a size that is a text": encode(image(layers=[descriptor(size="2")])),
    "a digest of an unknown algorithm": encode(image(layers=[descriptor(digest="md5:00")])),
    "an upper-case digest": encode(image(layers=[descriptor(digest=EMPTY.upper())])),
    "another schema version": encode(image(schemaVersion=3)),
    "another type than announced": encode(image(mediaType=media_types.DOCKER_MANIFEST)),
    "too many layers": encode(image(layers=[descriptor()] * MAX_DESCRIPTORS)),
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_a_broken_document_is_refused(body: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        parse_manifest(body, media_types.OCI_MANIFEST)


def test_an_unknown_media_type_is_refused() -> None:
    with pytest.raises(ManifestInvalid, match="Content-Type"):
        parse_manifest(encode(image(mediaType=None)), "application/json")


def test_a_docker_document_must_say_what_it_is() -> None:
    with pytest.raises(ManifestInvalid, match="mediaType"):
        parse_manifest(encode(image(mediaType=None)), media_types.DOCKER_MANIFEST)


@pytest.mark.parametrize("content_type", sorted(media_types.DOCKER_SCHEMA_1))
def test_docker_schema_1_is_refused_with_the_way_out(content_type: str) -> None:
    with pytest.raises(Unsupported, match="schema 2"):
        parse_manifest(encode({"schemaVersion": 1, "fsLayers": []}), content_type)
