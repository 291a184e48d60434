"""The contract of identity on SQLite, and what holds for a file."""

from pathlib import Path

import pytest
from tests.contract.identity_grants import GrantsContract
from tests.contract.identity_objects import ObjectChangesContract, ObjectsContract
from tests.contract.identity_tokens import LoginsContract, TokensContract, token
from tests.kit.databases import new_sqlite

from atomic_registry.clock import SystemClock
from atomic_registry.store.metadata import MetadataDatabase
from atomic_registry.store.metadata.sqlite_connection import Session, insert_if_absent
from atomic_registry.store.metadata.transaction import SqlTransaction


@pytest.fixture
def url(tmp_path: Path) -> str:
    return new_sqlite(tmp_path)


class TestSqlite(
    ObjectsContract, ObjectChangesContract, TokensContract, LoginsContract, GrantsContract
):
    """The contract."""


def test_a_follower_of_objects_passes_over_the_pushes(tmp_path: Path, url: str) -> None:
    session = Session.open(f"{tmp_path}/metadata.db")
    statements: list[str] = []
    session.raw.set_trace_callback(statements.append)
    SqlTransaction(session.sql, insert_if_absent, SystemClock()).object_changes(7, limit=10)
    session.raw.set_trace_callback(None)
    asked = next(statement for statement in statements if "FROM changes" in statement)
    plan = [row[3] for row in session.raw.execute(f"EXPLAIN QUERY PLAN {asked}")]
    session.close()
    assert len(plan) == 1
    assert "USING INDEX changes_of_objects (revision>?)" in plan[0]


async def test_a_hot_read_of_a_token_holds_no_snapshot(
    store: MetadataDatabase, tmp_path: Path
) -> None:
    await store.write(lambda tx: tx.tokens.add(token()))
    assert await store.find_token(token().id) == token()
    assert await store.last_revision() == 0
    session = Session.open(f"{tmp_path}/metadata.db")
    busy = session.raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    session.close()
    assert busy == 0
