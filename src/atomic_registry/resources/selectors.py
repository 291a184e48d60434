"""Selectors: labels `a=b`, `a!=b`, `a in (b,c)`, `a notin (b)`, `a`, `!a`; name and namespace.

Source: Kubernetes, "Labels and Selectors" and "Field Selectors". Commas stand between terms.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from atomic_registry.errors import ParameterInvalid

_MAX_TERMS = 50
_MAX_LENGTH = 8192
_MAX_SHOWN = 200
NAME_FIELD = "metadata.name"
NAMESPACE_FIELD = "metadata.namespace"
_FIELD_TERM = re.compile(r"(?P<field>[A-Za-z.]+)(?P<operator>==|=|!=)(?P<value>[^,=!]*)\Z")
_VALUE = re.compile(r"[A-Za-z0-9._-]*")
# No two parts fit the same letters: what is no term costs no more time than what is one.
_TERM = re.compile(
    r"(?P<absent>!\s*)?(?P<key>[A-Za-z0-9][A-Za-z0-9._/-]*)"
    r"(?:\s*(?P<operator>==|=|!=)\s*(?P<value>[A-Za-z0-9._-]*)"
    r"|\s+(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?\Z"
)
_MARK = re.compile("[(),]")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSelector:
    """Every term must hold; none holds for all."""

    terms: tuple[Callable[[Mapping[str, str]], bool], ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels satisfy every term."""
        return all(term(labels) for term in self.terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSelector:
    """Every term must hold: (field, whether it must be equal, value)."""

    terms: tuple[tuple[str, bool, str], ...] = ()

    def matches(
        self, namespace: str, name: str, document: Mapping[str, object] | None = None
    ) -> bool:
        """Tell whether an object of this place satisfies every term.

        The document is looked into where the kind can be selected by more than its place.
        """
        values = {NAME_FIELD: name, NAMESPACE_FIELD: namespace}
        return all(
            (values.get(field, _text_at(document or {}, field)) == value) == equal
            for field, equal, value in self.terms
        )

    @property
    def looks_inside(self) -> bool:
        """Whether it asks for more than name and namespace."""
        return any(field not in {NAME_FIELD, NAMESPACE_FIELD} for field, _, _ in self.terms)

    @property
    def name(self) -> str:
        """The only name that satisfies it, or empty."""
        names = (value for field, equal, value in self.terms if equal and field == NAME_FIELD)
        return next(names, "")


def parse_field_selector(text: str, others: Collection[str] = ()) -> FieldSelector:
    """Return the selector that the text stands for; `others` are fields beside those of the place.

    Raises:
        ParameterInvalid: it names fields that are not selected by, or has too many terms.
    """
    known = (NAME_FIELD, NAMESPACE_FIELD, *others)
    parts = [part.strip() for part in text.split(",") if part.strip()]
    found = [_FIELD_TERM.match(part) for part in parts[:_MAX_TERMS]]
    if len(parts) > _MAX_TERMS or any(it is None or it["field"] not in known for it in found):
        fields = f"{', '.join(known[:-1])} and {known[-1]}"
        reason = f"write field=value or field!=value with commas; the fields are {fields}"
        raise ParameterInvalid(parameter="fieldSelector", value=text, reason=reason)
    return FieldSelector(
        terms=tuple((it["field"], it["operator"] != "!=", it["value"]) for it in found if it)
    )


def _text_at(document: Mapping[str, object], field: str) -> str:
    """Return the text at a path, empty where nothing stands; of the source it is the component."""
    value: object = document
    for step in field.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping):
        value = value.get("component")
    return "" if value is None else str(value)


def parse_label_selector(text: str) -> LabelSelector:
    """Return the selector that the text stands for.

    Raises:
        ParameterInvalid: it breaks the grammar or has too many terms.
    """
    if len(text) > _MAX_LENGTH:
        raise _invalid(text[:_MAX_SHOWN], f"it is longer than {_MAX_LENGTH} characters")
    parts = [part.strip() for part in _split(text)] if text.strip() else []
    if len(parts) > _MAX_TERMS:
        raise _invalid(text, f"it has more than {_MAX_TERMS} terms")
    return LabelSelector(terms=tuple(_parse_term(text, part) for part in parts))


def _split(text: str) -> Iterator[str]:
    """Yield the terms: a comma within parentheses stands between the values of one."""
    start, is_inside = 0, False
    for mark in _MARK.finditer(text):
        if mark[0] != ",":
            is_inside = mark[0] == "("
        elif not is_inside:
            yield text[start : mark.start()]
            start = mark.end()
    yield text[start:]


def _parse_term(text: str, part: str) -> Callable[[Mapping[str, str]], bool]:
    found = _TERM.match(part)
    if found is None or (found["absent"] and (found["operator"] or found["set"])):
        forms = "key=value, key!=value, key in (a,b), key notin (a,b), key or !key"
        raise _invalid(text, f"write terms as {forms}, with commas")
    key, operator = found["key"], found["operator"]
    if operator is None and found["set"] is None:
        wanted = not found["absent"]
        return lambda labels: (key in labels) == wanted
    if found["set"] is None:
        values = frozenset({found["value"]})
    else:
        values = frozenset(value.strip() for value in found["values"].split(","))
        if not all(map(_VALUE.fullmatch, values)):
            raise _invalid(text, "values are letters, digits, dots, dashes and underscores")
    if operator == "!=" or found["set"] == "notin":
        # An object without the label has none of the values.
        return lambda labels: labels.get(key) not in values
    return lambda labels: labels.get(key) in values


def _invalid(text: str, reason: str) -> ParameterInvalid:
    return ParameterInvalid(parameter="labelSelector", value=text, reason=reason)
