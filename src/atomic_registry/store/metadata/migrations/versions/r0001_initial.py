"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_blobs()
    _create_manifests()
    _create_tags()
    _create_uploads()
    _create_log()


def _create_blobs() -> None:
    op.create_table(
        "repositories",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("name", _TEXT, nullable=False, unique=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("pushed_at", sa.BigInteger),
    )
    op.create_table(
        "blobs",
        sa.Column("digest", _TEXT, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "blob_links",
        sa.Column("repository_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("digest", _TEXT, primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("blob_links_digest", "blob_links", ["digest"])


def _create_manifests() -> None:
    op.create_table(
        "manifests",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("repository_id", sa.BigInteger, nullable=False),
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("media_type", _TEXT, nullable=False),
        sa.Column("artifact_type", _TEXT),
        sa.Column("subject", _TEXT),
        sa.Column("annotations", _TEXT, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("pushed_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("repository_id", "digest", name="manifests_digest"),
    )
    op.create_index("manifests_subject", "manifests", ["repository_id", "subject", "digest"])
    op.create_table(
        "manifest_edges",
        sa.Column("repository_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("manifest", _TEXT, primary_key=True),
        sa.Column("target", _TEXT, primary_key=True),
        sa.Column("role", _TEXT, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("manifest_edges_target", "manifest_edges", ["repository_id", "target"])


def _create_tags() -> None:
    op.create_table(
        "tags",
        sa.Column("repository_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", _TEXT, primary_key=True),
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("moved_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("tags_digest", "tags", ["repository_id", "digest"])
    op.create_table(
        "tag_events",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("repository_id", sa.BigInteger, nullable=False),
        sa.Column("tag", _TEXT, nullable=False),
        sa.Column("digest", _TEXT),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("tag_events_tag", "tag_events", ["repository_id", "tag", "id"])


def _create_uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("repository", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("algorithm", _TEXT, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("hash_state", sa.LargeBinary),
        sa.Column("digest", _TEXT),
        sa.Column("discarded", sa.Boolean, nullable=False),
        sa.Column("lease_owner", _TEXT),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("uploads_expires_at", "uploads", ["expires_at"])


def _create_log() -> None:
    op.create_table(
        "revision",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "changes",
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("repository", _TEXT, nullable=False),
        sa.Column("verb", _TEXT, nullable=False),
        sa.Column("object", _TEXT, nullable=False),
    )
    op.create_table(
        "schema_info",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("compat_version", sa.Integer, nullable=False),
        sa.Column("compat_release", _TEXT, nullable=False),
    )
    op.execute("INSERT INTO revision (id, value) VALUES (1, 0)")
    op.execute(
        "INSERT INTO schema_info (id, schema_version, compat_version, compat_release) "
        "VALUES (1, 1, 1, '0.1.0')"
    )
