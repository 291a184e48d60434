"""What this package needs of a store and of identity providers.

Adapters live in `store` and `identity/providers` and pass `tests/contract/`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from atomic_registry.kube.objects import KubeObject
from atomic_registry.remote import answers

# `remote` lies below and returns it.
HttpAnswer = answers.HttpAnswer

T = TypeVar("T")
Kind = TypeVar("Kind", bound=KubeObject)


class TokenKind(StrEnum):
    """What a stored secret is good for."""

    ACCESS = "access"
    """An OAuth access token, from a login."""
    PERSONAL = "personal"
    """Named, made by its user for a program."""
    ROBOT = "robot"
    """A service account's."""
    REFRESH = "refresh"
    CODE = "code"
    """An authorization code; used once."""
    DEVICE = "device"
    """A device code (RFC 8628)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredToken:
    """A secret as it is stored: never itself, only its SHA-256.

    `id` is `sha256~` and the unpadded base64url digest of the secret; it names the token
    everywhere. `family` joins the tokens that descend from one login by refreshing. `state` holds
    what a kind needs besides, for example the redirect URI and the PKCE challenge of a code.
    `scopes` is empty for a token that may do all its user may.
    """

    id: str
    kind: TokenKind
    user: str
    user_uid: str
    client: str = ""
    scopes: tuple[str, ...] = ()
    description: str = ""
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = None
    inactivity_seconds: int | None = None
    family: str = ""
    state: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key for registry tokens: PKCS 8 PEM of P-256; it signs until `signs_until`."""

    id: str
    private_pem: str
    created_at: datetime
    signs_until: datetime
    verifies_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectChange:
    """A row of the change log about a stored object; `body` is None where it was deleted."""

    revision: int
    plural: str
    namespace: str
    name: str
    body: KubeObject | None


class Objects(Protocol):
    """Stored objects of every kind.

    Objects that are returned are the caller's to change. `metadata.resource_version` of an
    object that was written is set when the transaction commits.
    """

    def find(
        self, kind: type[Kind], name: str, *, namespace: str = "", lock: bool = False
    ) -> Kind | None:
        """Return the object; with a lock nobody else changes or deletes it until the commit."""
        ...

    def list(
        self,
        kind: type[Kind],
        *,
        namespace: str | None = None,
        after: tuple[str, str] = ("", ""),
        limit: int,
    ) -> list[Kind]:
        """Return objects ordered by (namespace, name), after a pair; None is every namespace."""
        ...

    def add(self, item: KubeObject, *, actor: str, now: datetime) -> None:
        """Store a new object; gives it `uid` and `creationTimestamp` if it has none.

        Raises:
            AlreadyExists: an object of this kind, namespace and name exists.
        """
        ...

    def update(self, item: KubeObject, *, actor: str, now: datetime) -> None:
        """Replace the object; where it names a resource version, only that one.

        Raises:
            ObjectUnknown: it does not exist, or its uid is another's.
            StaleRevision: it has changed since.
        """
        ...

    def remove(self, item: KubeObject, *, actor: str, now: datetime) -> None:
        """Delete the object; no-op if it is gone."""
        ...


class Tokens(Protocol):
    """Stored tokens."""

    def add(self, token: StoredToken) -> None:
        """Store a new token."""
        ...

    def find(self, token_id: str) -> StoredToken | None:
        """Return the token, also an expired one."""
        ...

    def take(self, token_id: str) -> StoredToken | None:
        """Delete the token and return it; of several callers at once only one gets it."""
        ...

    def update(self, token: StoredToken) -> bool:
        """Replace what is stored under the token's id; return False if it is gone."""
        ...

    def remove(self, token_id: str) -> bool:
        """Delete the token; return False if it was gone."""
        ...

    def remove_family(self, family: str) -> int:
        """Delete every token of the family; return how many."""
        ...

    def remove_of_user(self, user: str) -> int:
        """Delete every token of the user; return how many."""
        ...

    def list_of_user(
        self, user: str, *, kinds: Sequence[TokenKind], after: str = "", limit: int
    ) -> list[StoredToken]:
        """Return tokens of the user in order of id, after an id."""
        ...

    def list_all(
        self, *, kinds: Sequence[TokenKind], after: str = "", limit: int
    ) -> list[StoredToken]:
        """Return everybody's tokens in order of id, after an id."""
        ...

    def find_by_state(self, kind: TokenKind, key: str, value: str) -> StoredToken | None:
        """Return the unexpired-or-not token of the kind whose state has this value."""
        ...

    def mark_used(self, used: Mapping[str, datetime]) -> None:
        """Record when tokens were last used."""
        ...

    def remove_expired(self, now: datetime, *, limit: int) -> int:
        """Delete tokens that expired; return how many."""
        ...


class LoginFailures(Protocol):
    """Failed logins, counted per key in windows of time; shared by all processes."""

    def count(self, keys: Sequence[str], *, since: datetime) -> dict[str, int]:
        """Return the failures of each key since a time."""
        ...

    def add(self, keys: Sequence[str], now: datetime) -> None:
        """Record one failure for each key."""
        ...

    def forget(self, keys: Sequence[str]) -> None:
        """Drop the failures of the keys."""
        ...

    def remove_before(self, moment: datetime) -> None:
        """Drop what is older."""
        ...


class SigningKeys(Protocol):
    """Keys for registry tokens."""

    def list(self) -> list[SigningKey]:
        """Return every key, newest first."""
        ...

    def add(self, key: SigningKey) -> None:
        """Store a new key."""
        ...

    def remove_before(self, moment: datetime) -> None:
        """Delete keys whose tokens have all expired."""
        ...


class Transaction(Protocol):
    """One transaction over what this package stores."""

    @property
    def objects(self) -> Objects: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def login_failures(self) -> LoginFailures: ...
    @property
    def signing_keys(self) -> SigningKeys: ...

    def object_changes(self, after: int, *, limit: int) -> tuple[list[ObjectChange], int]:
        """Return changes of stored objects above a revision, and the newest revision of all."""
        ...

    def change_floor(self) -> int:
        """Return the oldest revision that changes can be asked for after."""
        ...


class IdentityStore(Protocol):
    """Transactions, and the reads that are hot enough to bypass them.

    A transaction function is synchronous, touches nothing but its transaction, and may run more
    than once. Every method raises `MetadataFailed`, `StorageFull` or `StorageReadOnly` when the
    database cannot serve.
    """

    async def read(self, query: Callable[[Transaction], T]) -> T:
        """Run the function on one consistent snapshot."""
        ...

    async def write(self, change: Callable[[Transaction], T], *, durable: bool = True) -> T:
        """Run the function and commit."""
        ...

    async def find_token(self, token_id: str) -> StoredToken | None:
        """Return the stored token."""
        ...

    async def last_revision(self) -> int:
        """Return the revision of the newest change."""
        ...


class HttpClient(Protocol):
    """Asks one identity provider; its trusted CA and client certificate are set beforehand.

    Redirects are not followed, bodies and times are bounded.
    """

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str] = ..., body: bytes = b""
    ) -> HttpAnswer:
        """Return the answer, whatever its status.

        Raises:
            RemoteFailed: there was none: no connection, bad certificate, too slow, too large, or
                an address that the server may not reach.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom a provider recognised.

    `id` names the person at the provider for good; `preferred_username` is the account wished
    for, and falls back to the id. `groups` is None where the provider says nothing of groups.
    """

    id: str
    preferred_username: str = ""
    full_name: str = ""
    email: str = ""
    groups: tuple[str, ...] | None = None


class PasswordProvider(Protocol):
    """Checks a user name and a password."""

    @property
    def name(self) -> str:
        """Prefix of the names of its identities."""
        ...

    async def authenticate(self, username: str, password: str) -> Person | None:
        """Return the person, or None if the pair is wrong.

        An unknown user costs as much time as a wrong password. Never blocks the event loop.

        Raises:
            ProviderFailed: the provider cannot be asked now.
        """
        ...


class RedirectProvider(Protocol):
    """Sends the browser to an identity provider of its own and reads what comes back."""

    @property
    def name(self) -> str:
        """Prefix of the names of its identities."""
        ...

    async def begin(self, *, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Return the URL to send the browser to; `verifier` is the PKCE secret of this login.

        Raises:
            ProviderFailed: the provider cannot be asked now.
        """
        ...

    async def complete(
        self, parameters: Mapping[str, str], *, redirect_uri: str, nonce: str, verifier: str
    ) -> Person | None:
        """Return the person that the callback's query stands for, None if it was refused.

        The caller has compared `state`.

        Raises:
            ProviderFailed: the provider cannot be asked now, or answers what it may not.
        """
        ...


class HeaderProvider(Protocol):
    """Believes a proxy that has done the login and names the person in headers."""

    @property
    def name(self) -> str:
        """Prefix of the names of its identities."""
        ...

    def is_proxy(self, certificate: bytes) -> bool:
        """Tell whether a client certificate that the listener has verified is the proxy's."""
        ...

    def recognise(self, headers: Mapping[str, str], certificate: bytes) -> Person | None:
        """Return whom the proxy names; None if somebody else asks, or it names nobody."""
        ...

    def login_url(self, url: str) -> str | None:
        """Return where the proxy takes a browser that asked for a URL."""
        ...

    def challenge_url(self, url: str) -> str | None:
        """Return where the proxy takes a program that asked for a URL."""
        ...
