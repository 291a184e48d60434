"""Manifests: from received bytes to what they name, keeping the exact bytes.

Sources: OCI image specification, manifest.md and image-index.md; Docker image manifest version 2,
schema 2. A document that could be read as two kinds is refused (CVE-2021-41190).
"""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

import msgspec

from atomic_registry.errors import DigestInvalid, ManifestInvalid, Unsupported
from atomic_registry.oci import media_types
from atomic_registry.oci.descriptor import Descriptor
from atomic_registry.oci.digest import DEFAULT_ALGORITHM, Digest

MAX_DESCRIPTORS = 10_000

_Size = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class _Descriptor(msgspec.Struct):
    digest: str
    size: _Size
    mediaType: str = ""
    annotations: dict[str, str] | None = None


class _Document(msgspec.Struct):
    schemaVersion: int
    mediaType: str | None = None
    artifactType: str | None = None
    config: _Descriptor | None = None
    layers: list[_Descriptor] | None = None
    manifests: list[_Descriptor] | None = None
    subject: _Descriptor | None = None
    annotations: dict[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An image manifest or an index, with the bytes that its digest is of.

    `blobs` are the config and those layers that the registry must hold; `children` are the
    manifests that an index lists.
    """

    media_type: str
    digest: Digest
    body: bytes
    blobs: tuple[Descriptor, ...]
    children: tuple[Descriptor, ...]
    subject: Descriptor | None
    artifact_type: str | None
    annotations: dict[str, str]


def parse_manifest(
    body: bytes, content_type: str, *, algorithm: str = DEFAULT_ALGORITHM
) -> Manifest:
    """Return what the bytes say, read as the media type that the client announced.

    Raises:
        ManifestInvalid: the document breaks its specification or contradicts the type.
        Unsupported: the document is of a format that the registry does not take.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    document = _decode(body)
    media_type = _agree_on_type(media_type, document)
    is_index = media_type in media_types.INDEXES
    _check_shape(document, is_index=is_index)
    layers = [] if is_index else document.layers or []
    named = [document.config, *layers] if document.config is not None else layers
    children = document.manifests or []
    if len(named) + len(children) > MAX_DESCRIPTORS:
        raise ManifestInvalid(reason=f"it lists more than {MAX_DESCRIPTORS} descriptors")
    return Manifest(
        media_type=media_type,
        digest=Digest.of(body, algorithm),
        body=body,
        blobs=tuple(
            _descriptor(item, "layers")
            for item in named
            if not media_types.is_non_distributable(item.mediaType)
        ),
        children=tuple(_descriptor(item, "manifests") for item in children),
        subject=None if document.subject is None else _descriptor(document.subject, "subject"),
        artifact_type=_artifact_type(document),
        annotations=document.annotations or {},
    )


def _decode(body: bytes) -> _Document:
    try:
        # The strict decoder refuses what the lenient one lets through (bad UTF-8, lone
        # surrogates); only the lenient one can see duplicate keys.
        msgspec.json.decode(body)
        tree = json.loads(body, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
        if isinstance(tree, dict) and tree.get("schemaVersion") == 1:
            _refuse_schema_1()
        return msgspec.convert(tree, _Document)
    except msgspec.ValidationError as error:
        raise ManifestInvalid(reason=str(error)) from error
    except (msgspec.DecodeError, ValueError) as error:
        raise ManifestInvalid(reason=f"it is not JSON ({error})") from error
    except RecursionError as error:
        raise ManifestInvalid(reason="it is nested too deeply") from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ManifestInvalid(reason=f"the key {twice[:100]!r} stands twice in one object")
    return result


def _refuse_constant(text: str) -> NoReturn:
    raise ManifestInvalid(reason=f"{text} is not a JSON number")


def _refuse_schema_1() -> NoReturn:
    raise Unsupported(
        what="Docker image format schema 1",
        hint="push the image in Docker schema 2 or OCI format; any client since 2017 does",
    )


def _agree_on_type(content_type: str, document: _Document) -> str:
    if content_type in media_types.DOCKER_SCHEMA_1:
        _refuse_schema_1()
    if not content_type:
        content_type = document.mediaType or ""
    if content_type not in media_types.MANIFESTS:
        raise ManifestInvalid(
            reason=f"media type {content_type[:100]!r} is not one of a manifest; send one of "
            f"{', '.join(sorted(media_types.MANIFESTS))} as Content-Type"
        )
    if document.mediaType is None and content_type in media_types.DOCKER:
        raise ManifestInvalid(reason=f"a document of type {content_type} must say its mediaType")
    if document.mediaType is not None and document.mediaType != content_type:
        raise ManifestInvalid(
            reason=f"it says mediaType {document.mediaType[:100]!r}, "
            f"but was sent as Content-Type {content_type!r}"
        )
    return content_type


def _check_shape(document: _Document, *, is_index: bool) -> None:
    if document.schemaVersion != 2:
        raise ManifestInvalid(reason=f"schemaVersion is {document.schemaVersion}, must be 2")
    if document.manifests is not None and (document.layers is not None or document.config):
        raise ManifestInvalid(
            reason="it has both 'manifests' and 'layers' or 'config', so that it could be read "
            "as an index and as an image"
        )
    if is_index and document.manifests is None:
        raise ManifestInvalid(reason="an index must have 'manifests'")
    if not is_index and (document.config is None or document.layers is None):
        raise ManifestInvalid(reason="an image manifest must have 'config' and 'layers'")


def _descriptor(item: _Descriptor, where: str) -> Descriptor:
    try:
        digest = Digest.parse(item.digest)
    except DigestInvalid as error:
        raise ManifestInvalid(reason=f"in {where}: {error.message}") from error
    return Descriptor(media_type=item.mediaType, digest=digest, size=item.size)


def _artifact_type(document: _Document) -> str | None:
    """Distribution specification, "Listing Referrers": the config's type stands in for it."""
    if document.artifactType:
        return document.artifactType
    return document.config.mediaType if document.config is not None else None
