"""Signed registry tokens: short proofs of who asks and which repositories the token is for.

They are verified without the database. A token narrows what its bearer may do and never adds to
it: the policy decides each request on the present bindings.
Source: Distribution, "Token Authentication Implementation"; RFC 7519; RFC 8725.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from atomic_registry.clock import Clock
from atomic_registry.errors import CredentialsRejected
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.ports import IdentityStore, SigningKey, Transaction
from atomic_registry.identity.scopes import RepositoryScope

LIFETIME: Final = timedelta(minutes=5)
AUDIENCE: Final = "atomic-registry"
_ALGORITHM: Final = "ES256"
_SIGNS_FOR = timedelta(days=30)
# A token may outlive the key's last signature by its own life; the rest allows for clocks.
_VERIFIES_AFTER = timedelta(hours=26)
_CLOCK_SKEW = timedelta(seconds=30)
_RELOAD_SECONDS = 2.0
_MAX_TOKEN_BYTES = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a verified token says; `repositories` maps names to actions and the project's uid.

    With `for_catalog` it may also list the repositories that its bearer may pull from.
    """

    id: str
    user: str
    user_uid: str
    groups: tuple[str, ...]
    scopes: tuple[str, ...] | None
    token_id: str
    expires_at: datetime
    repositories: Mapping[str, tuple[frozenset[str], str]]
    for_catalog: bool


# Up to the year 9999, which is as far as times go here.
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]


class _Access(msgspec.Struct, kw_only=True):
    type: str
    name: str
    actions: list[str]
    project: str


class _Payload(msgspec.Struct, kw_only=True):
    """Every claim is required, so that a token of another kind or maker is refused."""

    iss: str
    aud: str
    sub: str
    jti: str
    iat: _Seconds
    nbf: _Seconds
    exp: _Seconds
    uid: str
    grp: list[str]
    tid: str
    scp: list[str] | None
    access: list[_Access]
    cat: bool


class RegistryTokens:
    """Mints and verifies. Keys lie in the database, so that every process knows them."""

    def __init__(self, store: IdentityStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._keys: dict[str, ECKey] = {}
        self._signer: SigningKey | None = None
        self._loading = asyncio.Lock()
        self._loaded_at = float("-inf")

    async def mint(
        self,
        actor: Actor,
        granted: Sequence[RepositoryScope],
        *,
        project_uid: Callable[[str], str],
        for_catalog: bool = False,
        lifetime: timedelta = LIFETIME,
    ) -> str:
        """Return a token that lets the actor use what was granted."""
        now = self._clock.now()
        signer = await self._signing_key(now)
        claims = _Payload(
            iss=AUDIENCE,
            aud=AUDIENCE,
            sub=actor.name,
            jti=self._clock.new_id(),
            iat=int(now.timestamp()),
            nbf=int((now - _CLOCK_SKEW).timestamp()),
            exp=int((now + lifetime).timestamp()),
            uid=actor.uid,
            grp=sorted(actor.groups),
            tid=actor.token_id,
            scp=None if actor.scopes is None else list(actor.scopes),
            access=[
                _Access(
                    type="repository",
                    name=scope.repository.value,
                    actions=sorted(scope.actions),
                    project=project_uid(scope.repository.value.partition("/")[0]),
                )
                for scope in granted
            ],
            cat=for_catalog,
        )
        header = {"alg": _ALGORITHM, "kid": signer.id, "typ": "JWT"}
        payload = msgspec.json.encode(claims)
        return jws.serialize_compact(header, payload, self._keys[signer.id], [_ALGORITHM])

    async def verify(self, token: str, *, late: timedelta = timedelta(0)) -> Claims:
        """Return what the token says; `late` is how long after its end it still counts.

        Raises:
            CredentialsRejected: it is not one of ours, or its time is over.
        """
        rejected = CredentialsRejected(what="registry token")
        if len(token) > _MAX_TOKEN_BYTES:
            raise rejected
        try:
            parsed = jws.extract_compact(token.encode("ascii"))
            # Of the header only the key's id is read: key material in it means nothing.
            kid = parsed.headers()["kid"]
            key = self._keys.get(kid) or await self._find_key(kid)
            if not jws.validate_compact(parsed, key, [_ALGORITHM]):
                raise rejected
            payload = msgspec.json.decode(parsed.payload, type=_Payload)
        except (JoseError, msgspec.MsgspecError, ValueError, TypeError, KeyError) as error:
            raise rejected from error
        if payload.iss != AUDIENCE or payload.aud != AUDIENCE:
            raise rejected
        begins, ends = (datetime.fromtimestamp(at, UTC) for at in (payload.nbf, payload.exp))
        if not begins - _CLOCK_SKEW <= self._clock.now() < ends + late:
            raise rejected
        return _read(payload, ends)

    async def _find_key(self, kid: str) -> ECKey:
        # Bounded, so that made-up key ids do not become reads of the database.
        if self._clock.monotonic() - self._loaded_at > _RELOAD_SECONDS:
            await self._load()
        return self._keys[kid]

    async def _signing_key(self, now: datetime) -> SigningKey:
        if self._signer is None or self._signer.signs_until <= now:
            async with self._loading:
                if self._signer is None or self._signer.signs_until <= now:
                    await self._load()
                if self._signer is None or self._signer.signs_until <= now:
                    await self._store.write(self._add_key)
                    await self._load()
        if self._signer is None:
            raise AssertionError
        return self._signer

    def _add_key(self, tx: Transaction) -> None:
        now = self._clock.now()
        if any(key.signs_until > now for key in tx.signing_keys.list()):
            return
        tx.signing_keys.remove_before(now)
        pem = ECKey.generate_key("P-256").as_pem(private=True).decode()
        signs_until = now + _SIGNS_FOR
        tx.signing_keys.add(
            SigningKey(
                id=self._clock.new_id(),
                private_pem=pem,
                created_at=now,
                signs_until=signs_until,
                verifies_until=signs_until + _VERIFIES_AFTER,
            )
        )

    async def _load(self) -> None:
        stored = await self._store.read(lambda tx: tx.signing_keys.list())
        now = self._clock.now()
        self._loaded_at = self._clock.monotonic()
        self._keys = {
            key.id: self._keys.get(key.id) or ECKey.import_key(key.private_pem)
            for key in stored
            if key.verifies_until > now
        }
        signing = [key for key in stored if key.signs_until > now]
        self._signer = max(signing, key=lambda key: key.created_at, default=None)


def _read(payload: _Payload, ends: datetime) -> Claims:
    return Claims(
        id=payload.jti,
        user=payload.sub,
        user_uid=payload.uid,
        groups=tuple(payload.grp),
        scopes=None if payload.scp is None else tuple(payload.scp),
        token_id=payload.tid,
        expires_at=ends,
        repositories={
            item.name: (frozenset(item.actions), item.project) for item in payload.access
        },
        for_catalog=payload.cat,
    )
