"""Repository names, tags and references."""

import pytest

from atomic_registry.errors import DigestInvalid, NameInvalid, TagInvalid
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import RepositoryName, Tag, parse_reference


@pytest.mark.parametrize("text", ["demo/hello", "a/b/c", "a.b/c__d/e---f", "0/0"])
def test_good_names_are_kept_as_they_are(text: str) -> None:
    assert text == str(RepositoryName.parse(text))


@pytest.mark.parametrize(
    "text",
    ["", "/", "a/", "/a", "a//b", "A/b", "a/b_", "a/_b", "a/b..c", "a/b___c", "a/../b", "a/b\n"],
)
def test_bad_names_are_refused(text: str) -> None:
    with pytest.raises(NameInvalid):
        RepositoryName.parse(text)


def test_a_name_without_a_project_is_explained() -> None:
    with pytest.raises(NameInvalid, match="push to <project>/hello"):
        RepositoryName.parse("hello")


def test_a_tag_has_128_characters_at_most() -> None:
    assert Tag.parse("a" * 128).value == "a" * 128
    with pytest.raises(TagInvalid):
        Tag.parse("a" * 129)


@pytest.mark.parametrize("text", ["", ".a", "-a", "a/b", "a b", "a\n", "é"])
def test_bad_tags_are_refused(text: str) -> None:
    with pytest.raises(TagInvalid):
        Tag.parse(text)


def test_a_reference_with_a_colon_is_a_digest_or_nothing() -> None:
    digest = Digest.of(b"x")
    assert digest == parse_reference(str(digest))
    assert Tag("latest") == parse_reference("latest")
    with pytest.raises(DigestInvalid):
        parse_reference("sha256:latest")
