"""HTML pages, answers in JSON, and forms: with the headers that keep other sites out of them."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from atomic_registry.errors import ParameterInvalid, TooLarge, Unsupported
from atomic_registry.faces.oauth.options import OAuthOptions
from atomic_registry.web.messages import Query, Request, Response
from atomic_registry.web.target import read_target

_MAX_FORM_BYTES = 65_536
_MAX_THEN_LENGTH = 3000
# A slash that no other one follows, then visible ASCII without the backslash, which browsers
# read as a slash.
_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]*\Z")
_FORM_TYPE = "application/x-www-form-urlencoded"
_NO_STORE = {
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_TEMPLATES = {"login": "login.html", "providerSelection": "selection.html", "error": "error.html"}
STYLE = (
    b"body{font:16px/1.5 sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem;color:#151515}"
    b"label{display:block;margin:.75rem 0}input[type=text],input[type=password]{display:block;"
    b"width:100%;padding:.4rem;font:inherit;box-sizing:border-box}button{padding:.4rem 1.2rem;"
    b"font:inherit;margin:.5rem .5rem 0 0}.error{color:#a30000;font-weight:bold}"
    b"code,pre{background:#f0f0f0;padding:.2rem;overflow-wrap:anywhere;white-space:pre-wrap}"
)


class Pages:
    """Renders the pages; files of the administrator's replace some of them.

    Raises on construction:
        OSError: such a file cannot be read.
        jinja2.TemplateSyntaxError: it is not well formed.
    """

    def __init__(self, options: OAuthOptions) -> None:
        unknown = set(options.templates) - set(_TEMPLATES)
        if unknown:
            raise ValueError(f"there is no page {sorted(unknown)} to replace: use {[*_TEMPLATES]}")
        environment = Environment(
            loader=PackageLoader("atomic_registry.faces.oauth"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
        )
        own = {
            _TEMPLATES[key]: environment.from_string(path.read_text())
            for key, path in options.templates.items()
        }
        names = environment.list_templates(extensions=["html"])
        self._templates = {name: own.get(name) or environment.get_template(name) for name in names}

    def render(
        self,
        name: str,
        values: Mapping[str, object],
        *,
        status: int = 200,
        form_targets: Sequence[str] = (),
    ) -> Response:
        """Return a page; its forms may lead to this server and on to `form_targets` only."""
        body = self._templates[name].render(values).encode()
        return Response(status=status, headers=_page_headers(form_targets), body=body)


def render_json(value: object, *, status: int = 200) -> Response:
    """Return a JSON answer that no cache keeps."""
    headers = {"Content-Type": "application/json", **_NO_STORE}
    return Response(status=status, headers=headers, body=msgspec.json.encode(value))


def redirect(location: str, *, cookie: str | None = None) -> Response:
    """Return a redirect that the client follows with GET."""
    headers = {"Location": location, **_NO_STORE}
    if cookie is not None:
        headers["Set-Cookie"] = cookie
    return Response(status=302, headers=headers)


def set_cookie(response: Response, cookie: str) -> Response:
    """Return the answer with the session's cookie."""
    response.headers["Set-Cookie"] = cookie
    return response


def with_parameters(path: str, **values: str) -> str:
    """Return a path with a query."""
    return f"{path}?{urlencode(values)}"


def local_path(text: str) -> str:
    """Return where to go on, if it leads nowhere but to this server.

    Raises:
        ParameterInvalid: browsers could read it as the address of another one.
    """
    path = re.split(r"[?#]", text, maxsplit=1)[0].lower().replace("%2e", ".")
    is_plain = len(text) <= _MAX_THEN_LENGTH and _LOCAL.match(text) is not None
    has_dots = any(segment in {".", ".."} for segment in path.split("/"))
    if not is_plain or has_dots or any(it in path for it in ("//", "%2f", "%5c")):
        raise ParameterInvalid(
            parameter="then", value=text, reason="it must be a path on this server"
        )
    return text


async def read_form(request: Request) -> Query:
    """Return the fields of a form.

    Raises:
        Unsupported: the body is no form.
        TooLarge, ParameterInvalid: it is too long, or cannot be decoded.
    """
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != _FORM_TYPE:
        raise Unsupported(what="this type of content", hint=f"send {_FORM_TYPE}")
    content = bytearray()
    async for chunk in request.body:
        content += chunk
        if len(content) > _MAX_FORM_BYTES:
            raise TooLarge(what="the form", limit=_MAX_FORM_BYTES)
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError as error:
        raise ParameterInvalid(parameter="form", value="", reason="it is not ASCII") from error
    return read_target(f"/?{text}")[1]


def _page_headers(form_targets: Sequence[str]) -> dict[str, str]:
    # Browsers hold the redirects that answer a form to form-action as well, and so the way back
    # to the client must be in it.
    targets = " ".join(["'self'", *form_targets])
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action {targets}"
    )
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "X-Frame-Options": "DENY",
        **_NO_STORE,
    }
