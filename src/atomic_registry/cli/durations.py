"""Life times as people write them: 30d, 12h, 90m."""

import re
from collections.abc import Callable
from typing import TypeVar

import click

_FORM = re.compile(r"([1-9][0-9]{0,5})([mhdw])\Z")
_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
_Decorated = TypeVar("_Decorated", bound=Callable[..., object])


def parse_duration(text: str) -> int:
    """Return the seconds of a text like 30d.

    Raises:
        BadParameter: it has another form.
    """
    found = _FORM.match(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no life time; write 30d, 12h or 90m")
    return int(found[1]) * _SECONDS[found[2]]


def expires_option(default: str) -> Callable[[_Decorated], _Decorated]:
    """Return the option that says how long a token lives."""
    return click.option(
        "--expires",
        metavar="TIME",
        default=default,
        show_default=True,
        callback=lambda _context, _parameter, value: parse_duration(value),
        help="How long it lives: 30d, 12h, 90m.",
    )
