"""The one place that turns domain errors into statuses and codes of the distribution API.

Source: OCI distribution specification, "Error Codes".
"""

import msgspec

from atomic_registry import errors
from atomic_registry.errors import DomainError
from atomic_registry.web.error_table import Row, common_headers, find_row
from atomic_registry.web.messages import Request, Response

# The most specific class decides; every leaf of the tree has a row here or above it.
TABLE: dict[type[DomainError], Row] = {
    errors.Invalid: (400, "UNSUPPORTED"),
    errors.NameInvalid: (400, "NAME_INVALID"),
    errors.TagInvalid: (400, "TAG_INVALID"),
    errors.DigestInvalid: (400, "DIGEST_INVALID"),
    errors.DigestMismatch: (400, "DIGEST_INVALID"),
    errors.SizeMismatch: (400, "SIZE_INVALID"),
    errors.ManifestInvalid: (400, "MANIFEST_INVALID"),
    errors.ParameterInvalid: (400, "UNSUPPORTED"),
    errors.ObjectInvalid: (400, "UNSUPPORTED"),
    errors.PatchFailed: (400, "UNSUPPORTED"),
    errors.BodyInterrupted: (400, "BLOB_UPLOAD_INVALID"),
    errors.MissingReference: (404, "MANIFEST_BLOB_UNKNOWN"),
    errors.RepositoryUnknown: (404, "NAME_UNKNOWN"),
    errors.ProjectUnknown: (404, "NAME_UNKNOWN"),
    errors.ObjectUnknown: (404, "NAME_UNKNOWN"),
    errors.ManifestUnknown: (404, "MANIFEST_UNKNOWN"),
    errors.BlobUnknown: (404, "BLOB_UNKNOWN"),
    errors.UploadUnknown: (404, "BLOB_UPLOAD_UNKNOWN"),
    errors.RouteUnknown: (404, "NAME_UNKNOWN"),
    errors.AlreadyExists: (409, "DENIED"),
    errors.NameAmbiguous: (409, "DENIED"),
    errors.StaleRevision: (409, "DENIED"),
    errors.ApplyConflict: (409, "DENIED"),
    errors.RangeMismatch: (416, "BLOB_UPLOAD_INVALID"),
    errors.UploadBusy: (409, "BLOB_UPLOAD_INVALID"),
    errors.BlobInUse: (409, "DENIED"),
    errors.ImageInUse: (409, "DENIED"),
    errors.RangeUnsatisfiable: (416, "SIZE_INVALID"),
    errors.Expired: (410, "UNSUPPORTED"),
    errors.Unauthenticated: (401, "UNAUTHORIZED"),
    errors.CredentialsRejected: (401, "UNAUTHORIZED"),
    errors.ScopeMissing: (401, "UNAUTHORIZED"),
    errors.Denied: (403, "DENIED"),
    errors.QuotaExceeded: (403, "DENIED"),
    errors.LoginRefused: (403, "DENIED"),
    errors.GrantRefused: (400, "UNSUPPORTED"),
    errors.TooLarge: (413, "SIZE_INVALID"),
    errors.TooMany: (429, "TOOMANYREQUESTS"),
    errors.TooSlow: (408, "BLOB_UPLOAD_INVALID"),
    errors.TimedOut: (504, "UNAVAILABLE"),
    errors.MethodUnsupported: (405, "UNSUPPORTED"),
    errors.Unsupported: (415, "UNSUPPORTED"),
    errors.NotAcceptable: (406, "UNSUPPORTED"),
    errors.StorageFull: (507, "UNAVAILABLE"),
    errors.StorageReadOnly: (503, "UNAVAILABLE"),
    errors.StorageFailed: (503, "UNAVAILABLE"),
    errors.MetadataFailed: (503, "UNAVAILABLE"),
    errors.ProviderFailed: (503, "UNAVAILABLE"),
    errors.RemoteFailed: (503, "UNAVAILABLE"),
    errors.FutureRevision: (503, "UNAVAILABLE"),
}


def render_error(error: DomainError, request: Request | None) -> Response:  # noqa: ARG001
    """Return the answer for an error, in the specification's form."""
    status, code = find_row(TABLE, error, unknown="UNKNOWN")
    response = Response(
        status=status,
        headers={"Content-Type": "application/json", **common_headers(error)},
        body=render_body(code, error.message, error.detail),
    )
    match error:
        case errors.RangeMismatch():
            response.headers |= upload_headers(error.repository, error.upload_id, error.offset)
        case errors.RangeUnsatisfiable():
            response.headers["Content-Range"] = f"bytes */{error.size}"
        case _:
            pass
    return response


def render_internal(request_id: str) -> Response:
    """Return the answer for a fault of ours, which says nothing but where to look it up."""
    message = f"the registry failed; its log tells why under request id {request_id}"
    return Response(
        status=500,
        headers={"Content-Type": "application/json"},
        body=render_body("UNKNOWN", message, {"request": request_id}),
    )


def render_body(code: str, message: str, detail: object) -> bytes:
    """Return the JSON body of one error."""
    return msgspec.json.encode({"errors": [{"code": code, "message": message, "detail": detail}]})


def upload_headers(repository: object, upload_id: str, offset: int) -> dict[str, str]:
    """Return the headers that tell a client where an upload stands.

    The location is relative, so that it holds behind any proxy.
    """
    return {
        "Location": f"/v2/{repository}/blobs/uploads/{upload_id}",
        "Range": f"0-{max(offset - 1, 0)}",
        "Docker-Upload-UUID": upload_id,
    }
