"""The target of a request line: the decoded path and the query, or a refusal.

It is decoded once, here; a path that another decoding could read differently is refused.
"""

import re
from urllib.parse import parse_qsl, unquote_to_bytes

from atomic_registry.errors import ParameterInvalid, RouteUnknown
from atomic_registry.web.messages import Query

_MAX_QUERY_FIELDS = 200
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9._~:@!$&'()*+,;=/-]*\Z")
_VISIBLE = re.compile(r"[!-~]*\Z")
_ABSOLUTE = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_NO_QUERY = Query(())


def read_target(target: str) -> tuple[str, Query]:
    """Return the decoded path and the query of a request target.

    Raises:
        RouteUnknown: the path cannot be one of ours.
        ParameterInvalid: the query cannot be decoded or has too many fields.
    """
    if not target.startswith("/"):
        absolute = _ABSOLUTE.match(target)
        if absolute is None:
            raise RouteUnknown(path=target)
        target = target[absolute.end() :]
    path, mark, text = target.partition("?")
    query = _read_query(text) if mark else _NO_QUERY
    if "/." not in path and _PLAIN_PATH.match(path):
        return path, query
    return _decode_path(path), query


def _decode_path(path: str) -> str:
    if not _VISIBLE.match(path) or "#" in path or "\\" in path or not path.startswith("/"):
        raise RouteUnknown(path=path)
    segments = []
    for raw in path.split("/"):
        try:
            segment = unquote_to_bytes(raw).decode()
        except UnicodeDecodeError as error:
            raise RouteUnknown(path=path) from error
        if segment in {".", ".."} or "/" in segment or "\\" in segment:
            raise RouteUnknown(path=path)
        if not segment.isprintable():
            raise RouteUnknown(path=path)
        segments.append(segment)
    return "/".join(segments)


def _read_query(text: str) -> Query:
    if not text:
        return _NO_QUERY
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_QUERY_FIELDS
        )
    except ValueError as error:
        reason = f"use UTF-8 and at most {_MAX_QUERY_FIELDS} fields"
        raise ParameterInvalid(parameter="query", value=text, reason=reason) from error
    for name, value in pairs:
        if not value.isprintable():
            # Databases refuse some of these characters, each in its own way.
            raise ParameterInvalid(
                parameter="query", value=name, reason="its value has characters without a shape"
            )
    return Query(pairs)
