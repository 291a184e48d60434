"""Label selectors: `a=b`, `a==b`, `a!=b`, `a`, `!a`, joined by commas.

Source: Kubernetes, "Labels and Selectors", equality-based requirements.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from atomic_registry.errors import ParameterInvalid

_MAX_TERMS = 50
_TERM = re.compile(
    r"(?P<absent>!)?\s*(?P<key>[A-Za-z0-9][A-Za-z0-9._/-]*)"
    r"(?:\s*(?P<operator>==|=|!=)\s*(?P<value>[A-Za-z0-9._-]*))?\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSelector:
    """Every term must hold; none holds for all."""

    terms: tuple[Callable[[Mapping[str, str]], bool], ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels satisfy every term."""
        return all(term(labels) for term in self.terms)


def parse_label_selector(text: str) -> LabelSelector:
    """Return the selector that the text stands for.

    Raises:
        ParameterInvalid: it breaks the grammar or has too many terms.
    """
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if len(parts) > _MAX_TERMS:
        raise _invalid(text, f"it has more than {_MAX_TERMS} terms")
    return LabelSelector(terms=tuple(_parse_term(text, part) for part in parts))


def _parse_term(text: str, part: str) -> Callable[[Mapping[str, str]], bool]:
    found = _TERM.match(part)
    if found is None or (found["absent"] and found["operator"]):
        raise _invalid(text, "write terms as key=value, key!=value, key or !key, with commas")
    key, operator, value = found["key"], found["operator"], found["value"]
    if operator is None:
        wanted = not found["absent"]
        return lambda labels: (key in labels) == wanted
    if operator == "!=":
        return lambda labels: labels.get(key) != value
    return lambda labels: labels.get(key) == value


def _invalid(text: str, reason: str) -> ParameterInvalid:
    return ParameterInvalid(parameter="labelSelector", value=text, reason=reason)
