"""Pages go on where the one before ended, by an index: the last one is as quick as the first."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event
from tests.kit.clock import ManualClock

from atomic_registry.identity.records import RoleBinding
from atomic_registry.store.metadata import prepare_metadata
from atomic_registry.store.metadata.sqlite_connection import Session, insert_if_absent
from atomic_registry.store.metadata.transaction import SqlTransaction

Read = Callable[[SqlTransaction], object]
DIGEST = f"sha256:{'a' * 64}"
# What is read, and the bounds that the search of its index must have.
PAGES: dict[str, tuple[Read, str]] = {
    "streams of a project": (
        lambda tx: tx.streams.list_streams(project="demo", after="demo/app", limit=500),
        "(name>? AND name<?)",
    ),
    "streams of all": (
        lambda tx: tx.streams.list_streams(project=None, after="demo/app", limit=500),
        "(name>?)",
    ),
    "tags of streams": (
        lambda tx: tx.streams.list_tags([1, 2, 3], limit=500),
        "(repository_id=?)",
    ),
    "tags of a project": (
        lambda tx: tx.streams.list_tagged(project="demo", after=("demo/app", "v1"), limit=500),
        "(name>? AND name<?)",
    ),
    "tags of all": (
        lambda tx: tx.streams.list_tagged(project=None, after=("demo/app", "v1"), limit=500),
        "(name>?)",
    ),
    "images": (lambda tx: tx.streams.list_images(after=DIGEST, limit=500), "(digest>?)"),
    "objects of a project": (
        lambda tx: tx.objects.list(RoleBinding, namespace="demo", after=("demo", "a"), limit=500),
        "(kind=? AND namespace=? AND name>?)",
    ),
    "objects of all": (
        lambda tx: tx.objects.list(RoleBinding, after=("demo", "a"), limit=500),
        "(kind=? AND (namespace,name)>(?,?))",
    ),
    "changes": (
        lambda tx: tx.changes.list_all(5, kinds={"repository"}, limit=100),
        "(revision>?)",
    ),
    "catalog": (
        lambda tx: tx.repositories.list_names(after="demo/app", limit=500),
        "(name>?)",
    ),
    "tag names": (
        lambda tx: tx.tags.list(1, after="v1", limit=500),
        "(repository_id=? AND name>?)",
    ),
}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    path: Path = tmp_path_factory.mktemp("plans") / "metadata.db"
    prepare_metadata(f"sqlite:///{path}")
    session = Session.open(str(path))
    yield session
    session.close()


def plans_of(session: Session, read: Read) -> list[str]:
    """The steps of every statement that a read executes."""
    asked: list[tuple[str, tuple[object, ...]]] = []

    def note(
        _: object, __: object, statement: str, given: tuple[object, ...], *___: object
    ) -> None:
        asked.append((statement, given))

    event.listen(session.sql, "before_cursor_execute", note)
    try:
        read(SqlTransaction(session.sql, insert_if_absent, ManualClock()))
    finally:
        event.remove(session.sql, "before_cursor_execute", note)
    return [
        row[3]
        for statement, given in asked
        for row in session.raw.execute(f"EXPLAIN QUERY PLAN {statement}", given)
    ]


@pytest.mark.parametrize("what", PAGES)
def test_a_page_is_found_by_an_index(session: Session, what: str) -> None:
    read, bounds = PAGES[what]

    steps = plans_of(session, read)

    assert any(step.startswith("SEARCH ") and step.endswith(bounds) for step in steps), steps
    # `anon_1` is a page itself; `revision` has one row.
    scans = {step for step in steps if step.startswith("SCAN ")}
    assert scans <= {"SCAN anon_1", "SCAN revision"}
    assert "USE TEMP B-TREE FOR ORDER BY" not in steps or "SCAN anon_1" in steps
