"""Upload sessions. A lease is a compare-and-set on one row, so that it needs no open lock."""

from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)

from atomic_registry.content.ports import UploadSession
from atomic_registry.oci.reference import RepositoryName
from atomic_registry.store.metadata.statements import stored_digest
from atomic_registry.store.metadata.tables import uploads

_SESSION = (
    uploads.c.id,
    uploads.c.repository,
    uploads.c.key,
    uploads.c.algorithm,
    uploads.c.offset,
    uploads.c.hash_state,
    uploads.c.digest,
    uploads.c.expires_at,
)


class SqlUploads:
    """Implements `content.ports.Uploads`."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, session: UploadSession, now: datetime) -> None:
        row = {
            "id": session.id,
            "repository": session.repository.value,
            "discarded": False,
            "created_at": now,
            **_progress(session),
        }
        self._connection.execute(insert(uploads), row)

    def find(self, repository: RepositoryName, upload_id: str) -> UploadSession | None:
        query = select(*_SESSION).where(_is_open(repository, upload_id))
        row = self._connection.execute(query).first()
        return None if row is None else _session(row)

    def claim(
        self,
        repository: RepositoryName,
        upload_id: str,
        *,
        owner: str,
        now: datetime,
        until: datetime,
    ) -> UploadSession | None:
        statement = (
            update(uploads)
            .where(_is_open(repository, upload_id))
            .where(or_(_is_free(now), uploads.c.lease_owner == owner))
            .values(lease_owner=owner, lease_until=until)
            .returning(*_SESSION)
        )
        row = self._connection.execute(statement).first()
        return None if row is None else _session(row)

    def renew(self, upload_id: str, *, owner: str, until: datetime) -> bool:
        statement = update(uploads).where(_is_held(upload_id, owner)).values(lease_until=until)
        return self._connection.execute(statement).rowcount > 0

    def release(self, session: UploadSession, *, owner: str) -> bool:
        statement = (
            update(uploads)
            .where(_is_held(session.id, owner))
            .values(lease_owner=None, lease_until=None, **_progress(session))
        )
        return self._connection.execute(statement).rowcount > 0

    def discard(self, upload_id: str) -> bool:
        statement = update(uploads).where(uploads.c.id == upload_id).values(discarded=True)
        return self._connection.execute(statement).rowcount > 0

    def remove(self, upload_id: str) -> None:
        self._connection.execute(delete(uploads).where(uploads.c.id == upload_id))

    def release_all(self, *, owner_prefix: str) -> int:
        # Not LIKE: it ignores case on SQLite.
        start = func.substr(uploads.c.lease_owner, 1, len(owner_prefix))
        statement = (
            update(uploads)
            .where(uploads.c.lease_owner.is_not(None), start == owner_prefix)
            .values(lease_owner=None, lease_until=None)
        )
        return self._connection.execute(statement).rowcount

    def list_dead(self, *, now: datetime, limit: int) -> list[UploadSession]:
        is_expired = and_(uploads.c.expires_at <= now, _is_free(now))
        query = (
            select(*_SESSION)
            .where(or_(uploads.c.discarded, is_expired))
            .order_by(uploads.c.expires_at, uploads.c.id)
            .limit(limit)
        )
        return [_session(row) for row in self._connection.execute(query)]

    def count_open(self) -> int:
        query = select(func.count()).select_from(uploads).where(not_(uploads.c.discarded))
        return self._connection.execute(query).scalar_one()


def _is_open(repository: RepositoryName, upload_id: str) -> ColumnElement[bool]:
    return and_(
        uploads.c.id == upload_id,
        uploads.c.repository == repository.value,
        not_(uploads.c.discarded),
    )


def _is_free(now: datetime) -> ColumnElement[bool]:
    return or_(uploads.c.lease_owner.is_(None), uploads.c.lease_until <= now)


def _is_held(upload_id: str, owner: str) -> ColumnElement[bool]:
    return and_(
        uploads.c.id == upload_id, uploads.c.lease_owner == owner, not_(uploads.c.discarded)
    )


def _progress(session: UploadSession) -> dict[str, str | int | bytes | datetime | None]:
    return {
        "key": session.key,
        "algorithm": session.algorithm,
        "offset": session.offset,
        "hash_state": session.hash_state,
        "digest": None if session.digest is None else str(session.digest),
        "expires_at": session.expires_at,
    }


def _session(
    row: Row[str, str, str, str, int, bytes | None, str | None, datetime],
) -> UploadSession:
    return UploadSession(
        id=row.id,
        repository=RepositoryName(row.repository),
        key=row.key,
        algorithm=row.algorithm,
        offset=row.offset,
        hash_state=row.hash_state,
        digest=None if row.digest is None else stored_digest(row.digest),
        expires_at=row.expires_at,
    )
