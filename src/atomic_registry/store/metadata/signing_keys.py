"""Keys for registry tokens."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from atomic_registry.identity.ports import SigningKey
from atomic_registry.store.metadata.tables import signing_keys

_Keys = list[SigningKey]  # Within the class, `list` is the method.


class SqlSigningKeys:
    """Implements `identity.ports.SigningKeys`."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> _Keys:
        query = select(signing_keys).order_by(
            signing_keys.c.created_at.desc(), signing_keys.c.id.desc()
        )
        return [
            SigningKey(
                id=row.id,
                private_pem=row.private_pem,
                created_at=row.created_at,
                signs_until=row.signs_until,
                verifies_until=row.verifies_until,
            )
            for row in self._connection.execute(query)
        ]

    def add(self, key: SigningKey) -> None:
        row = {
            "id": key.id,
            "private_pem": key.private_pem,
            "created_at": key.created_at,
            "signs_until": key.signs_until,
            "verifies_until": key.verifies_until,
        }
        self._connection.execute(insert(signing_keys), row)

    def remove_before(self, moment: datetime) -> None:
        has_expired = signing_keys.c.verifies_until < moment
        self._connection.execute(delete(signing_keys).where(has_expired))
