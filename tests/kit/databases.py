"""Databases that are ready for use, made by copying one that was migrated before."""

import atexit
import contextlib
import functools
import os
import tempfile
from pathlib import Path

from atomic_registry.store.metadata import prepare_metadata
from tests.kit.postgres import Postgres, run_postgres

ON_POSTGRES = os.environ.get("ATOMIC_TEST_DATABASE") == "postgresql"


def new_database(directory: Path) -> str:
    """Make a database of the kind that ATOMIC_TEST_DATABASE names, SQLite unless told; its URL."""
    return _server().new_registry() if ON_POSTGRES else new_sqlite(directory)


def drop_database(url: str) -> None:
    """Give back the space of a database from `new_database`, if it is not in a test's directory."""
    if ON_POSTGRES:
        _server().drop(url)


def new_sqlite(directory: Path | str) -> str:
    """Put a migrated database into the directory; its URL."""
    path = Path(directory) / "metadata.db"
    path.write_bytes(_migrated())
    return f"sqlite:///{path}"


@functools.cache
def _server() -> Postgres:
    """One server for the whole process."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(run_postgres())


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "metadata.db"
        prepare_metadata(f"sqlite:///{path}")
        # All of it is in this file once the last connection is closed.
        assert [path] == list(path.parent.iterdir())
        return path.read_bytes()
