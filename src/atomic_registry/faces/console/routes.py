"""The rows of the console, and what its errors look like."""

from html import escape

from atomic_registry import errors
from atomic_registry.errors import DomainError
from atomic_registry.web.endpoint import Access, Endpoint
from atomic_registry.web.error_table import Row, common_headers, find_row
from atomic_registry.web.health import ProbeHandlers
from atomic_registry.web.messages import Request, Response

# Nothing here is secret, so nobody is asked who they are.
_ANYBODY = Access()
ROWS = (("GET", "/"), ("GET", "/healthz"), ("GET", "/readyz"))
TABLE: dict[type[DomainError], Row] = {
    errors.Invalid: (400, "invalid request"),
    errors.NotFound: (404, "not found"),
    errors.MethodUnsupported: (405, "method not allowed"),
    errors.TooLarge: (413, "too large"),
    errors.TooSlow: (408, "too slow"),
}
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


def endpoints(probes: ProbeHandlers, *, registry: str, master: str) -> list[Endpoint]:
    """Return the rows, for the addresses that clients know."""
    body = _page(
        "Atomic Registry",
        f"<p>Images are pushed to and pulled from <code>{escape(registry)}</code>.</p>"
        f'<p>Log in and get a token at <a href="{escape(master)}/oauth/token/request">'
        f"{escape(master)}</a>; kubectl and the command line manage projects and rights there.</p>",
    )

    async def page(_: Request) -> Response:
        return Response(status=200, headers=dict(_HEADERS), body=body)

    handlers = {"/": page, "/healthz": probes.live, "/readyz": probes.ready}
    return [Endpoint(method, path, _ANYBODY, handlers[path]) for method, path in ROWS]


def render_error(error: DomainError, _: Request | None) -> Response:
    """Return the answer for an error."""
    status, title = find_row(TABLE, error, unknown="internal error")
    body = _page(title, f"<p>{escape(error.message)}</p>")
    return Response(status=status, headers={**_HEADERS, **common_headers(error)}, body=body)


def render_internal(request_id: str) -> Response:
    """Return the answer where the fault is ours."""
    told = f"<p>The log has more under the id {escape(request_id)}.</p>"
    return Response(status=500, headers=dict(_HEADERS), body=_page("internal error", told))


def _page(title: str, content: str) -> bytes:
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
        f"<body><h1>{title}</h1>{content}</body></html>\n"
    )
    return text.encode()
