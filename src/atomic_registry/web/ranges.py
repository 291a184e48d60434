"""Byte ranges of a request, and the response that serves them (RFC 9110, section 14)."""

import re
from collections.abc import Mapping, Sequence

from atomic_registry.errors import RangeUnsatisfiable
from atomic_registry.web.messages import Response, Slice, Source, SourceBody

# More ranges than any client needs; each costs a part header and a read.
_MAX_RANGES = 64
_SPEC = re.compile(r"([0-9]*)-([0-9]*)\Z")

Range = tuple[int, int]


def parse_ranges(header: str | None, size: int) -> list[Range] | None:
    """Return the (start, length) pairs to serve, or None to serve the whole.

    The whole is served where RFC 9110 has the field ignored: it is absent, of another unit,
    malformed, or asks for too many ranges. Overlapping ranges are merged, so that never more
    than the content is sent.

    Raises:
        RangeUnsatisfiable: no range of the set lies within the content.
    """
    unit, equals, rest = (header or "").partition("=")
    if unit.strip().lower() != "bytes" or not equals:
        return None
    # An empty element of a list is no element (RFC 9110, section 5.6.1.2).
    specs = [spec for spec in (part.strip(" \t") for part in rest.split(",")) if spec]
    if not specs or len(specs) > _MAX_RANGES:
        return None
    ranges: list[Range] = []
    for spec in specs:
        match = _SPEC.match(spec)
        if match is None or spec == "-":
            return None
        found = _resolve(match[1], match[2], size)
        if found is not None:
            ranges.append(found)
    if not ranges:
        raise RangeUnsatisfiable(size=size)
    if size == 0:
        # Only a suffix range is satisfied by nothing, and Content-Range cannot express it.
        return None
    return _merge(ranges)


def _resolve(first: str, last: str, size: int) -> Range | None:
    """Return the part of the content that a range names, or None if there is none.

    An inverted range is treated as unsatisfiable, not as malformed: the conformance tests of
    the distribution specification demand 416 for it.
    """
    if not first:
        length = min(_number(last), size)
        return (size - length, length) if _number(last) else None
    start = _number(first)
    end = min(_number(last) + 1, size) if last else size
    return (start, end - start) if start < end else None


def _number(digits: str) -> int:
    # 20 digits exceed every size; int() refuses thousands of them.
    return int(digits.lstrip("0")[:20] or "0")


def _merge(ranges: list[Range]) -> list[Range]:
    """Merge the ranges if any overlap; otherwise keep the order in which they were asked for."""
    merged: list[Range] = []
    overlapping = False
    for start, length in sorted(ranges):
        if merged and start <= merged[-1][0] + merged[-1][1]:
            before, held = merged[-1]
            overlapping = overlapping or start < before + held
            merged[-1] = (before, max(held, start + length - before))
        else:
            merged.append((start, length))
    return merged if overlapping else ranges


def if_range_matches(header: str | None, etag: str) -> bool:
    """Tell whether the ranges apply: the field is absent, or strongly equals the entity tag.

    A date never matches, since content is known by its digest and not by its age.
    """
    return header is None or (header.strip(" \t") == etag and etag.startswith('"'))


def render_multipart(
    ranges: Sequence[Range], size: int, content_type: str, boundary: str
) -> tuple[list[bytes], bytes]:
    """Return what stands before the bytes of each part, and what stands after the last."""
    line_end = "\r\n"
    prefixes = [
        (
            f"{line_end if index else ''}--{boundary}\r\n"
            f"Content-Type: {content_type}\r\n"
            f"Content-Range: {_content_range(each, size)}\r\n\r\n"
        ).encode("latin-1")
        for index, each in enumerate(ranges)
    ]
    return prefixes, f"\r\n--{boundary}--\r\n".encode("latin-1")


def blob_response(
    source: Source,
    size: int,
    *,
    request_headers: Mapping[str, str],
    headers: Mapping[str, str],
    boundary: str,
) -> Response:
    """Return the answer to a GET of the source: whole, one range, or several.

    `headers` are those of the whole; its `ETag` and `Content-Type` are used. `boundary` must
    be random. The source is closed if this raises, and otherwise the server's to close.

    Raises:
        RangeUnsatisfiable: no requested range lies within the content.
    """
    ranges = None
    if if_range_matches(request_headers.get("If-Range"), headers.get("ETag", "")):
        try:
            ranges = parse_ranges(request_headers.get("Range"), size)
        except RangeUnsatisfiable:
            source.close()
            raise
    answer = {**headers, "Accept-Ranges": "bytes"}
    if ranges is None:
        whole = SourceBody(source=source, slices=(Slice(0, size),))
        return Response(status=200, headers=answer, body=whole)
    if len(ranges) == 1:
        answer["Content-Range"] = _content_range(ranges[0], size)
        part = SourceBody(source=source, slices=(Slice(*ranges[0]),))
        return Response(status=206, headers=answer, body=part)
    content_type = headers.get("Content-Type", "application/octet-stream")
    prefixes, suffix = render_multipart(ranges, size, content_type, boundary)
    slices = tuple(
        Slice(start, length, prefix)
        for (start, length), prefix in zip(ranges, prefixes, strict=True)
    )
    answer["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
    parts = SourceBody(source=source, slices=slices, suffix=suffix)
    return Response(status=206, headers=answer, body=parts)


def _content_range(each: Range, size: int) -> str:
    start, length = each
    return f"bytes {start}-{start + length - 1}/{size}"
