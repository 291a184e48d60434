"""The change log is read by project: the events of one are its newest entries."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    of_repository, of_project = sa.text("kind = 'repository'"), sa.text("kind = 'projects'")
    op.create_index(
        "changes_of_repositories",
        "changes",
        ["namespace", "revision"],
        sqlite_where=of_repository,
        postgresql_where=of_repository,
    )
    op.create_index(
        "changes_of_projects",
        "changes",
        ["name", "revision"],
        sqlite_where=of_project,
        postgresql_where=of_project,
    )
    op.execute("UPDATE schema_info SET schema_version = 5")
