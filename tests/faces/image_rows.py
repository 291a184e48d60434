"""Who may do what with streams, tags and images: expectations for the matrix of the master."""

from collections.abc import Iterator

GROUP = "/apis/image.openshift.io/v1"
PREFIXES = (GROUP, "/oapi/v1")
_ADMINS = {"cluster-admin", "admin", "registry-admin"}
_EDITORS = {*_ADMINS, "edit", "registry-editor"}
_VIEWERS = {*_EDITORS, "view", "registry-viewer", "cluster-reader"}
_SERVICE, _PRUNER, _BUILDER = "system-registry", "system-image-pruner", "system-image-builder"
_SIGNER, _AUDITOR, _PUSHER = "system-image-signer", "system-image-auditor", "system-image-pusher"
_PULLER = "system-image-puller"
# Needs that whoever may look at a project has, and who else has them.
LOOKING: dict[str, set[str]] = {
    "see streams": {*_VIEWERS, _PRUNER, _SERVICE},
    "list streams": {*_VIEWERS, _PRUNER},
    "see tags": {*_VIEWERS, _SERVICE},
    "see layers": {*_VIEWERS, _PULLER, _PUSHER, _BUILDER, _SIGNER},
}
# Needs that whoever may change a project's content has, and who else has them.
CHANGING: dict[str, set[str]] = {
    "make streams": {*_EDITORS, _BUILDER},
    "change streams": {*_EDITORS, _SERVICE},
    "edit": _EDITORS,
    "drop tags": {*_EDITORS, _SERVICE},
}
EVERYWHERE: dict[str, set[str]] = {
    "see secrets of streams": {"cluster-admin", _SERVICE},
    "write status": {"cluster-admin", _PRUNER},
    "patch status": {"cluster-admin"},
    "see images": {"cluster-admin", "cluster-reader", _PRUNER, _SIGNER, _AUDITOR, _SERVICE},
    "list images": {"cluster-admin", "cluster-reader", _PRUNER, _AUDITOR},
    "watch images": {"cluster-admin", "cluster-reader", _AUDITOR},
    "change images": {"cluster-admin", _AUDITOR, _SERVICE},
    "patch images": {"cluster-admin", _AUDITOR},
    "drop images": {"cluster-admin", _PRUNER, _SERVICE},
    "sign": {*_EDITORS, _SIGNER},
    "unsign": {"cluster-admin", _SIGNER},
}
_STREAMS = {
    "GET namespaces/{namespace}/imagestreams": "list streams",
    "GET imagestreams": "list streams",
    "GET watch/imagestreams": "look",
    "GET watch/namespaces/{namespace}/imagestreams": "look",
    "GET watch/namespaces/{namespace}/imagestreams/{name}": "look",
    "POST namespaces/{namespace}/imagestreams": "make streams",
    "DELETE namespaces/{namespace}/imagestreams": "edit",
    "GET namespaces/{namespace}/imagestreams/{name}": "see streams",
    "PUT namespaces/{namespace}/imagestreams/{name}": "change streams",
    "PATCH namespaces/{namespace}/imagestreams/{name}": "edit",
    "DELETE namespaces/{namespace}/imagestreams/{name}": "edit",
    "GET namespaces/{namespace}/imagestreams/{name}/layers": "see layers",
    "GET namespaces/{namespace}/imagestreams/{name}/status": "look",
    "PUT namespaces/{namespace}/imagestreams/{name}/status": "write status",
    "PATCH namespaces/{namespace}/imagestreams/{name}/status": "patch status",
    "GET namespaces/{namespace}/imagestreams/{name}/secrets": "see secrets of streams",
}
_TAGS = {
    "GET namespaces/{namespace}/imagestreamtags": "look",
    "GET imagestreamtags": "look",
    "GET watch/imagestreamtags": "look",
    "GET watch/namespaces/{namespace}/imagestreamtags": "look",
    "GET watch/namespaces/{namespace}/imagestreamtags/{name}": "look",
    "POST namespaces/{namespace}/imagestreamtags": "edit",
    "DELETE namespaces/{namespace}/imagestreamtags": "edit",
    "GET namespaces/{namespace}/imagestreamtags/{name}": "see tags",
    "PUT namespaces/{namespace}/imagestreamtags/{name}": "edit",
    "PATCH namespaces/{namespace}/imagestreamtags/{name}": "edit",
    "DELETE namespaces/{namespace}/imagestreamtags/{name}": "drop tags",
}
_IMAGES = {
    "GET namespaces/{namespace}/imagestreamimages/{name}": "see tags",
    "POST namespaces/{namespace}/imagestreammappings": "change streams",
    "POST namespaces/{namespace}/imagestreamimports": "edit",
    "GET images": "list images",
    "GET watch/images": "watch images",
    "GET watch/images/{name}": "watch images",
    "GET images/{name}": "see images",
    "PUT images/{name}": "change images",
    "PATCH images/{name}": "patch images",
    "DELETE images/{name}": "drop images",
    "POST imagesignatures": "sign",
    "DELETE imagesignatures/{name}": "unsign",
}


def expected() -> Iterator[tuple[tuple[str, str], str]]:
    """Yield each row with its need."""
    for request, need in {**_STREAMS, **_TAGS, **_IMAGES}.items():
        method, _, path = request.partition(" ")
        yield from (((method, f"{prefix}/{path}"), need) for prefix in PREFIXES)
