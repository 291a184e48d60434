import pytest

from atomic_registry.errors import RangeUnsatisfiable
from atomic_registry.web.ranges import if_range_matches, parse_ranges, render_multipart


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("lines=0-1", None),
        ("bytes", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=0-1;2-3", None),
        ("bytes=" + ",".join(["0-0"] * 65), None),
        ("bytes=0-0", [(0, 1)]),
        ("BYTES=0-0", [(0, 1)]),
        ("bytes=500-", [(500, 500)]),
        ("bytes=-500", [(500, 500)]),
        ("bytes=-5000", [(0, 1000)]),
        ("bytes=990-5000", [(990, 10)]),
        ("bytes=0-" + "9" * 5000, [(0, 1000)]),
        ("bytes=10-19, ,0-4", [(10, 10), (0, 5)]),
        ("bytes=0-9,5-14", [(0, 15)]),
        ("bytes=0-,0-,-1", [(0, 1000)]),
        ("bytes=500-0,1-2", [(1, 2)]),
    ],
)
def test_a_range_header_of_1000_bytes_means(
    header: str | None, expected: list[tuple[int, int]] | None
) -> None:
    assert expected == parse_ranges(header, 1000)


@pytest.mark.parametrize("header", ["bytes=500-0", "bytes=5000-10000", "bytes=1000-", "bytes=-0"])
def test_a_set_without_a_satisfiable_range_is_refused(header: str) -> None:
    with pytest.raises(RangeUnsatisfiable) as caught:
        parse_ranges(header, 1000)
    assert 1000 == caught.value.size


def test_empty_content_satisfies_no_range() -> None:
    with pytest.raises(RangeUnsatisfiable):
        parse_ranges("bytes=0-", 0)


def test_a_suffix_of_empty_content_is_the_whole() -> None:
    assert parse_ranges("bytes=-5", 0) is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, True),
        ('"a"', True),
        ('"b"', False),
        ('W/"a"', False),
        ("Sun, 06 Nov 1994 08:49:37 GMT", False),
    ],
)
def test_if_range_compares_strongly(header: str | None, expected: bool) -> None:
    assert expected == if_range_matches(header, '"a"')


def test_multipart_framing() -> None:
    prefixes, suffix = render_multipart([(0, 2), (5, 1)], 9, "text/plain", "B")
    assert [
        b"--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/9\r\n\r\n",
        b"\r\n--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 5-5/9\r\n\r\n",
    ] == prefixes
    assert b"\r\n--B--\r\n" == suffix
