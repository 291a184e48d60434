"""Quantities: what they stand for, and how amounts are written."""

import pytest

from atomic_registry.kube.quantity import (
    MAX_AMOUNT,
    parse_amount,
    parse_quantity,
    render_amount,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5),
        (7, 7),
        ("+3", 3),
        ("1k", 1000),
        ("2Ki", 2048),
        ("10Gi", 10 * 1024**3),
        ("1.5G", 1_500_000_000),
        ("500M", 500_000_000),
        ("2e9", 2_000_000_000),
        ("1E3", 1000),
        ("2E", 2 * 1000**6),
        ("1.", 1),
        (".5k", 500),
        ("0.5", 1),
        ("1m", 1),
        ("1500m", 2),
        ("0e999999999", 0),
        ("1e999999999", MAX_AMOUNT),
        ("1e-999999999", 1),
        ("100E", MAX_AMOUNT),
        ("", None),
        ("-1", None),
        ("Gi", None),
        (".", None),
        ("1" * 50, None),
        ("1 G", None),
        ("1\n", None),
        ("1K", None),
        ("1ki", None),
        ("1e", None),
        ("1e5Gi", None),
        ("٣", None),
        (True, None),
    ],
)
def test_an_amount_is_read_as_kubernetes_reads_it(text: str | int, number: int | None) -> None:
    assert number == parse_amount(text)


def test_a_negative_quantity_is_one_but_no_amount() -> None:
    assert -1000 == parse_quantity("-1k")


@pytest.mark.parametrize(
    ("amount", "like", "text"),
    [
        (0, "10Gi", "0"),
        (2048, "10Gi", "2Ki"),
        (5 * 1024**3, "10Mi", "5Gi"),
        (2049, "10Gi", "2049"),
        (2048, "10G", "2048"),
        (3_000_000, "1k", "3M"),
        (3000, "5000", "3000"),
        (3000, 5000, "3000"),
        (3000, "2e9", "3000"),
    ],
)
def test_an_amount_is_written_exactly_and_like_its_limit(
    amount: int, like: str | int, text: str
) -> None:
    assert text == render_amount(amount, like)
