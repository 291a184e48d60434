"""Label selectors choose what a plain model of them chooses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomic_registry.errors import ParameterInvalid
from atomic_registry.resources.selectors import parse_label_selector

KEYS = st.sampled_from(["a", "b", "in", "notin", "example.com/c-d"])
VALUES = st.sampled_from(["", "x", "y", "in", "1.0-z_"])
LABELS = st.dictionaries(KEYS, VALUES)
SPACE = st.sampled_from(["", " ", "  "])
Term = tuple[str, str, list[str]]


@st.composite
def terms(draw: st.DrawFn) -> Term:
    operator = draw(st.sampled_from(["=", "==", "!=", "in", "notin", "exists", "absent"]))
    most = 3 if "in" in operator else 1
    return draw(KEYS), operator, draw(st.lists(VALUES, min_size=1, max_size=most))


def written(term: Term, space: str) -> str:
    key, operator, values = term
    match operator:
        case "exists":
            return f"{space}{key}{space}"
        case "absent":
            return f"{space}!{space}{key}"
        case "in" | "notin":
            between = f"{space},{space}"
            return f"{key} {operator}{space}({space}{between.join(values)}{space}){space}"
        case _:
            return f"{space}{key}{space}{operator}{space}{values[0]}{space}"


def holds(term: Term, labels: dict[str, str]) -> bool:
    key, operator, values = term
    match operator:
        case "exists":
            return key in labels
        case "absent":
            return key not in labels
        case "!=" | "notin":
            return key not in labels or labels[key] not in values
        case _:
            return key in labels and labels[key] in values


@given(st.lists(terms(), max_size=4), LABELS, SPACE)
def test_a_selector_chooses_what_each_of_its_terms_does(
    chosen: list[Term], labels: dict[str, str], space: str
) -> None:
    text = ",".join(written(term, space) for term in chosen)

    expected = all(holds(term, labels) for term in chosen)

    assert expected == parse_label_selector(text).matches(labels)


@pytest.mark.parametrize(
    "text",
    ["a in", "a in ()b", "a in (x", "a in x)", "a (x)", "!a in (x)", "!a=b", "a in (x) y", "a,,b",
     "a in ((x))", "a notin (x;y)", "=x", "a=b=c", "ain (x)", "a>1", "a" * 8193,
     "a in (" + " , " * 2000 + "x y)", "(" * 8000, "a" + " " * 8000 + "!"],
)  # fmt: skip
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(ParameterInvalid):
        parse_label_selector(text)


@given(st.text(alphabet="ab=!,() intx/.", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_label_selector(text).matches({"a": "b"})
    except ParameterInvalid:
        return
