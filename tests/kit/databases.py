"""Databases that are ready for use, made by copying one that was migrated before."""

import functools
import tempfile
from pathlib import Path

from atomic_registry.store.metadata import prepare_metadata


def new_sqlite(directory: Path | str) -> str:
    """Put a migrated database into the directory; its URL."""
    path = Path(directory) / "metadata.db"
    path.write_bytes(_migrated())
    return f"sqlite:///{path}"


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "metadata.db"
        prepare_metadata(f"sqlite:///{path}")
        # All of it is in this file once the last connection is closed.
        assert [path] == list(path.parent.iterdir())
        return path.read_bytes()
