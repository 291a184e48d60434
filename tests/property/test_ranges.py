import asyncio
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import Message
from typing import BinaryIO

from hypothesis import given
from hypothesis import strategies as st

from atomic_registry.errors import RangeUnsatisfiable
from atomic_registry.web.messages import Response, SourceBody
from atomic_registry.web.ranges import blob_response, parse_ranges

number = st.integers(0, 60)
pair = st.tuples(number, number)
spec = st.one_of(
    pair.map(lambda each: f"{each[0]}-{each[1]}"),
    number.map(lambda first: f"{first}-"),
    number.map(lambda length: f"-{length}"),
)


class BytesSource:
    file: BinaryIO | None = None

    def __init__(self, content: bytes) -> None:
        self.content = content

    async def read(self, offset: int, length: int) -> AsyncIterator[bytes]:
        yield self.content[offset : offset + length]

    def close(self) -> None:
        return None


def served(response: Response) -> bytes:
    async def collect(body: SourceBody) -> bytes:
        sent = b""
        for part in body.slices:
            sent += part.prefix
            async for piece in body.source.read(part.offset, part.length):
                sent += piece
        return sent + body.suffix

    assert isinstance(response.body, SourceBody)
    sent = asyncio.run(collect(response.body))
    assert response.body.length == len(sent)
    return sent


def naive_slice(content: bytes, text: str) -> bytes:
    first, last = text.split("-")
    if not first:
        return content[-int(last) :] if int(last) else b""
    return content[int(first) : int(last) + 1] if last else content[int(first) :]


def respond(content: bytes, header: str) -> Response:
    return blob_response(
        BytesSource(content),
        len(content),
        request_headers={"Range": header},
        headers={},
        boundary="XYZ",
    )


@given(st.binary(min_size=1, max_size=50), spec)
def test_one_range_serves_the_bytes_that_slicing_gives(content: bytes, text: str) -> None:
    expected = naive_slice(content, text)
    try:
        response = respond(content, f"bytes={text}")
    except RangeUnsatisfiable:
        assert b"" == expected
    else:
        assert 206 == response.status
        assert expected == served(response)


@given(st.binary(min_size=1, max_size=50), st.lists(spec, min_size=2, max_size=6))
def test_several_ranges_serve_every_byte_asked_for_and_no_other(
    content: bytes, texts: list[str]
) -> None:
    marks = bytes(range(len(content)))
    expected = {byte for text in texts for byte in naive_slice(marks, text)}
    try:
        ranges = parse_ranges("bytes=" + ", ".join(texts), len(content))
    except RangeUnsatisfiable:
        assert set() == expected
        return
    assert ranges is not None
    positions = [at for start, length in ranges for at in range(start, start + length)]
    assert expected == set(positions)
    assert len(expected) == len(positions)


@given(st.lists(st.tuples(number, st.integers(1, 9)), min_size=2, max_size=6))
def test_parts_of_a_multipart_answer_hold_the_bytes_their_headers_name(
    pairs: list[tuple[int, int]],
) -> None:
    content = bytes(range(97, 123)) * 3
    header = "bytes=" + ",".join(f"{start}-{start + length}" for start, length in pairs)
    response = respond(content, header)
    body = served(response)
    if not response.headers.get("Content-Type", "").startswith("multipart/"):
        return
    head = f"Content-Type: {response.headers['Content-Type']}\r\n\r\n".encode()
    parts = message_from_bytes(head + body).get_payload()
    assert isinstance(parts, list)
    for part in parts:
        assert isinstance(part, Message)
        first, last = part["Content-Range"].removeprefix("bytes ").split("/")[0].split("-")
        assert content[int(first) : int(last) + 1] == part.get_payload(decode=True)


@given(st.text(max_size=40), st.integers(0, 100))
def test_no_header_breaks_the_parser_or_serves_more_than_the_content(text: str, size: int) -> None:
    for header in (text, "bytes=" + text):
        try:
            ranges = parse_ranges(header, size) or []
        except RangeUnsatisfiable:
            continue
        assert sum(length for _, length in ranges) <= size
