"""Who is calling; passed explicitly to everything that decides or records."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """An authenticated caller, or the anonymous one."""

    name: str


ANONYMOUS = Actor(name="system:anonymous")
