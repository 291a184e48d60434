"""What the commands for objects read and write: YAML, tables, names of images, marks."""

from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomic_registry.cli.objects.files import read_documents
from atomic_registry.cli.objects.marks import Change, split_words
from atomic_registry.cli.objects.references import ImageName, is_elsewhere, parse_image_name
from atomic_registry.cli.objects.tables import TableWriter
from atomic_registry.cli.objects.yaml_text import TextInvalid, dump_document, parse_documents

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
_TEXTS = ["1e3", "0o17", "0x1f", "1:30", "2026-01-01", "yes", "null", "~", "1_000", ".5", "a: b"]


@given(_VALUES)
def test_what_is_written_as_yaml_is_read_back(value: object) -> None:
    document = {"value": value}
    assert [document] == list(parse_documents(dump_document(document)))


@pytest.mark.parametrize("text", _TEXTS)
def test_a_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    assert "'" in dump_document({"a": text})


def test_moments_and_odd_numbers_are_read_as_the_text_they_are() -> None:
    found = list(parse_documents("{a: 2026-01-01, b: 1:30, c: 017, d: 3, e: 1.5}"))
    assert [{"a": "2026-01-01", "b": "1:30", "c": "017", "d": 3, "e": 1.5}] == found


@pytest.mark.parametrize(
    "text", ["{a: 1, a: 2}", "a: [", "a: !!python/object:os.system x", "\x00", "[" * 1200]
)
def test_yaml_that_is_damaged_or_does_more_than_hold_values_is_refused(text: str) -> None:
    with pytest.raises(TextInvalid):
        list(parse_documents(text))


def test_a_directory_is_read_file_by_file_and_lists_are_taken_apart(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: A\n---\nkind: B\n")
    (tmp_path / "b.json").write_text('{"kind": "List", "items": [{"kind": "C"}]}')
    (tmp_path / "c.txt").write_text("not read")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "d.yml").write_text("kind: D")

    def kinds(*, is_recursive: bool) -> list[object]:
        found = read_documents([str(tmp_path)], is_recursive=is_recursive)
        return [document["kind"] for document in found]

    assert ["A", "B", "C"] == kinds(is_recursive=False)
    assert ["A", "B", "C", "D"] == kinds(is_recursive=True)


@pytest.mark.parametrize("text", ["", "just text", "- a", "a: ["])
def test_a_file_without_objects_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(click.ClickException, match=r"x\.yaml"):
        list(read_documents([str(tmp_path / "x.yaml")], is_recursive=False))


def _table(*rows: list[object]) -> dict[str, object]:
    columns = [{"name": "Name"}, {"name": "Note", "priority": 1}, {"name": "Age"}]
    return {
        "columnDefinitions": columns,
        "rows": [
            {"cells": row, "object": {"metadata": {"namespace": "demo", "labels": {"a": "b"}}}}
            for row in rows
        ],
    }


def test_columns_keep_their_width_from_page_to_page(capsys: pytest.CaptureFixture[str]) -> None:
    writer = TableWriter()
    writer.write(_table(["long-name", "x", "1s"]))
    writer.write({**_table(["b", "x", "2s"]), "columnDefinitions": []})
    assert "NAME        AGE\nlong-name   1s\nb           2s\n" == capsys.readouterr().out


def test_wide_tables_show_every_column(capsys: pytest.CaptureFixture[str]) -> None:
    writer = TableWriter(is_wide=True, with_namespace=True, with_labels=True, prefix="is/")
    writer.write(_table(["web", None, True]))
    out = capsys.readouterr().out
    assert (
        "NAMESPACE   NAME     NOTE   AGE    LABELS\ndemo        is/web          true   a=b\n" == out
    )


def test_a_cell_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    TableWriter().write(_table(["a\x1b[2Jb", "", "x\ny"]))
    out = capsys.readouterr().out
    assert "\x1b" not in out and "x..." in out


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("web:v1", ImageName(namespace="", stream="web", tag="v1")),
        ("web", ImageName(namespace="", stream="web", tag="latest")),
        ("demo/web:v1", ImageName(namespace="demo", stream="web", tag="v1")),
        ("demo/team/web:v1", ImageName(namespace="demo", stream="team~web", tag="v1")),
        ("web@sha256:1f2e", ImageName(namespace="", stream="web", digest="sha256:1f2e")),
    ],
)
def test_names_of_images_are_read_as_people_write_them(text: str, name: ImageName) -> None:
    assert name == parse_image_name(text)


@pytest.mark.parametrize("text", ["", ":v1", "demo/", "web@v1", "web:v1@sha256:1f2e", "@sha256:1f"])
def test_what_names_no_image_is_refused(text: str) -> None:
    with pytest.raises(click.UsageError):
        parse_image_name(text)


def test_an_address_begins_with_a_host() -> None:
    assert is_elsewhere("quay.io/a/b:c") and is_elsewhere("localhost/a") and is_elsewhere("h:1/a")
    assert not is_elsewhere("demo/web:v1") and not is_elsewhere("web:v1")


def test_words_before_the_first_change_name_objects() -> None:
    named, values = split_words(["is", "web", "a=b=c", "d-", "e="])
    assert (["is", "web"], {"a": "b=c", "d": None, "e": ""}) == (named, values)


@pytest.mark.parametrize("words", [["is", "web"], ["is", "a=1", "web"], ["a=1", "a-"], ["=1"]])
def test_changes_that_are_not_clear_are_refused(words: list[str]) -> None:
    with pytest.raises(click.UsageError):
        split_words(words)


def test_a_mark_is_only_overwritten_when_asked_and_only_on_what_was_read() -> None:
    item: dict[str, object] = {"metadata": {"labels": {"a": "1"}, "resourceVersion": "7"}}
    keep = Change(map_name="labels", values={"a": "2"}, overwrites=False)
    force = Change(map_name="labels", values={"a": "2", "gone": None}, overwrites=True)

    with pytest.raises(click.ClickException, match="a=1"):
        keep.patch(item)
    assert {"metadata": {"labels": {"a": "2"}, "resourceVersion": "7"}} == force.patch(item)
    assert Change(map_name="labels", values={"a": "1"}, overwrites=False).patch(item) is None
