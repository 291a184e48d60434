"""The device grant: a program without a browser shows a code, its user types it elsewhere.

Source: RFC 8628.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from atomic_registry.clock import Clock
from atomic_registry.errors import GrantRefused, TooMany
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.grants import GrantService, IssuedTokens, has_account, use_session
from atomic_registry.identity.oauth_clients import check_client_scopes
from atomic_registry.identity.ports import IdentityStore, StoredToken, TokenKind, Transaction
from atomic_registry.identity.records import OAuthClient
from atomic_registry.identity.tokens import TokenService, hash_secret

# No vowels, so that no words come out, and nothing that looks like a digit (RFC 8628, 6.1).
ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
_CODE_LENGTH = 8
_WINDOW = timedelta(minutes=10)
_MAX_GUESSES = 10
_MAX_STARTS = 60
_MAX_INTERVAL_SECONDS = 120
_SLOWER_SECONDS = 5
_ANSWER = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedDevice:
    """What the program is told."""

    device_code: str
    user_code: str
    expires_in_seconds: int
    interval_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingDevice:
    """What the user is asked to approve."""

    id: str
    client: str
    scopes: tuple[str, ...]


def clean_user_code(text: str) -> str:
    """Return what a person typed without what does not count: case, dashes, blanks."""
    return "".join(letter for letter in text.upper()[:64] if letter in ALPHABET)


class DeviceGrantService:
    """Pairs programs with users.

    The row of a device code is only written for the program that polls; the user's answer is a
    row of its own, so that neither can overwrite the other.
    """

    def __init__(
        self, store: IdentityStore, tokens: TokenService, grants: GrantService, clock: Clock
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._grants = grants
        self._clock = clock

    async def start(
        self, client: OAuthClient, scopes: tuple[str, ...], *, address: str
    ) -> StartedDevice:
        """Begin a pairing.

        Raises:
            GrantRefused: a scope is not for this client.
            TooMany: the address has begun many of late.
        """
        options = self._grants.options
        wanted = check_client_scopes(client, scopes)
        secret, token = self._tokens.prepare(
            TokenKind.DEVICE, user="", user_uid="", lifetime=options.device_lifetime
        )
        user_code = self._new_user_code()
        interval = options.device_interval_seconds
        token = replace(
            token,
            client=client.metadata.name,
            scopes=wanted,
            state={
                "user_code": hash_secret(user_code),
                "interval": str(interval),
                "polled_at": "",
            },
        )

        def change(tx: Transaction) -> None:
            now = self._clock.now()
            self._throttle(tx, [f"device-start:{address}"], now, limit=_MAX_STARTS)
            tx.login_failures.add([f"device-start:{address}"], now)
            tx.tokens.add(token)

        await self._store.write(change)
        return StartedDevice(
            device_code=secret,
            user_code=f"{user_code[:4]}-{user_code[4:]}",
            expires_in_seconds=int(options.device_lifetime.total_seconds()),
            interval_seconds=interval,
        )

    async def get_pending(self, actor: Actor, user_code: str, *, address: str) -> PendingDevice:
        """Return what waits for approval under a user code.

        Raises:
            TooMany: this user or this address has tried too many codes.
            GrantRefused: no program waits under this code.
        """

        def change(tx: Transaction) -> StoredToken | None:
            return self._find(tx, actor, user_code, address)

        token = await self._store.write(change)
        if token is None:
            raise _unknown_code()
        return PendingDevice(id=token.id, client=token.client, scopes=token.scopes)

    async def answer(
        self, actor: Actor, user_code: str, *, approves: bool, address: str, session: str = ""
    ) -> PendingDevice:
        """Record the user's answer, which cannot be changed; it uses up the login session.

        Raises:
            TooMany, GrantRefused: as `get_pending`.
        """

        def change(tx: Transaction) -> StoredToken | None:
            token = self._find(tx, actor, user_code, address)
            if token is not None:
                use_session(tx, session, actor, self._clock.now())
                state = {_ANSWER: "approved" if approves else "denied"}
                tx.tokens.add(
                    replace(
                        token,
                        id=_answer_id(token.id),
                        user=actor.name,
                        user_uid=actor.uid,
                        family=self._clock.new_id(),
                        state=state,
                    )
                )
            return token

        token = await self._store.write(change)
        if token is None:
            raise _unknown_code()
        return PendingDevice(id=token.id, client=token.client, scopes=token.scopes)

    async def poll(self, client: OAuthClient, device_code: str) -> IssuedTokens:
        """Return the tokens once the user has approved.

        Raises:
            GrantRefused: not yet, too soon after the last time, refused, expired or unknown.
        """
        outcome = await self._store.write(
            lambda tx: self._poll(tx, client, hash_secret(device_code))
        )
        if isinstance(outcome, str):
            raise GrantRefused(code=outcome, reason=_REASONS[outcome])
        return outcome

    def _poll(self, tx: Transaction, client: OAuthClient, token_id: str) -> IssuedTokens | str:
        # It returns rather than raises: what it wrote must be committed.
        token = tx.tokens.find(token_id)
        if token is None or token.kind is not TokenKind.DEVICE:
            return "invalid_grant"
        if token.client != client.metadata.name:
            return "invalid_grant"
        now = self._clock.now()
        if token.expires_at is None or token.expires_at <= now:
            return "expired_token"
        answer = tx.tokens.find(_answer_id(token_id))
        if answer is None:
            return self._pace(tx, token, now)
        taken = tx.tokens.take(answer.id)
        tx.tokens.remove(token_id)
        if taken is None or answer.state[_ANSWER] != "approved" or not has_account(tx, answer):
            return "access_denied"
        return self._grants.issue(tx, client, answer)

    def _pace(self, tx: Transaction, token: StoredToken, now: datetime) -> str:
        interval = int(token.state["interval"])
        polled_at = token.state["polled_at"]
        is_soon = bool(polled_at) and (now - datetime.fromisoformat(polled_at)) < timedelta(
            seconds=interval
        )
        if is_soon:
            interval = min(interval + _SLOWER_SECONDS, _MAX_INTERVAL_SECONDS)
        state: Mapping[str, str] = {
            **token.state,
            "polled_at": now.isoformat(),
            "interval": str(interval),
        }
        tx.tokens.update(replace(token, state=state))
        return "slow_down" if is_soon else "authorization_pending"

    def _find(
        self, tx: Transaction, actor: Actor, user_code: str, address: str
    ) -> StoredToken | None:
        now = self._clock.now()
        keys = [f"device-user:{actor.name}", f"device-address:{address}"]
        self._throttle(tx, keys, now, limit=_MAX_GUESSES)
        code = clean_user_code(user_code)
        found = tx.tokens.find_by_state(TokenKind.DEVICE, "user_code", hash_secret(code))
        is_open = found is not None and found.expires_at is not None and found.expires_at > now
        if found is None or not is_open or tx.tokens.find(_answer_id(found.id)) is not None:
            tx.login_failures.add(keys, now)
            return None
        return found

    def _throttle(self, tx: Transaction, keys: list[str], now: datetime, *, limit: int) -> None:
        counts = tx.login_failures.count(keys, since=now - _WINDOW)
        if any(count >= limit for count in counts.values()):
            raise TooMany(
                what="tries with codes",
                limit=limit,
                retry_after_seconds=int(_WINDOW.total_seconds()),
            )

    def _new_user_code(self) -> str:
        number = int(self._clock.new_id(), 16)
        letters = []
        for _ in range(_CODE_LENGTH):
            number, index = divmod(number, len(ALPHABET))
            letters.append(ALPHABET[index])
        return "".join(letters)


_REASONS = {
    "authorization_pending": "the user has not answered yet",
    "slow_down": "wait longer between two requests",
    "expired_token": "the user did not answer in time: start again",
    "access_denied": "the user refused",
    "invalid_grant": "the device code is not valid",
}


def _answer_id(device_id: str) -> str:
    # No secret hashes to this form, so that nobody can poll with it.
    return f"{device_id}.{_ANSWER}"


def _unknown_code() -> GrantRefused:
    return GrantRefused(
        code="invalid_grant", reason="no program waits under this code: check it, or start again"
    )
