"""A database that an earlier release has filled serves this one, with nothing lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, text
from tests.contract.identity_objects import add, changes, get, user
from tests.contract.metadata_store import create

from atomic_registry.clock import SystemClock
from atomic_registry.content.ports import Change
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.store.metadata import migrations, open_metadata, prepare_metadata
from atomic_registry.store.metadata.schema import SCHEMA_VERSION
from atomic_registry.store.metadata.tables import metadata

_NAMES = ("demo/hello", "demo/a/b-c/d", "hello", "d.e/f__g")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Engine]]:
    """Yield the registry's URL of an empty database, and an engine on it."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/metadata.db"
        engine = create_engine(url)
        yield url, engine
        engine.dispose()
        return
    url = request.getfixturevalue("server").new_database()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    yield url, engine
    engine.dispose()


def fill_first_schema(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for number, name in enumerate(_NAMES, start=1):
            connection.execute(
                text(
                    "INSERT INTO changes "
                    "(revision, at, actor, kind, repository, verb, object) "
                    "VALUES (:number, 1, 'mary', 'repository', :name, 'push', '{\"tag\": \"é\"}')"
                ),
                {"number": number, "name": name},
            )
        connection.execute(text("UPDATE revision SET value = 4"))
        connection.execute(
            text("INSERT INTO repositories (id, name, created_at) VALUES (7, 'project/app', 1)")
        )


async def test_a_filled_database_of_the_first_schema_keeps_its_log_and_content(
    database: tuple[str, Engine],
) -> None:
    url, engine = database
    fill_first_schema(engine)
    for _ in range(2):
        prepare_metadata(url)
    store = open_metadata(url, SystemClock())
    try:
        log = [
            (
                number,
                Change(
                    kind="repository",
                    repository=RepositoryName(name),
                    verb="push",
                    actor="mary",
                    object={"tag": "é"},
                ),
            )
            for number, name in enumerate(_NAMES, start=1)
        ]
        assert await store.changes_since(0, 10) == log
        assert await changes(store) == ([], 4)
        assert (await create(store)).id == 7
        await add(store, user())
        assert (await get(store)).metadata.resource_version == "5"
        await store.write(lambda tx: tx.append(log[1][1]))
        assert await store.changes_since(4, 10) == [(6, log[1][1])]
    finally:
        await store.close()
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT namespace, name FROM changes ORDER BY revision"))
        assert [tuple(row) for row in rows][:4] == [
            ("demo", "hello"), ("demo", "a~b-c~d"), ("hello", ""), ("d.e", "f__g"),
        ]  # fmt: skip


def test_the_migrations_make_the_tables_that_the_statements_use(
    database: tuple[str, Engine],
) -> None:
    url, engine = database
    prepare_metadata(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": lambda name, *_: name != "alembic_version"}
        )
        assert compare_metadata(context, metadata) == []
        found = connection.execute(text("SELECT schema_version FROM schema_info")).scalar_one()
    assert found == SCHEMA_VERSION


async def test_a_migration_that_fails_leaves_the_database_as_it_was(
    database: tuple[str, Engine],
) -> None:
    url, engine = database
    fill_first_schema(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE signing_keys (id TEXT)"))
    with pytest.raises(Exception, match="signing_keys"):
        prepare_metadata(url)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(repository) FROM changes")).scalar() == 4
        assert connection.execute(text("SELECT schema_version FROM schema_info")).scalar() == 1
        connection.execute(text("DROP TABLE signing_keys"))
    prepare_metadata(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(namespace) FROM changes")).scalar() == 4
