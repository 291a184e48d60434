"""Stored objects, tokens, failed logins and signing keys; the change log tells of objects too."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _create_objects()
    _create_tokens()
    _create_logins()
    _name_objects_in_log()
    # The first release cannot write a log without `repository`.
    op.execute("UPDATE schema_info SET schema_version = 2, compat_version = 2")


def _create_objects() -> None:
    op.create_table(
        "objects",
        sa.Column("kind", _TEXT, primary_key=True),
        sa.Column("namespace", _TEXT, primary_key=True),
        sa.Column("name", _TEXT, primary_key=True),
        sa.Column("uid", _TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("body", _TEXT, nullable=False),
    )


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("user_name", _TEXT, nullable=False),
        sa.Column("user_uid", _TEXT, nullable=False),
        sa.Column("client", _TEXT, nullable=False),
        sa.Column("scopes", _TEXT, nullable=False),
        sa.Column("description", _TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("last_used_at", sa.BigInteger),
        sa.Column("inactivity_seconds", sa.BigInteger),
        sa.Column("family", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("lookup", _TEXT),
    )
    op.create_index("tokens_user", "tokens", ["user_name", "id"])
    op.create_index("tokens_family", "tokens", ["family"])
    op.create_index("tokens_expires_at", "tokens", ["expires_at"])
    op.create_index("tokens_lookup", "tokens", ["lookup"])


def _create_logins() -> None:
    op.create_table(
        "login_failures",
        sa.Column("key", _TEXT, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True),
        sa.Column("failures", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("login_failures_at", "login_failures", ["at"])
    op.create_table(
        "signing_keys",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("private_pem", _TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("signs_until", sa.BigInteger, nullable=False),
        sa.Column("verifies_until", sa.BigInteger, nullable=False),
    )


def _name_objects_in_log() -> None:
    # The defaults let rows that exist take the columns; SQLite could not drop them afterwards.
    for column in ("namespace", "name"):
        op.add_column("changes", sa.Column(column, _TEXT, nullable=False, server_default=""))
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    changes = sa.table("changes", *map(sa.column, ("repository", "namespace", "name")))
    find = sa.func.strpos if is_postgresql else sa.func.instr
    slash = find(changes.c.repository + "/", "/")
    op.execute(
        sa.update(changes).values(
            namespace=sa.func.substr(changes.c.repository, 1, slash - 1),
            name=sa.func.replace(sa.func.substr(changes.c.repository, slash + 1), "/", "~"),
        )
    )
    op.drop_column("changes", "repository")
    is_of_object = sa.text("kind <> 'repository'")
    op.create_index(
        "changes_of_objects",
        "changes",
        ["revision"],
        sqlite_where=is_of_object,
        postgresql_where=is_of_object,
    )
