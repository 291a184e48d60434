"""Failed logins, one row for each key and second, so that a flood of them adds few rows."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, bindparam, delete, func, select, update

from atomic_registry.store.metadata.statements import InsertIfAbsent
from atomic_registry.store.metadata.tables import login_failures

_COUNT_ONE = (
    update(login_failures)
    .where(login_failures.c.key == bindparam("of_key"), login_failures.c.at == bindparam("of_at"))
    .values(failures=login_failures.c.failures + 1)
)

_Found = dict[str, int]


class SqlLoginFailures:
    """Implements `identity.ports.LoginFailures`."""

    __slots__ = ("_connection", "_insert_if_absent")

    def __init__(self, connection: Connection, insert_if_absent: InsertIfAbsent) -> None:
        self._connection = connection
        self._insert_if_absent = insert_if_absent

    def count(self, keys: Sequence[str], *, since: datetime) -> _Found:
        if not keys:
            return {}
        names = {_digest(key): key for key in keys}
        query = (
            select(login_failures.c.key, func.sum(login_failures.c.failures))
            .where(login_failures.c.key.in_(names), login_failures.c.at >= _second(since))
            .group_by(login_failures.c.key)
        )
        counted = dict.fromkeys(keys, 0)
        for digest, failures in self._connection.execute(query):
            counted[names[digest]] = int(failures)
        return counted

    def add(self, keys: Sequence[str], now: datetime) -> None:
        at = _second(now)
        # In one order everywhere, so that two processes that do it at once cannot deadlock.
        digests = sorted({_digest(key) for key in keys})
        if not digests:
            return
        self._connection.execute(
            self._insert_if_absent(login_failures),
            [{"key": digest, "at": at, "failures": 0} for digest in digests],
        )
        self._connection.execute(
            _COUNT_ONE, [{"of_key": digest, "of_at": at} for digest in digests]
        )

    def forget(self, keys: Sequence[str]) -> None:
        digests = [_digest(key) for key in keys]
        self._connection.execute(delete(login_failures).where(login_failures.c.key.in_(digests)))

    def remove_before(self, moment: datetime) -> None:
        is_older = login_failures.c.at < _second(moment)
        self._connection.execute(delete(login_failures).where(is_older))


def _digest(key: str) -> str:
    # Keys hold what strangers typed as a user name: any length, any character, even a password.
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
