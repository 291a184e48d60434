"""Label selectors and names."""

import pytest

from atomic_registry.errors import ParameterInvalid
from atomic_registry.resources.names import dns_label_fault, label_key_fault, label_value_fault
from atomic_registry.resources.selectors import parse_label_selector

LABELS = {"app": "web", "example.com/tier": "front"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app = web , example.com/tier=front", True),
        ("app=db", False),
        ("app!=db", True),
        ("app!=web", False),
        ("none!=x", True),
        ("app", True),
        ("!app", False),
        ("!none", True),
        ("app=web,none", False),
        ("none=", False),
    ],
)
def test_a_selector_holds_when_all_its_terms_do(text: str, expected: bool) -> None:
    assert expected == parse_label_selector(text).matches(LABELS)


@pytest.mark.parametrize(
    "text", ["a in b", "a in (b", "=b", "a=b=c", "!a=b", ",", "a,", ",".join(["a"] * 51)]
)
def test_a_selector_that_we_do_not_read_is_refused(text: str) -> None:
    with pytest.raises(ParameterInvalid):
        parse_label_selector(text)


@pytest.mark.parametrize("name", ["a", "a-b", "9", "a" * 63])
def test_a_dns_label_is_a_name_of_a_project(name: str) -> None:
    assert dns_label_fault(name) is None


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a.b", "a_b", "a" * 64, "a\n", "é"])
def test_anything_else_is_none(name: str) -> None:
    assert dns_label_fault(name)


def test_keys_have_prefixes_and_values_may_be_empty() -> None:
    assert label_key_fault("example.com/tier") is None
    assert label_key_fault("/tier")
    assert label_key_fault("a/b/c")
    assert label_value_fault("") is None
    assert label_value_fault("a\n")
