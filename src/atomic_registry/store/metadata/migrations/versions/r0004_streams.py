"""Repositories know the revision of their newest change; images are found in all of them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column(
        "repositories",
        sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"),
    )
    # The log may have lost the entries of old repositories: what was pushed to shows all the same.
    op.execute(
        "UPDATE repositories SET revision = (SELECT value FROM revision) "
        "WHERE pushed_at IS NOT NULL"
    )
    op.create_index("manifests_anywhere", "manifests", ["digest", "repository_id"])
    is_removal = sa.text("digest IS NULL")
    op.create_index(
        "tag_events_removals",
        "tag_events",
        ["repository_id", "id"],
        sqlite_where=is_removal,
        postgresql_where=is_removal,
    )
    op.execute("UPDATE schema_info SET schema_version = 4")
