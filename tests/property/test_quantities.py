"""Quantities against exact decimal arithmetic."""

from decimal import Decimal, localcontext
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from atomic_registry.kube.quantity import MAX_AMOUNT, parse_amount, parse_quantity, render_amount

SUFFIXES = {"n": -3, "u": -2, "m": -1, "": 0, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
numbers = st.from_regex(r"[+-]?[0-9]{1,12}(\.[0-9]{0,9})?", fullmatch=True)


@given(numbers, st.sampled_from([*SUFFIXES, *BINARY]))
def test_a_quantity_is_its_number_times_its_suffix(number: str, suffix: str) -> None:
    is_binary = suffix in BINARY
    factor = Fraction(1024 if is_binary else 1000) ** (BINARY if is_binary else SUFFIXES)[suffix]

    assert Fraction(Decimal(number)) * factor == parse_quantity(number + suffix)


@given(numbers, st.integers(-20, 20), st.sampled_from("eE"))
def test_an_exponent_is_a_power_of_ten(number: str, exponent: int, letter: str) -> None:
    with localcontext() as context:
        context.prec = 100
        expected = Fraction(Decimal(number).scaleb(exponent))

    assert expected == parse_quantity(f"{number}{letter}{exponent}")


@given(st.integers(0, MAX_AMOUNT), st.sampled_from(["1", "1k", "1Gi", "5E", "2e3"]))
def test_an_amount_that_is_written_is_read_as_the_same(amount: int, like: str) -> None:
    assert amount == parse_amount(render_amount(amount, like))


@given(st.text(max_size=60))
def test_no_text_is_more_than_a_refusal(text: str) -> None:
    amount = parse_amount(text)

    assert amount is None or 0 <= amount <= MAX_AMOUNT
