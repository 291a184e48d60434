"""Every endpoint of the registry service, with the access that it needs.

Source: OCI distribution specification, "Endpoints" (end-1 to end-14), and the catalog of its
predecessor, the Docker registry HTTP API.
"""

from dataclasses import dataclass

from atomic_registry.faces.registry.blobs import BlobHandlers
from atomic_registry.faces.registry.listings import ListingHandlers
from atomic_registry.faces.registry.manifests import ManifestHandlers
from atomic_registry.faces.registry.probes import ProbeHandlers
from atomic_registry.faces.registry.uploads import UploadHandlers
from atomic_registry.identity.policy import Verb
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import RepositoryName, parse_reference
from atomic_registry.web.endpoint import Access, Converter, Endpoint

ANYBODY = Access(None)
PULL = Access(Verb.PULL)
PUSH = Access(Verb.PUSH)
DELETE = Access(Verb.DELETE)
LIST = Access(Verb.LIST)
OBSERVE = Access(Verb.OBSERVE)

CONVERTERS: dict[str, Converter] = {
    "repository": RepositoryName.parse,
    "reference": parse_reference,
    "digest": Digest.parse,
    "upload": str,
}

_MANIFEST = "/v2/{repository}/manifests/{reference}"
_BLOB = "/v2/{repository}/blobs/{digest}"
_UPLOADS = "/v2/{repository}/blobs/uploads/"
_UPLOAD = "/v2/{repository}/blobs/uploads/{upload}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """The handlers that the rows point at."""

    manifests: ManifestHandlers
    blobs: BlobHandlers
    uploads: UploadHandlers
    listings: ListingHandlers
    probes: ProbeHandlers


def endpoints(handlers: Handlers) -> list[Endpoint]:
    """Return the rows; those that are asked most stand first."""
    manifests, blobs, uploads = handlers.manifests, handlers.blobs, handlers.uploads
    listings, probes = handlers.listings, handlers.probes
    return [
        Endpoint("GET", _MANIFEST, PULL, manifests.get),
        Endpoint("PUT", _MANIFEST, PUSH, manifests.put),
        Endpoint("DELETE", _MANIFEST, DELETE, manifests.delete),
        Endpoint("HEAD", _BLOB, PULL, blobs.head),
        Endpoint("GET", _BLOB, PULL, blobs.get),
        Endpoint("DELETE", _BLOB, DELETE, blobs.delete),
        Endpoint("POST", _UPLOADS, PUSH, uploads.start),
        Endpoint("GET", _UPLOAD, PUSH, uploads.status),
        Endpoint("PATCH", _UPLOAD, PUSH, uploads.append),
        Endpoint("PUT", _UPLOAD, PUSH, uploads.commit),
        Endpoint("DELETE", _UPLOAD, PUSH, uploads.cancel),
        Endpoint("GET", "/v2/", ANYBODY, probes.version),
        Endpoint("GET", "/v2/{repository}/tags/list", PULL, listings.tags),
        Endpoint("GET", "/v2/{repository}/referrers/{digest}", PULL, listings.referrers),
        Endpoint("GET", "/v2/_catalog", LIST, listings.catalog),
        Endpoint("GET", "/healthz", ANYBODY, probes.live),
        Endpoint("GET", "/readyz", ANYBODY, probes.ready),
        Endpoint("GET", "/metrics", OBSERVE, probes.metrics),
    ]
