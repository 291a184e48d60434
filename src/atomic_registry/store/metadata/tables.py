"""Every table of the metadata database; the migrations create the same ones."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """An aware time in UTC, stored as microseconds since 1970 on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else moment_of(value)


def moment_of(value: int) -> datetime:
    """Return the time that is stored as this number."""
    return _EPOCH + value * _MICROSECOND


# Pages are cut in byte order; the collation of a PostgreSQL database would order otherwise.
PlainText = Text().with_variant(Text(collation="C"), "postgresql")
# SQLite gives numbers by itself only to a column of type INTEGER.
RowId = BigInteger().with_variant(Integer(), "sqlite")

_IS_OF_OBJECT = text("kind <> 'repository'")
_IS_OF_REPOSITORY = text("kind = 'repository'")
_IS_OF_PROJECT = text("kind = 'projects'")
_IS_REMOVAL = text("digest IS NULL")

metadata = MetaData()

repositories = Table(
    "repositories",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", PlainText, nullable=False, unique=True),
    Column("created_at", Moment, nullable=False),
    Column("pushed_at", Moment),
    Column("revision", BigInteger, nullable=False, server_default="0"),
)

blobs = Table(
    "blobs",
    metadata,
    Column("digest", PlainText, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("key", PlainText, nullable=False),
    Column("created_at", Moment, nullable=False),
)

blob_links = Table(
    "blob_links",
    metadata,
    Column("repository_id", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", PlainText, primary_key=True),
    Column("created_at", Moment, nullable=False),
    Index("blob_links_digest", "digest"),
    sqlite_with_rowid=False,
)

manifests = Table(
    "manifests",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("repository_id", BigInteger, nullable=False),
    Column("digest", PlainText, nullable=False),
    Column("media_type", PlainText, nullable=False),
    Column("artifact_type", PlainText),
    Column("subject", PlainText),
    Column("annotations", PlainText, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("pushed_at", Moment, nullable=False),
    # Last, so that reading the other columns never touches the pages it overflows to.
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("repository_id", "digest", name="manifests_digest"),
    Index("manifests_subject", "repository_id", "subject", "digest"),
    Index("manifests_anywhere", "digest", "repository_id"),
)

manifest_edges = Table(
    "manifest_edges",
    metadata,
    Column("repository_id", BigInteger, primary_key=True, autoincrement=False),
    Column("manifest", PlainText, primary_key=True),
    Column("target", PlainText, primary_key=True),
    Column("role", PlainText, primary_key=True),
    Index("manifest_edges_target", "repository_id", "target"),
    sqlite_with_rowid=False,
)

tags = Table(
    "tags",
    metadata,
    Column("repository_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", PlainText, primary_key=True),
    Column("digest", PlainText, nullable=False),
    Column("moved_at", Moment, nullable=False),
    Index("tags_digest", "repository_id", "digest"),
    sqlite_with_rowid=False,
)

tag_events = Table(
    "tag_events",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("repository_id", BigInteger, nullable=False),
    Column("tag", PlainText, nullable=False),
    Column("digest", PlainText),
    Column("actor", PlainText, nullable=False),
    Column("at", Moment, nullable=False),
    Index("tag_events_tag", "repository_id", "tag", "id"),
    Index(
        "tag_events_removals",
        "repository_id",
        "id",
        sqlite_where=_IS_REMOVAL,
        postgresql_where=_IS_REMOVAL,
    ),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("repository", PlainText, nullable=False),
    Column("key", PlainText, nullable=False),
    Column("algorithm", PlainText, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("hash_state", LargeBinary),
    Column("digest", PlainText),
    Column("discarded", Boolean, nullable=False),
    Column("lease_owner", PlainText),
    Column("lease_until", Moment),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("uploads_expires_at", "expires_at"),
)

revision = Table(
    "revision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("actor", PlainText, nullable=False),
    Column("kind", PlainText, nullable=False),
    Column("verb", PlainText, nullable=False),
    Column("object", PlainText, nullable=False),
    Column("namespace", PlainText, nullable=False, server_default=""),
    Column("name", PlainText, nullable=False, server_default=""),
    Column("labels_before", PlainText, nullable=False, server_default=""),
    # Followers of the stored objects pass over the pushes, which are most of the log.
    Index(
        "changes_of_objects",
        "revision",
        sqlite_where=_IS_OF_OBJECT,
        postgresql_where=_IS_OF_OBJECT,
    ),
    # Events of a project are its newest entries since it was made.
    Index(
        "changes_of_repositories",
        "namespace",
        "revision",
        sqlite_where=_IS_OF_REPOSITORY,
        postgresql_where=_IS_OF_REPOSITORY,
    ),
    Index(
        "changes_of_projects",
        "name",
        "revision",
        sqlite_where=_IS_OF_PROJECT,
        postgresql_where=_IS_OF_PROJECT,
    ),
)

objects = Table(
    "objects",
    metadata,
    Column("kind", PlainText, primary_key=True),
    Column("namespace", PlainText, primary_key=True),
    Column("name", PlainText, primary_key=True),
    Column("uid", PlainText, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("body", PlainText, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("kind", PlainText, nullable=False),
    Column("user_name", PlainText, nullable=False),
    Column("user_uid", PlainText, nullable=False),
    Column("client", PlainText, nullable=False),
    Column("scopes", PlainText, nullable=False),
    Column("description", PlainText, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("last_used_at", Moment),
    Column("inactivity_seconds", BigInteger),
    Column("family", PlainText, nullable=False),
    Column("state", PlainText, nullable=False),
    Column("lookup", PlainText),
    Index("tokens_user", "user_name", "id"),
    Index("tokens_family", "family"),
    Index("tokens_expires_at", "expires_at"),
    Index("tokens_lookup", "lookup"),
)

login_failures = Table(
    "login_failures",
    metadata,
    Column("key", PlainText, primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("failures", BigInteger, nullable=False),
    Index("login_failures_at", "at"),
    sqlite_with_rowid=False,
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("private_pem", PlainText, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("signs_until", Moment, nullable=False),
    Column("verifies_until", Moment, nullable=False),
)

schema_info = Table(
    "schema_info",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("schema_version", Integer, nullable=False),
    Column("compat_version", Integer, nullable=False),
    Column("compat_release", PlainText, nullable=False),
)
