"""The one place that turns domain errors into statuses and reasons of the Kubernetes API.

Source: Kubernetes API conventions, "HTTP Status codes" and "Response Status Kind".
"""

from atomic_registry import errors
from atomic_registry.errors import DomainError
from atomic_registry.faces.api.status import Document, failure_document, json_response
from atomic_registry.web.error_table import Row, common_headers, find_row
from atomic_registry.web.messages import Request, Response

# The most specific class decides; every leaf of the tree has a row here or above it.
TABLE: dict[type[DomainError], Row] = {
    errors.Invalid: (400, "BadRequest"),
    errors.NameInvalid: (400, "BadRequest"),
    errors.TagInvalid: (400, "BadRequest"),
    errors.DigestInvalid: (400, "BadRequest"),
    errors.DigestMismatch: (400, "BadRequest"),
    errors.SizeMismatch: (400, "BadRequest"),
    errors.ManifestInvalid: (422, "Invalid"),
    errors.ParameterInvalid: (400, "BadRequest"),
    errors.ObjectInvalid: (422, "Invalid"),
    errors.PatchFailed: (422, "Invalid"),
    errors.BodyInterrupted: (400, "BadRequest"),
    errors.MissingReference: (422, "Invalid"),
    errors.NotFound: (404, "NotFound"),
    errors.RepositoryUnknown: (404, "NotFound"),
    errors.ManifestUnknown: (404, "NotFound"),
    errors.BlobUnknown: (404, "NotFound"),
    errors.UploadUnknown: (404, "NotFound"),
    errors.ProjectUnknown: (404, "NotFound"),
    errors.ObjectUnknown: (404, "NotFound"),
    errors.RouteUnknown: (404, "NotFound"),
    errors.Conflict: (409, "Conflict"),
    errors.AlreadyExists: (409, "AlreadyExists"),
    errors.NameAmbiguous: (409, "Conflict"),
    errors.StaleRevision: (409, "Conflict"),
    errors.ApplyConflict: (409, "Conflict"),
    errors.RangeMismatch: (409, "Conflict"),
    errors.UploadBusy: (409, "Conflict"),
    errors.BlobInUse: (409, "Conflict"),
    errors.ImageInUse: (409, "Conflict"),
    errors.RangeUnsatisfiable: (400, "BadRequest"),
    errors.Expired: (410, "Expired"),
    errors.Unauthenticated: (401, "Unauthorized"),
    errors.CredentialsRejected: (401, "Unauthorized"),
    errors.ScopeMissing: (401, "Unauthorized"),
    errors.Denied: (403, "Forbidden"),
    errors.QuotaExceeded: (403, "Forbidden"),
    errors.LoginRefused: (403, "Forbidden"),
    errors.GrantRefused: (400, "BadRequest"),
    errors.TooLarge: (413, "RequestEntityTooLarge"),
    errors.TooMany: (429, "TooManyRequests"),
    errors.TooSlow: (408, "Timeout"),
    errors.TimedOut: (504, "Timeout"),
    errors.MethodUnsupported: (405, "MethodNotAllowed"),
    errors.Unsupported: (415, "UnsupportedMediaType"),
    errors.NotAcceptable: (406, "NotAcceptable"),
    errors.Unavailable: (503, "ServiceUnavailable"),
    errors.FutureRevision: (504, "Timeout"),
    errors.StorageFull: (507, "ServiceUnavailable"),
    errors.StorageReadOnly: (503, "ServiceUnavailable"),
    errors.StorageFailed: (503, "ServiceUnavailable"),
    errors.MetadataFailed: (503, "ServiceUnavailable"),
    errors.ProviderFailed: (503, "ServiceUnavailable"),
    errors.RemoteFailed: (503, "ServiceUnavailable"),
}


def render_error(error: DomainError, request: Request | None) -> Response:  # noqa: ARG001
    """Return the `Status` of an error."""
    code, _ = find_row(TABLE, error, unknown="InternalError")
    response = json_response(status_document(error), status=code)
    response.headers |= common_headers(error)
    if isinstance(error, errors.Unauthenticated):
        response.headers["WWW-Authenticate"] = 'Bearer realm="atomic-registry"'
    return response


def status_document(error: DomainError) -> Document:
    """Return what tells of an error, also within a stream whose status is sent."""
    code, reason = find_row(TABLE, error, unknown="InternalError")
    return failure_document(
        code=code, reason=reason, message=error.message, details=_details(error)
    )


def render_internal(request_id: str) -> Response:
    """Return the answer for a fault of ours, which says nothing but where to look it up."""
    message = f"the registry failed; its log tells why under request id {request_id}"
    document = failure_document(
        code=500, reason="InternalError", message=message, details={"uid": request_id}
    )
    return json_response(document, status=500)


def _details(error: DomainError) -> Document:
    details: Document = {}
    match error:
        case errors.ObjectInvalid():
            causes = [
                {"reason": "FieldValueInvalid", "message": reason, "field": field}
                for field, reason in error.causes
            ]
            details = {"name": error.name, "kind": error.kind, "causes": causes}
        case errors.ApplyConflict():
            causes = [
                {
                    "reason": "FieldManagerConflict",
                    "message": f"conflict with {manager}",
                    "field": field,
                }
                for manager, field in error.conflicts
            ]
            details = {"causes": causes}
        case errors.ObjectUnknown() | errors.AlreadyExists() | errors.StaleRevision():
            details = {"name": error.name, "kind": error.kind}
        case errors.FutureRevision():
            # By this reason clients know that they have to list anew.
            cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
            details = {"causes": [cause], "retryAfterSeconds": error.retry_after_seconds}
        case errors.TooMany() | errors.Unavailable():
            details = {"retryAfterSeconds": error.retry_after_seconds}
        case _:
            pass
    return details
