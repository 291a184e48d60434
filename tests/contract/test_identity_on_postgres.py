"""The contract of identity on PostgreSQL, and what holds for a server."""

import psycopg
import pytest
from tests.contract.identity_grants import GrantsContract
from tests.contract.identity_objects import (
    ObjectChangesContract,
    ObjectsContract,
    add,
    find,
    get,
    update,
    user,
)
from tests.contract.identity_tokens import LoginsContract, TokensContract
from tests.kit.postgres import Postgres

from atomic_registry.store.metadata import MetadataDatabase

_FAIL_TWO_COMMITS = """
CREATE SEQUENCE attempts;
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF nextval('attempts') <= 2 THEN
    RAISE EXCEPTION 'collided' USING ERRCODE = '40001';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON changes DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION fail();
"""


@pytest.fixture
def url(server: Postgres) -> str:
    return server.new_registry()


class TestPostgres(
    ObjectsContract, ObjectChangesContract, TokensContract, LoginsContract, GrantsContract
):
    """The contract."""


async def test_an_object_written_by_a_repeated_function_names_the_revision_that_was_kept(
    store: MetadataDatabase, url: str
) -> None:
    mary, bob = user(), user("bob")
    await add(store, mary)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_FAIL_TWO_COMMITS)
    connection.close()
    mary.full_name = "Mary"
    await update(store, mary)
    await add(store, bob)
    assert (mary.metadata.resource_version, bob.metadata.resource_version) == ("2", "3")
    assert await get(store) == mary
    assert await find(store, "bob") == bob
