"""The one place that turns domain errors into statuses and codes of OAuth 2.

Programs get JSON (RFC 6749, 5.2), browsers get a page that says the same.
"""

from atomic_registry import errors
from atomic_registry.errors import DomainError
from atomic_registry.faces.oauth.pages import Pages, render_json
from atomic_registry.web.error_table import Row, common_headers, find_row
from atomic_registry.web.messages import Request, Response

_JSON_PATHS = (
    "/oauth/token",
    "/oauth/revoke",
    "/oauth/info",
    "/oauth/device_authorization",
)

# The most specific class decides; every leaf of the tree has a row here or above it.
TABLE: dict[type[DomainError], Row] = {
    errors.Invalid: (400, "invalid_request"),
    errors.MissingReference: (400, "invalid_request"),
    errors.NotFound: (404, "invalid_request"),
    errors.Conflict: (409, "invalid_request"),
    errors.RangeUnsatisfiable: (416, "invalid_request"),
    errors.Expired: (410, "invalid_request"),
    errors.Unauthenticated: (401, "invalid_token"),
    errors.Denied: (403, "access_denied"),
    errors.QuotaExceeded: (403, "access_denied"),
    errors.LoginRefused: (403, "access_denied"),
    errors.GrantRefused: (400, "invalid_request"),
    errors.TooLarge: (413, "invalid_request"),
    errors.TooMany: (429, "temporarily_unavailable"),
    errors.TooSlow: (408, "invalid_request"),
    errors.TimedOut: (504, "temporarily_unavailable"),
    errors.MethodUnsupported: (405, "invalid_request"),
    errors.Unsupported: (415, "invalid_request"),
    errors.NotAcceptable: (406, "invalid_request"),
    errors.StorageFull: (507, "temporarily_unavailable"),
    errors.Unavailable: (503, "temporarily_unavailable"),
}


class OAuthErrors:
    """Renders errors as the caller can read them."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def render_error(self, error: DomainError, request: Request | None) -> Response:
        """Return the answer for an error."""
        status, code = find_row(TABLE, error, unknown="server_error")
        if isinstance(error, errors.GrantRefused):
            code = error.code
            status = 401 if code == "invalid_client" else status
        if request is None or request.path in _JSON_PATHS or ".well-known" in request.path:
            response = render_json(
                {"error": code, "error_description": error.message}, status=status
            )
        else:
            values = {"code": _page_code(error, code), "message": error.message}
            response = self._pages.render("error.html", values, status=status)
        _add_headers(response, error, request)
        return response

    def render_internal(self, request_id: str) -> Response:
        """Return the answer for a fault of ours, which says nothing but where to look it up."""
        message = f"the server failed; its log tells why under request id {request_id}"
        values = {"code": "server_error", "message": message}
        return self._pages.render("error.html", values, status=500)


def _add_headers(response: Response, error: DomainError, request: Request | None) -> None:
    response.headers |= common_headers(error)
    match error:
        case errors.Unauthenticated():
            response.headers["WWW-Authenticate"] = 'Bearer realm="openshift"'
        case errors.GrantRefused() if error.code == "invalid_client":
            if request is not None and "Authorization" in request.headers:
                response.headers["WWW-Authenticate"] = 'Basic realm="openshift"'
        case _:
            pass


def _page_code(error: DomainError, code: str) -> str:
    return error.code if isinstance(error, errors.LoginRefused) else code
