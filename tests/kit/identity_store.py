"""What `identity` stores, kept in memory; passes for the database in tests of the domain."""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import structs

from atomic_registry.errors import AlreadyExists, ObjectInvalid, ObjectUnknown, StaleRevision
from atomic_registry.events.ports import ADDED, DELETED, MODIFIED, Change, LogPage
from atomic_registry.identity.ports import ObjectChange, SigningKey, StoredToken, TokenKind
from atomic_registry.identity.ports import Transaction as TransactionPort
from atomic_registry.kube.objects import KubeObject, timestamp

T = TypeVar("T")
Kind = TypeVar("Kind", bound=KubeObject)
Key = tuple[str, str, str]


@dataclass(slots=True, kw_only=True)
class State:
    """Everything that is stored; objects as bytes, so that nobody shares them."""

    objects: dict[Key, bytes] = field(default_factory=dict)
    changes: list[tuple[int, Key, type[KubeObject], bytes | None]] = field(default_factory=list)
    log: list[Change] = field(default_factory=list)
    floor: int = 0
    revision: int = 0
    tokens: dict[str, StoredToken] = field(default_factory=dict)
    failures: list[tuple[str, datetime]] = field(default_factory=list)
    keys: dict[str, SigningKey] = field(default_factory=dict)

    def copied(self) -> "State":
        """Return an independent state; the values in it are immutable."""
        return State(
            objects=dict(self.objects),
            changes=list(self.changes),
            log=list(self.log),
            floor=self.floor,
            revision=self.revision,
            tokens=dict(self.tokens),
            failures=list(self.failures),
            keys=dict(self.keys),
        )


class MemoryIdentityStore:
    """Implements `IdentityStore` and `ChangeLog`; counts the transactions that wrote."""

    def __init__(self) -> None:
        self.state = State()
        self.writes = 0
        self.fail_with: Exception | None = None

    async def read(self, query: Callable[[TransactionPort], T]) -> T:
        self._fail()
        return query(_Transaction(self.state.copied()))

    async def write(self, change: Callable[[TransactionPort], T], *, durable: bool = True) -> T:
        self._fail()
        state = self.state.copied()
        tx = _Transaction(state)
        result = change(tx)
        tx.objects.settle()
        self.state = state
        self.writes += 1
        return result

    async def close(self) -> None:
        """Do nothing; there is nothing to close."""

    async def find_token(self, token_id: str) -> StoredToken | None:
        self._fail()
        return self.state.tokens.get(token_id)

    async def last_revision(self) -> int:
        self._fail()
        return self.state.revision

    async def list_changes(self, after: int, *, kinds: Collection[str], limit: int) -> LogPage:
        self._fail()
        newer = [it for it in self.state.log if it.revision > after and it.kind in kinds]
        return LogPage(changes=newer[:limit], floor=self.state.floor, newest=self.state.revision)

    async def drop_changes(self, *, before: datetime, keep: int, limit: int) -> int:
        state = self.state
        last = state.revision - max(keep, 1)
        dropped = [it for it in state.log if it.revision <= last and it.at < before][:limit]
        if dropped:
            state.floor = dropped[-1].revision
            state.log = state.log[len(dropped) :]
            state.changes = [it for it in state.changes if it[0] > state.floor]
        return len(dropped)

    def _fail(self) -> None:
        if self.fail_with is not None:
            raise self.fail_with


class _Transaction:
    def __init__(self, state: State) -> None:
        self._state = state
        self._objects = _Objects(state)
        self._tokens = _Tokens(state)
        self._login_failures = _LoginFailures(state)
        self._signing_keys = _SigningKeys(state)

    @property
    def objects(self) -> "_Objects":
        return self._objects

    @property
    def tokens(self) -> "_Tokens":
        return self._tokens

    @property
    def login_failures(self) -> "_LoginFailures":
        return self._login_failures

    @property
    def signing_keys(self) -> "_SigningKeys":
        return self._signing_keys

    def object_changes(self, after: int, *, limit: int) -> tuple[list[ObjectChange], int]:
        newer = [change for change in self._state.changes if change[0] > after][:limit]
        rows = [
            ObjectChange(
                revision=revision,
                plural=plural,
                namespace=namespace,
                name=name,
                body=None if body is None else msgspec.json.decode(body, type=kind),
            )
            for revision, (plural, namespace, name), kind, body in newer
        ]
        return rows, self._state.revision

    def change_floor(self) -> int:
        return self._state.floor


class _Objects:
    def __init__(self, state: State) -> None:
        self._state = state
        self._written: list[tuple[KubeObject, int]] = []

    def settle(self) -> None:
        """Tell the objects that were written their revisions."""
        for item, revision in self._written:
            item.metadata.resource_version = str(revision)

    def find(
        self, kind: type[Kind], name: str, *, namespace: str = "", lock: bool = False
    ) -> Kind | None:
        body = self._state.objects.get((kind.plural, namespace, name))
        return None if body is None else msgspec.json.decode(body, type=kind)

    def list(
        self,
        kind: type[Kind],
        *,
        namespace: str | None = None,
        after: tuple[str, str] = ("", ""),
        limit: int,
    ) -> list[Kind]:
        keys = sorted(
            key
            for key in self._state.objects
            if key[0] == kind.plural and (namespace is None or key[1] == namespace)
        )
        bodies = [self._state.objects[key] for key in keys if key[1:] > after]
        return [msgspec.json.decode(body, type=kind) for body in bodies[:limit]]

    def add(self, item: KubeObject, *, actor: str, now: datetime) -> None:
        name = item.metadata.name
        if "\0" in name or any("\ud800" <= sign <= "\udfff" for sign in name):
            causes = [("metadata.name", "no database takes it")]
            raise ObjectInvalid(kind=item.kind, name=name, causes=causes)
        if _key(item) in self._state.objects:
            raise AlreadyExists(kind=item.plural, name=name)
        item.metadata.uid = item.metadata.uid or uuid.uuid4().hex
        item.metadata.creation_timestamp = item.metadata.creation_timestamp or timestamp(now)
        self._log(item, ADDED, self._store(item), actor, now)

    def update(self, item: KubeObject, *, actor: str, now: datetime) -> None:
        stored = self.find(type(item), item.metadata.name, namespace=item.metadata.namespace)
        if stored is None or item.metadata.uid not in ("", stored.metadata.uid):
            raise ObjectUnknown(kind=item.plural, name=item.metadata.name)
        if item.metadata.resource_version not in ("", stored.metadata.resource_version):
            raise StaleRevision(kind=item.plural, name=item.metadata.name)
        item.metadata.uid = stored.metadata.uid
        item.metadata.creation_timestamp = stored.metadata.creation_timestamp
        body = self._store(item)
        self._log(item, MODIFIED, body, actor, now, before=stored.metadata.labels)

    def remove(self, item: KubeObject, *, actor: str, now: datetime) -> None:
        stored = self.find(type(item), item.metadata.name, namespace=item.metadata.namespace)
        if stored is None or item.metadata.uid not in ("", stored.metadata.uid):
            return
        body = self._state.objects.pop(_key(item))
        self._state.revision += 1
        self._state.changes.append((self._state.revision, _key(item), type(item), None))
        self._log(item, DELETED, body, actor, now)

    def _log(
        self,
        item: KubeObject,
        verb: str,
        body: bytes,
        actor: str,
        now: datetime,
        *,
        before: Mapping[str, str] | None = None,
    ) -> None:
        plural, namespace, name = _key(item)
        change = Change(
            revision=self._state.revision,
            at=now,
            actor=actor,
            kind=plural,
            namespace=namespace,
            name=name,
            verb=verb,
            body=body.decode(),
            labels_before="" if before is None else msgspec.json.encode(before).decode(),
        )
        self._state.log.append(change)

    def _store(self, item: KubeObject) -> bytes:
        self._state.revision += 1
        meta = structs.replace(item.metadata, resource_version=str(self._state.revision))
        body = msgspec.json.encode(structs.replace(item, metadata=meta))
        self._state.objects[_key(item)] = body
        self._state.changes.append((self._state.revision, _key(item), type(item), body))
        self._written.append((item, self._state.revision))
        return body


class _Tokens:
    def __init__(self, state: State) -> None:
        self._tokens = state.tokens

    def add(self, token: StoredToken) -> None:
        if token.id in self._tokens:
            raise AlreadyExists(kind="tokens", name=token.id)
        self._tokens[token.id] = token

    def find(self, token_id: str) -> StoredToken | None:
        return self._tokens.get(token_id)

    def take(self, token_id: str) -> StoredToken | None:
        return self._tokens.pop(token_id, None)

    def update(self, token: StoredToken) -> bool:
        if token.id not in self._tokens:
            return False
        self._tokens[token.id] = token
        return True

    def remove(self, token_id: str) -> bool:
        return self._tokens.pop(token_id, None) is not None

    def remove_family(self, family: str) -> int:
        return self._drop(
            token for token in self._tokens.values() if family and token.family == family
        )

    def remove_of_user(self, user: str) -> int:
        return self._drop(token for token in self._tokens.values() if token.user == user)

    def list_of_user(
        self, user: str, *, kinds: Sequence[TokenKind], after: str = "", limit: int
    ) -> list[StoredToken]:
        found = [
            token
            for _, token in sorted(self._tokens.items())
            if token.user == user and token.kind in kinds and token.id > after
        ]
        return found[:limit]

    def list_all(
        self, *, kinds: Sequence[TokenKind], after: str = "", limit: int
    ) -> list[StoredToken]:
        found = [
            token
            for _, token in sorted(self._tokens.items())
            if token.kind in kinds and token.id > after
        ]
        return found[:limit]

    def find_by_state(self, kind: TokenKind, key: str, value: str) -> StoredToken | None:
        if key != "user_code":
            raise ValueError(f"tokens are found by their user_code, not by {key}")
        for token in self._tokens.values():
            if token.kind is kind and token.state.get(key) == value:
                return token
        return None

    def mark_used(self, used: Mapping[str, datetime]) -> None:
        for token_id, moment in used.items():
            token = self._tokens.get(token_id)
            if token is not None and (token.last_used_at is None or token.last_used_at < moment):
                self._tokens[token_id] = replace(token, last_used_at=moment)

    def remove_expired(self, now: datetime, *, limit: int) -> int:
        expired = [
            token
            for token in self._tokens.values()
            if token.expires_at is not None and token.expires_at <= now
        ]
        return self._drop(expired[:limit])

    def _drop(self, tokens: Iterable[StoredToken]) -> int:
        gone = [token.id for token in tokens]
        for token_id in gone:
            del self._tokens[token_id]
        return len(gone)


class _LoginFailures:
    def __init__(self, state: State) -> None:
        self._state = state

    def count(self, keys: Sequence[str], *, since: datetime) -> dict[str, int]:
        counts = dict.fromkeys(keys, 0)
        for key, moment in self._state.failures:
            if key in counts and moment >= since.replace(microsecond=0):
                counts[key] += 1
        return counts

    def add(self, keys: Sequence[str], now: datetime) -> None:
        at = now.replace(microsecond=0)
        self._state.failures.extend((key, at) for key in sorted(set(keys)))

    def forget(self, keys: Sequence[str]) -> None:
        self._state.failures = [row for row in self._state.failures if row[0] not in keys]

    def remove_before(self, moment: datetime) -> None:
        self._state.failures = [
            row for row in self._state.failures if row[1] >= moment.replace(microsecond=0)
        ]


class _SigningKeys:
    def __init__(self, state: State) -> None:
        self._keys = state.keys

    def list(self) -> list[SigningKey]:
        return sorted(self._keys.values(), key=lambda key: key.created_at, reverse=True)

    def add(self, key: SigningKey) -> None:
        self._keys[key.id] = key

    def remove_before(self, moment: datetime) -> None:
        for key in list(self._keys.values()):
            if key.verifies_until < moment:
                del self._keys[key.id]


def _key(item: KubeObject) -> Key:
    return (item.plural, item.metadata.namespace, item.metadata.name)
