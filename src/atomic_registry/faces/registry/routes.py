"""Every endpoint of the registry service, with the access that it needs.

Source: OCI distribution specification, "Endpoints" (end-1 to end-14), and the catalog of its
predecessor, the Docker registry HTTP API.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial

from atomic_registry.content.ports import HotReads
from atomic_registry.errors import MethodUnsupported
from atomic_registry.faces.registry.blobs import BlobHandlers
from atomic_registry.faces.registry.challenge import TOKEN_PATH
from atomic_registry.faces.registry.listings import ListingHandlers
from atomic_registry.faces.registry.manifests import ManifestHandlers
from atomic_registry.faces.registry.token import NoTokens, TokenHandlers
from atomic_registry.faces.registry.uploads import UploadHandlers
from atomic_registry.identity.policy import Verb
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import RepositoryName, parse_reference
from atomic_registry.web.endpoint import Access, Converter, Endpoint, Handler, QuickHandler
from atomic_registry.web.health import ProbeHandlers
from atomic_registry.web.messages import Request, Response

ANYBODY = Access()
LOGIN = Access(login=True)
PULL = Access(Verb.PULL)
PUSH = Access(Verb.PUSH)
PUSH_ON = Access(Verb.PUSH, continues=True)
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
    tokens: TokenHandlers | NoTokens = field(default_factory=NoTokens)


# Those that are asked most stand first.
ROWS: tuple[tuple[str, str, Access, Callable[[Handlers], Handler]], ...] = (
    ("GET", _MANIFEST, PULL, lambda to: to.manifests.get),
    ("PUT", _MANIFEST, PUSH, lambda to: to.manifests.put),
    ("DELETE", _MANIFEST, DELETE, lambda to: to.manifests.delete),
    ("HEAD", _BLOB, PULL, lambda to: to.blobs.head),
    ("GET", _BLOB, PULL, lambda to: to.blobs.get),
    ("DELETE", _BLOB, DELETE, lambda to: to.blobs.delete),
    ("POST", _UPLOADS, PUSH, lambda to: to.uploads.start),
    ("GET", _UPLOAD, PUSH_ON, lambda to: to.uploads.status),
    ("PATCH", _UPLOAD, PUSH_ON, lambda to: to.uploads.append),
    ("PUT", _UPLOAD, PUSH_ON, lambda to: to.uploads.commit),
    ("DELETE", _UPLOAD, PUSH_ON, lambda to: to.uploads.cancel),
    ("GET", "/v2/", LOGIN, lambda to: to.probes.version),
    ("GET", "/v2/{repository}/tags/list", PULL, lambda to: to.listings.tags),
    ("GET", "/v2/{repository}/referrers/{digest}", PULL, lambda to: to.listings.referrers),
    ("GET", "/v2/_catalog", LIST, lambda to: to.listings.catalog),
    ("GET", TOKEN_PATH, ANYBODY, lambda to: to.tokens.get),
    ("POST", TOKEN_PATH, ANYBODY, lambda to: to.tokens.post),
    ("GET", "/healthz", ANYBODY, lambda to: to.probes.live),
    ("GET", "/readyz", ANYBODY, lambda to: to.probes.ready),
    ("GET", "/metrics", OBSERVE, lambda to: to.probes.metrics),
)


def endpoints(
    handlers: Handlers, hot: HotReads | None, *, closed: Collection[Verb] = ()
) -> list[Endpoint]:
    """Return the rows with their handlers; what is asked most is quick where the store is.

    Requests that change something by a right in `closed` are refused, to those who have it too.
    """
    quick: dict[tuple[str, str], QuickHandler] = {}
    if hot is not None:
        quick = {
            ("GET", _MANIFEST): partial(handlers.manifests.quick_get, hot),
            ("HEAD", _BLOB): partial(handlers.blobs.quick_head, hot),
        }
    return [
        Endpoint(
            method,
            path,
            access,
            _switched_off if access.verb in closed and method != "GET" else pick(handlers),
            quick.get((method, path)),
        )
        for method, path, access, pick in ROWS
    ]


async def _switched_off(request: Request) -> Response:
    hint = "the administrator has made the registry read-only, or switched deletions off"
    raise MethodUnsupported(method=request.method, allowed=("GET", "HEAD"), hint=hint)
