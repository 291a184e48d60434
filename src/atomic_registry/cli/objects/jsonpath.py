"""Templates of JSONPath in kubectl's dialect: read once, then filled in with documents.

Known are text, quoted text, fields, `..`, `*`, indices, slices, unions, `range` and `end`, and
filters of one comparison or of mere presence. Neither kubectl nor this knows `&&`, regular
expressions or functions.
Source: Kubernetes documentation, "JSONPath support".
"""

import re
from collections.abc import Sequence

from atomic_registry.cli.objects.jsonpath_parts import (
    Action,
    Descent,
    Field,
    Filter,
    Part,
    Path,
    Range,
    Slice,
    Step,
    TemplateInvalid,
    Text,
    Union,
)

MAX_LENGTH = 16_384
_MAX_DEPTH = 20
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_OPERATOR = re.compile(r"(==|!=|<=|>=|<|>)")
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?\Z")
_SLICE = re.compile(r"(-?[0-9]*)(?::(-?[0-9]*))?(?::(-?[0-9]*))?\Z")
_QUOTED_KEY = re.compile(r"'((?:[^'\\]|\\.)*)'\Z|\"((?:[^\"\\]|\\.)*)\"\Z")
_FIELD_ENDS = frozenset(".,[]{}$@ \t\r\n=<>!()")


def parse_template(text: str) -> Sequence[Part]:
    """Return the parts of a template.

    Raises:
        TemplateInvalid: it cannot be read.
    """
    if len(text) > MAX_LENGTH:
        raise TemplateInvalid(f"it is longer than {MAX_LENGTH} characters")
    stack: list[tuple[Path, list[Part]]] = [((), [])]
    position = 0
    while position < len(text):
        start = text.find("{", position)
        literal = text[position:] if start < 0 else text[position:start]
        if literal:
            stack[-1][1].append(Text(value=literal))
        if start < 0:
            break
        position = _close(text, start) + 1
        _enter(text[start + 1 : position - 1].strip(), stack)
    if len(stack) > 1:
        raise TemplateInvalid("a range has no {end}")
    return stack[0][1]


def parse_path(text: str) -> Path:
    """Return a path that stands by itself, such as `.metadata.name`, `metadata.name` or `{.a}`.

    Raises:
        TemplateInvalid: it cannot be read.
    """
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1].strip()
    if not inner or "{" in inner:
        raise TemplateInvalid(f"{text!r} is no path; write one like .metadata.name")
    return _Reader(inner if inner[0] in ".[$@" else f".{inner}").path()


def _enter(inner: str, stack: list[tuple[Path, list[Part]]]) -> None:
    if inner == "end":
        if len(stack) == 1:
            raise TemplateInvalid("{end} stands outside of a range")
        over, body = stack.pop()
        stack[-1][1].append(Range(over=over, body=body))
    elif re.match(r"range(?=[ \t.@$\[])", inner):
        if len(stack) > _MAX_DEPTH:
            raise TemplateInvalid(f"ranges are nested more than {_MAX_DEPTH} deep")
        stack.append((_Reader(inner[len("range") :].strip()).path(), []))
    elif inner:
        stack[-1][1].append(Action(path=_Reader(inner).path()))


def _close(text: str, start: int) -> int:
    """Return where the brace that opens at `start` is closed, past quoted ones."""
    at, quote = start + 1, ""
    while at < len(text):
        letter = text[at]
        if letter == "\\":
            at += 1
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "}":
            return at
        at += 1
    raise TemplateInvalid(f"a brace or a quotation mark is not closed: {text[start:]!r}")


class _Reader:
    """Reads what stands between braces."""

    def __init__(self, text: str, depth: int = 0) -> None:
        if depth > _MAX_DEPTH:
            raise TemplateInvalid("brackets are nested too deeply")
        self._text = text
        self._at = 0
        self._depth = depth

    def path(self) -> Path:
        steps: list[Step] = []
        while self._at < len(self._text):
            letter = self._text[self._at]
            if letter in " \t\r\n@$":
                self._at += 1
            elif letter == ".":
                steps += self._field()
            elif letter == "[":
                steps.append(self._bracket(self._inside()))
            elif letter in "'\"":
                steps.append(Text(value=_unquoted(self._quoted())))
            else:
                steps.append(self._word())
        return steps

    def _field(self) -> list[Step]:
        self._at += 1
        if self._text.startswith(".", self._at):
            self._at += 1
            name = self._name()
            return [Descent(), Field(name=name)] if name else [Descent()]
        name = self._name()
        return [Field(name=name)] if name else []

    def _name(self) -> str:
        letters = []
        while self._at < len(self._text) and self._text[self._at] not in _FIELD_ENDS:
            if self._text[self._at] == "\\":
                self._at += 1
            letters.append(self._text[self._at : self._at + 1])
            self._at += 1
        return "".join(letters)

    def _word(self) -> Text:
        word = self._name() if self._text[self._at] not in _FIELD_ENDS else self._text[self._at :]
        # A number's own dot ends a name.
        if _INTEGER.match(word) and re.match(r"\.[0-9]", self._text[self._at :]):
            self._at += 1
            word += f".{self._name()}"
        if word in {"true", "false"}:
            return Text(value=word == "true")
        if _NUMBER.match(word):
            return Text(value=int(word) if _INTEGER.match(word) else float(word))
        raise TemplateInvalid(f"{word!r} is not known here; a path begins with a dot")

    def _quoted(self) -> str:
        start, quote = self._at, self._text[self._at]
        self._at += 1
        while self._at < len(self._text) and self._text[self._at] != quote:
            self._at += 2 if self._text[self._at] == "\\" else 1
        if self._at >= len(self._text):
            raise TemplateInvalid("a quotation mark is not closed")
        self._at += 1
        return self._text[start : self._at]

    def _inside(self) -> str:
        """Return what stands in the brackets that open here."""
        start = self._at + 1
        depth = 0
        while self._at < len(self._text):
            letter = self._text[self._at]
            if letter in "'\"":
                self._quoted()
                continue
            depth += (letter == "[") - (letter == "]")
            self._at += 1
            if depth == 0:
                return self._text[start : self._at - 1].strip()
        raise TemplateInvalid("a bracket is not closed")

    def _bracket(self, inner: str) -> Step:
        if inner == "*":
            return Field(name="*")
        if inner.startswith("?(") and inner.endswith(")"):
            return self._filter(inner[2:-1])
        parts = _split(inner)
        if len(parts) > 1:
            nested = [_Reader(f"[{part}]", self._depth + 1).path() for part in parts]
            return Union(paths=nested)
        found = _QUOTED_KEY.match(inner)
        if found is not None:
            # As in kubectl, a dot in a quoted key separates keys unless a backslash is before it.
            path = _Reader(f".{found[1] or found[2] or ''}", self._depth + 1).path()
            return Union(paths=[path])
        return _slice(inner)

    def _filter(self, inner: str) -> Filter:
        at = _operator_at(inner)
        if at is None:
            return Filter(left=_Reader(inner, self._depth + 1).path())
        start, end = at
        left = _Reader(inner[:start], self._depth + 1).path()
        right = _Reader(inner[end:].strip(), self._depth + 1).path()
        if not left or not right:
            raise TemplateInvalid(f"a comparison lacks one of its sides: {inner!r}")
        return Filter(left=left, operator=inner[start:end], right=right)


def _operator_at(text: str) -> tuple[int, int] | None:
    at, quote = 0, ""
    while at < len(text):
        letter = text[at]
        if letter == "\\":
            at += 1
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        else:
            found = _OPERATOR.match(text, at)
            if found is not None:
                return found.span()
        at += 1
    return None


def _slice(inner: str) -> Slice:
    found = _SLICE.match(inner)
    if found is None or not inner:
        raise TemplateInvalid(f"[{inner}] is neither an index, a slice, a key nor a filter")
    if ":" not in inner:
        if not _INTEGER.match(inner):
            raise TemplateInvalid(f"[{inner}] is no index")
        index = int(inner)
        return Slice(start=index, stop=index + 1 if index != -1 else None, is_single=True)
    start, stop, step = (int(part) if part and part != "-" else None for part in found.groups())
    if step is not None and step <= 0:
        raise TemplateInvalid(f"[{inner}]: a step is 1 or more")
    return Slice(start=start, stop=stop, step=step or 1)


def _split(text: str) -> list[str]:
    """Return the parts between commas that are not quoted."""
    parts, quote, start = [], "", 0
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote and text[at - 1] != "\\" else quote
        elif letter in "'\"":
            quote = letter
        elif letter == ",":
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()]


def _unquoted(text: str) -> str:
    return re.sub(
        r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text[1:-1], flags=re.DOTALL
    )
