"""Which `If-None-Match` headers spare a client the content that it holds."""

import pytest

from atomic_registry.web.conditional import client_holds


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ('"b"', False),
        ("a", False),
        ("", False),
    ],
)
def test_the_header_names_the_tag(header: str | None, expected: bool) -> None:
    assert expected == client_holds(header, '"a"')
