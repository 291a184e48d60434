"""Grammars of names, tags and digests, against patterns written from the specification anew."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from atomic_registry.errors import DigestInvalid, DomainError, NameInvalid, TagInvalid
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import RepositoryName, Tag, parse_reference

_WORD = st.text("abcz019", min_size=1, max_size=8)
_JOINT = st.sampled_from([".", "_", "__", "-", "--", "-----"])


@st.composite
def components(draw: st.DrawFn) -> str:
    words = draw(st.lists(_WORD, min_size=1, max_size=4))
    return words[0] + "".join(draw(_JOINT) + word for word in words[1:])


NAMES = (
    st.lists(components(), min_size=2, max_size=5).map("/".join).filter(lambda it: len(it) < 256)
)
TAGS = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", fullmatch=True)
CONTENTS = st.binary(max_size=200)
ALGORITHMS = st.sampled_from(["sha256", "sha512"])


@given(NAMES)
def test_a_name_survives_parsing(text: str) -> None:
    name = RepositoryName.parse(text)
    assert text == str(name)
    assert name.project == text.split("/", maxsplit=1)[0]


@given(NAMES, st.sampled_from([" ", "\n", "A", "%", "\0", "é", "..", "//", "/", "/../", "_/"]))
def test_a_name_with_something_foreign_is_refused(text: str, foreign: str) -> None:
    with pytest.raises(NameInvalid):
        RepositoryName.parse(text + foreign)
    with pytest.raises(NameInvalid):
        RepositoryName.parse(foreign + text)


@given(components())
def test_one_component_alone_is_refused_with_advice(text: str) -> None:
    with pytest.raises(NameInvalid, match="push to <project>/"):
        RepositoryName.parse(text)


@pytest.mark.parametrize(("length", "is_good"), [(255, True), (256, False)])
def test_a_name_has_255_characters_at_most(length: int, *, is_good: bool) -> None:
    text = "a/" + "b" * (length - 2)
    if is_good:
        assert text == str(RepositoryName.parse(text))
        return
    with pytest.raises(NameInvalid, match="255"):
        RepositoryName.parse(text)


@given(TAGS)
def test_a_tag_survives_parsing(text: str) -> None:
    assert text == str(Tag.parse(text))
    assert Tag(text) == parse_reference(text)


@given(st.text(max_size=140))
def test_text_is_a_tag_exactly_when_the_specification_says_so(text: str) -> None:
    if re.fullmatch(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", text):
        assert text == Tag.parse(text).value
        return
    with pytest.raises(TagInvalid):
        Tag.parse(text)


@given(CONTENTS, ALGORITHMS)
def test_a_digest_survives_parsing(content: bytes, algorithm: str) -> None:
    digest = Digest.of(content, algorithm)
    assert digest == Digest.parse(str(digest))
    assert digest == parse_reference(str(digest))


@given(CONTENTS, ALGORITHMS, st.data())
def test_a_digest_with_one_character_changed_in_kind_is_refused(
    content: bytes, algorithm: str, data: st.DataObject
) -> None:
    text = str(Digest.of(content, algorithm))
    start = len(algorithm) + 1
    at = data.draw(st.integers(start, len(text) - 1))
    foreign = data.draw(st.sampled_from("ABCDEFgz/.%\n \0"))
    for broken in (text[:at] + foreign + text[at + 1 :], text[:-1], text + "0", text.upper()):
        with pytest.raises(DigestInvalid):
            Digest.parse(broken)


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_refused_in_the_domains_words(text: str) -> None:
    for parse in (RepositoryName.parse, Digest.parse, Tag.parse, parse_reference):
        try:
            parsed = parse(text)
        except DomainError:
            continue
        assert text == str(parsed)


@given(CONTENTS, CONTENTS)
def test_different_bytes_have_different_digests(one: bytes, other: bytes) -> None:
    assume(one != other)
    assert Digest.of(one) != Digest.of(other)
