"""Which pages of other origins may read answers.

Source: the Fetch standard, "HTTP-CORS protocol"; the headers are those of Kubernetes.
"""

import re
from collections.abc import Iterable

from atomic_registry.web.messages import Request, Response

_MAX_ORIGIN_LENGTH = 300
# Who lets in these lets in every page there is.
_ANYBODY = ("https://a.invalid", "http://b.invalid:8080")
_METHODS = "POST, GET, OPTIONS, PUT, DELETE, PATCH"
_HEADERS = (
    "Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token, Authorization, "
    "X-Requested-With, If-Modified-Since, Impersonate-User, Impersonate-Group, Impersonate-Uid"
)


class Cors:
    """Origins by regular expressions that are looked for in them; without any there are none.

    A browser may use the client certificate that it has, unless the expressions fit any origin.
    """

    def __init__(self, patterns: Iterable[str] = (), *, prefixes: tuple[str, ...] = ()) -> None:
        self._patterns = [re.compile(text) for text in patterns]
        self._prefixes = prefixes
        self._is_for_anybody = any(self._fits(origin) for origin in _ANYBODY)

    def answer(self, request: Request) -> Response | None:
        """Return the answer to the question of a browser whether it may ask, None if it is none."""
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        return Response(status=204) if self._origin(request) else None

    def add_headers(self, request: Request, response: Response) -> None:
        """Let the page read the answer, if its origin may; every answer says that it depends."""
        if not self._patterns or not request.path.startswith(self._prefixes):
            return
        varies = response.headers.get("Vary")
        response.headers["Vary"] = "Origin" if varies is None else f"{varies}, Origin"
        origin = self._origin(request)
        if not origin:
            return
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "Date"
        if not self._is_for_anybody:
            response.headers["Access-Control-Allow-Credentials"] = "true"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = _METHODS
            response.headers["Access-Control-Allow-Headers"] = _HEADERS

    def _origin(self, request: Request) -> str:
        """Return the origin if it may read answers of this path, else nothing."""
        origin = request.headers.get("Origin", "")
        if not self._patterns or not request.path.startswith(self._prefixes):
            return ""
        return origin if self._fits(origin) else ""

    def _fits(self, origin: str) -> bool:
        # "null" is what every sandboxed page of any site is called.
        if not 0 < len(origin) <= _MAX_ORIGIN_LENGTH or origin == "null":
            return False
        return any(pattern.search(origin) for pattern in self._patterns)
