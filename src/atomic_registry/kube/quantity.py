"""Amounts as people write them in objects: `10Gi`, `1.5G`, `500M`, `3`, `2e9`.

Source: Kubernetes API reference, "Quantity".
"""

import math
import re
from fractions import Fraction

_QUANTITY = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?"
    r"(?P<suffix>[numkMGTPE]|[KMGTPE]i|[eE](?P<exponent>[+-]?[0-9]{1,9}))?\Z"
)
_MAX_LENGTH = 40
# Powers beyond this are past the greatest amount, or less than the smallest part, all the same.
_MAX_EXPONENT = 60
MAX_AMOUNT = 2**63 - 1
"""The greatest amount; more than that counts as this."""
_DECIMAL: dict[str, Fraction] = {
    name: Fraction(1000) ** power for power, name in enumerate("num", start=-3)
} | {name: Fraction(1000) ** power for power, name in enumerate(("", "k", "M", "G", "T", "P", "E"))}
_BINARY: dict[str, Fraction] = {
    f"{name}i": Fraction(1024) ** power for power, name in enumerate("KMGTPE", start=1)
}


def parse_quantity(value: str | int) -> Fraction | None:
    """Return exactly what a quantity stands for; None if it is none."""
    text = str(value)
    found = _QUANTITY.match(text) if len(text) <= _MAX_LENGTH else None
    if found is None:
        return None
    whole, part = found["whole"], found["part"] or ""
    if not whole + part:
        return None
    number = Fraction(int(whole + part), 10 ** len(part))
    return (-number if found["sign"] == "-" else number) * _factor(found)


def parse_amount(value: str | int) -> int | None:
    """Return a quantity as a whole number, rounded up; None if it is none, or less than 0."""
    number = parse_quantity(value)
    if number is None or number < 0:
        return None
    return min(math.ceil(number), MAX_AMOUNT)


def render_amount(amount: int, like: str | int) -> str:
    """Return an amount, exactly, in units of the kind that another quantity is written in."""
    found = _QUANTITY.match(str(like))
    suffix = "" if found is None else found["suffix"] or ""
    units, base = (_BINARY, 1024) if suffix in _BINARY else (_DECIMAL, 1000)
    if not amount or not suffix or suffix not in units:
        return str(amount)
    power = 0
    while amount % base == 0 and power < len("KMGTPE"):
        amount, power = amount // base, power + 1
    names = ["", *_BINARY] if units is _BINARY else ["", *"kMGTPE"]
    return f"{amount}{names[power]}"


def _factor(found: re.Match[str]) -> Fraction:
    if found["exponent"]:
        power = max(-_MAX_EXPONENT, min(int(found["exponent"]), _MAX_EXPONENT))
        return Fraction(10) ** power
    suffix = found["suffix"] or ""
    return _BINARY.get(suffix) or _DECIMAL[suffix]
