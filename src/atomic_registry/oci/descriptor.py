"""Descriptors: media type, digest and size of content that stands elsewhere.

Source: OCI image specification, descriptor.md.
"""

from dataclasses import dataclass

from atomic_registry.oci.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What a manifest says of a blob or of another manifest; `size` is in bytes."""

    media_type: str
    digest: Digest
    size: int
