"""Stored tokens; what is given away is known here by its digest only."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, Select, bindparam, delete, insert, or_, select, update

from atomic_registry.identity.ports import StoredToken, TokenKind
from atomic_registry.store.metadata.statements import CHUNK_SIZE, is_storable
from atomic_registry.store.metadata.tables import tokens

# One field of a token's state can be searched for; another one needs a column and an index.
_LOOKUP_KEY = "user_code"

_MARK_USED = (
    update(tokens)
    .where(tokens.c.id == bindparam("of_id"))
    .where(or_(tokens.c.last_used_at.is_(None), tokens.c.last_used_at < bindparam("at")))
    .values(last_used_at=bindparam("at"))
)


class SqlTokens:
    """Implements `identity.ports.Tokens`."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, token: StoredToken) -> None:
        self._connection.execute(insert(tokens), {"id": token.id, **_columns(token)})

    def find(self, token_id: str) -> StoredToken | None:
        if not is_storable(token_id):
            return None
        row = self._connection.execute(select(tokens).where(tokens.c.id == token_id)).first()
        return None if row is None else _token(row)

    def take(self, token_id: str) -> StoredToken | None:
        if not is_storable(token_id):
            return None
        statement = delete(tokens).where(tokens.c.id == token_id).returning(tokens)
        row = self._connection.execute(statement).first()
        return None if row is None else _token(row)

    def update(self, token: StoredToken) -> bool:
        statement = update(tokens).where(tokens.c.id == token.id).values(**_columns(token))
        return self._connection.execute(statement).rowcount > 0

    def remove(self, token_id: str) -> bool:
        return self.take(token_id) is not None

    def remove_family(self, family: str) -> int:
        # Tokens without a family are not one.
        if not family or not is_storable(family):
            return 0
        return self._connection.execute(delete(tokens).where(tokens.c.family == family)).rowcount

    def remove_of_user(self, user: str) -> int:
        if not is_storable(user):
            return 0
        return self._connection.execute(delete(tokens).where(tokens.c.user_name == user)).rowcount

    def list_of_user(
        self, user: str, *, kinds: Sequence[TokenKind], after: str = "", limit: int
    ) -> list[StoredToken]:
        if not is_storable(user, after):
            return []
        query = _page(kinds, after, limit).where(tokens.c.user_name == user)
        return [_token(row) for row in self._connection.execute(query)]

    def list_all(
        self, *, kinds: Sequence[TokenKind], after: str = "", limit: int
    ) -> list[StoredToken]:
        if not is_storable(after):
            return []
        return [_token(row) for row in self._connection.execute(_page(kinds, after, limit))]

    def find_by_state(self, kind: TokenKind, key: str, value: str) -> StoredToken | None:
        if key != _LOOKUP_KEY:
            raise ValueError(f"tokens can be found by {_LOOKUP_KEY} only, not by {key}")
        if not is_storable(value):
            return None
        query = (
            select(tokens)
            .where(tokens.c.lookup == f"{key}={value}", tokens.c.kind == kind.value)
            .order_by(tokens.c.created_at.desc(), tokens.c.id)
            .limit(1)
        )
        row = self._connection.execute(query).first()
        return None if row is None else _token(row)

    def mark_used(self, used: Mapping[str, datetime]) -> None:
        # In one order everywhere, so that two processes that do it at once cannot deadlock.
        rows = [{"of_id": one, "at": used[one]} for one in sorted(used) if is_storable(one)]
        if rows:
            self._connection.execute(_MARK_USED, rows)

    def remove_expired(self, now: datetime, *, limit: int) -> int:
        query = (
            select(tokens.c.id)
            .where(tokens.c.expires_at <= now)
            .order_by(tokens.c.expires_at)
            .limit(limit)
            # Another process may be cleaning up too; each takes what the other leaves.
            .with_for_update(skip_locked=True)
        )
        ids = [*self._connection.scalars(query)]
        for start in range(0, len(ids), CHUNK_SIZE):
            chunk = ids[start : start + CHUNK_SIZE]
            self._connection.execute(delete(tokens).where(tokens.c.id.in_(chunk)))
        return len(ids)


def _page(kinds: Sequence[TokenKind], after: str, limit: int) -> Select[tuple[object, ...]]:
    return (
        select(tokens)
        .where(tokens.c.id > after)
        .where(tokens.c.kind.in_([kind.value for kind in kinds]))
        .order_by(tokens.c.id)
        .limit(limit)
    )


def _token(row: Row[tuple[object, ...]]) -> StoredToken:
    return StoredToken(
        id=row.id,
        kind=TokenKind(row.kind),
        user=row.user_name,
        user_uid=row.user_uid,
        client=row.client,
        scopes=tuple(json.loads(row.scopes)),
        description=row.description,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        inactivity_seconds=row.inactivity_seconds,
        family=row.family,
        state=json.loads(row.state),
    )


def _columns(token: StoredToken) -> dict[str, str | int | datetime | None]:
    sought = token.state.get(_LOOKUP_KEY)
    return {
        "kind": token.kind.value,
        "user_name": token.user,
        "user_uid": token.user_uid,
        "client": token.client,
        "scopes": json.dumps(token.scopes),
        "description": token.description,
        "inactivity_seconds": token.inactivity_seconds,
        "family": token.family,
        "state": json.dumps(dict(token.state)),
        "lookup": None if sought is None else f"{_LOOKUP_KEY}={sought}",
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
    }
