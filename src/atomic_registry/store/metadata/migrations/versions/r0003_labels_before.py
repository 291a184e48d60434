"""Changes of objects tell which labels these had before: a watch by labels needs both."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("changes", sa.Column("labels_before", _TEXT, nullable=False, server_default=""))
    # The release before this one leaves the column out, which is as good as not knowing.
    op.execute("UPDATE schema_info SET schema_version = 3")
