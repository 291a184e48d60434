"""A real PostgreSQL server of the machine, in a directory of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg

from atomic_registry.store.metadata import prepare_metadata
from tests.kit.optional import lacking

# The machine does not crash under a test, so nothing need be on its disk.
_SETTINGS = "-c listen_addresses= -c fsync=off -c full_page_writes=off"


class Postgres:
    """One server on a unix socket; it can be stopped and started in between."""

    def __init__(self, programs: Path, directory: Path) -> None:
        self._programs = programs
        self._directory = directory
        self._databases = 0
        self._migrated = ""

    def start(self) -> None:
        self._control(
            "start", "-w", "-t", "30", "-l", f"{self._directory}/log",
            "-o", f"{_SETTINGS} -c unix_socket_directories={self._directory}",
        )  # fmt: skip

    def stop(self) -> None:
        self._control("stop", "-m", "immediate")

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        return self._url(self._create("template1"))

    def new_registry(self) -> str:
        """Create a database that is ready for use, a copy of one that was migrated before."""
        if not self._migrated:
            name = self._create("template1")
            prepare_metadata(self._url(name))
            self._migrated = name
        return self._url(self._create(self._migrated))

    def drop(self, url: str) -> None:
        """Remove a database that nobody needs any more."""
        name = url.partition("@/")[2].partition("?")[0]
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def _create(self, template: str) -> str:
        self._databases += 1
        name = f"registry{self._databases}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return name

    def _url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={quote(str(self._directory))}"

    def _control(self, *words: str) -> None:
        command: list[str | Path] = [self._programs / "pg_ctl", "-D", self._directory / "data"]
        _as_postgres([*command, *words])


@contextmanager
def run_postgres() -> Iterator[Postgres]:
    """Run a server until the end of the block; skip the test where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        lacking("PostgreSQL is not installed")
    if os.geteuid() != 0:
        lacking("starting PostgreSQL as its own user needs root")
    directory = Path(tempfile.mkdtemp(prefix="atomic-postgres-"))
    shutil.chown(directory, "postgres", "postgres")
    server = Postgres(found[-1].parent, directory)
    try:
        _as_postgres([found[-1], "-D", directory / "data", "-A", "trust", "-N", "--locale=C.UTF-8"])
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _as_postgres(command: Sequence[str | Path], *, check: bool = True) -> int:
    done = subprocess.run(
        ["runuser", "-u", "postgres", "--", *map(str, command)],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
        check=check,
    )
    return done.returncode
