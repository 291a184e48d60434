"""Tables: cells, ages, what stands beside the cells."""

from datetime import UTC, datetime, timedelta

import pytest

from atomic_registry.kube.table import (
    DATE,
    WIDE,
    Column,
    age,
    partial_metadata_list,
    render_table,
)

NOW = datetime(2026, 1, 10, tzinfo=UTC)
COLUMNS = (
    Column(name="Name", cell=lambda it: it["name"]),
    Column(name="Age", type=DATE, cell=lambda it: it.get("made"), priority=WIDE),
)
ITEM = {"name": "a", "made": "2026-01-09T23:59:00Z", "metadata": {"name": "a"}, "data": 1}


@pytest.mark.parametrize(
    ("ago", "shown"),
    [
        (timedelta(seconds=0), "0s"),
        (timedelta(seconds=119), "119s"),
        (timedelta(minutes=2), "2m"),
        (timedelta(minutes=3, seconds=5), "3m5s"),
        (timedelta(minutes=30), "30m"),
        (timedelta(hours=5, minutes=1), "5h1m"),
        (timedelta(hours=9), "9h"),
        (timedelta(days=3, hours=4), "3d4h"),
        (timedelta(days=30), "30d"),
        (timedelta(days=1000), "2y270d"),
        (timedelta(days=4000), "10y"),
        (timedelta(seconds=-30), "<invalid>"),
    ],
)
def test_an_age_has_the_units_that_matter(ago: timedelta, shown: str) -> None:
    assert shown == age((NOW - ago).isoformat(), NOW)


@pytest.mark.parametrize("moment", [None, "", "yesterday", 5])
def test_what_is_no_time_has_no_age(moment: object) -> None:
    assert "<unknown>" == age(moment, NOW)


def test_a_list_becomes_rows_and_keeps_its_place_in_pages() -> None:
    document: dict[str, object] = {
        "kind": "ThingList",
        "metadata": {"resourceVersion": "7", "continue": "next"},
        "items": [ITEM],
    }

    table = render_table(COLUMNS, document, NOW)

    assert ("Table", "meta.k8s.io/v1") == (table["kind"], table["apiVersion"])
    assert {"resourceVersion": "7", "continue": "next"} == table["metadata"]
    bare = {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"name": "a"},
    }
    assert [{"cells": ["a", "60s"], "object": bare}] == table["rows"]
    definitions = table["columnDefinitions"]
    assert isinstance(definitions, list)
    assert [("Name", "string", 0), ("Age", "string", 1)] == [
        (it["name"], it["type"], it["priority"]) for it in definitions
    ]


@pytest.mark.parametrize(("include", "beside"), [("None", None), ("Object", ITEM)])
def test_one_object_is_one_row_with_what_was_asked_beside_it(include: str, beside: object) -> None:
    rows = render_table(COLUMNS, {"kind": "Thing", **ITEM}, NOW, include=include)["rows"]

    assert isinstance(rows, list)
    (row,) = rows
    assert (beside is None) == ("object" not in row)
    if beside is not None:
        assert {"kind": "Thing", **ITEM} == row["object"]


def test_a_list_of_metadata_has_nothing_else() -> None:
    bare = partial_metadata_list({"kind": "ThingList", "metadata": {}, "items": [ITEM]})

    assert "PartialObjectMetadataList" == bare["kind"]
    assert "'data'" not in str(bare)
