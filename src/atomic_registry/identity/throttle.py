"""Slows down guessing on every login path, without letting a guesser lock others out.

Failed logins are counted in the shared store under three keys, and each has its own back-off:
the account from this address, this address whatever the account, and the account from anywhere.
The last two never stop an address from an account that it has logged in to lately.
"""

import hashlib
import ipaddress
import unicodedata
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from atomic_registry.clock import Clock
from atomic_registry.errors import CredentialsRejected, TooMany
from atomic_registry.identity.ports import IdentityStore, Transaction

_LATELY = timedelta(days=1)
_MAX_KNOWN = 10_000
_CLEAN_EVERY = timedelta(minutes=10)
# Tries wait for few threads; what is beyond waits at the client instead.
_MAX_PENDING = 256
_MAX_PENDING_OF_ADDRESS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """After `free` failures within `window`, wait 1 s, then twice as long after each `step`."""

    free: int
    step: int
    longest: timedelta
    window: timedelta

    def delay(self, failures: int) -> timedelta:
        if failures < self.free:
            return timedelta()
        doublings = (failures - self.free) // self.step
        # A bound on the exponent keeps the number small whatever was counted.
        return min(timedelta(seconds=2 ** min(doublings, 20)), self.longest)


_PAIR = _Rule(free=5, step=1, longest=timedelta(minutes=15), window=timedelta(days=1))
_ADDRESS = _Rule(free=30, step=5, longest=timedelta(minutes=15), window=timedelta(hours=1))
_ACCOUNT = _Rule(free=50, step=25, longest=timedelta(seconds=30), window=timedelta(hours=1))


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One try to log in; failed if the block that it guards says so or rejects the credentials."""

    pair: str
    address: str
    account: str
    has_failures: bool = False
    is_failed: bool = False

    def fail(self) -> None:
        """Count this try as failed, whatever else happens."""
        self.is_failed = True


class Throttle:
    """Counts failed logins and refuses those that come too soon."""

    def __init__(self, store: IdentityStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: OrderedDict[str, datetime] = OrderedDict()
        self._pending: Counter[str] = Counter()
        self._cleaned_at = clock.now()

    @asynccontextmanager
    async def attempt(self, account: str, *, address: str) -> AsyncIterator[Attempt]:
        """Guard a login: enter, check the credentials inside, raise CredentialsRejected if bad.

        A block that ends without an exception is a success and forgets the failures of this
        account from this address.

        Raises:
            TooMany: it is too soon after failures.
        """
        attempt = _keys(account, address)
        keys = (attempt.pair, attempt.address)
        if not self._is_known(attempt.pair):
            self._check_pending(attempt.address)
        self._pending.update(keys)
        try:
            await self._check(attempt)
            try:
                yield attempt
            except CredentialsRejected:
                attempt.fail()
                raise
            finally:
                if attempt.is_failed:
                    await self._count(attempt)
            if not attempt.is_failed:
                await self._succeed(attempt)
        finally:
            self._pending.subtract(keys)
            self._pending += Counter()

    def _check_pending(self, address: str) -> None:
        # Each try counts under two keys.
        for pending, limit in (
            (self._pending[address], _MAX_PENDING_OF_ADDRESS),
            (self._pending.total() // 2, _MAX_PENDING),
        ):
            if pending >= limit:
                raise TooMany(what="logins at once", limit=limit, retry_after_seconds=1)

    async def _check(self, attempt: Attempt) -> None:
        now = self._clock.now()
        rules = {attempt.pair: _PAIR}
        if not self._is_known(attempt.pair):
            rules |= {attempt.address: _ADDRESS, attempt.account: _ACCOUNT}

        def find_waits(tx: Transaction) -> list[tuple[int, timedelta, _Rule]]:
            return [self._wait(tx, key, rule, now) for key, rule in rules.items()]

        waits = await self._store.read(find_waits)
        attempt.has_failures = waits[0][0] > 0
        _, wait, rule = max(waits, key=lambda each: each[1])
        if wait:
            raise TooMany(
                what="failed logins",
                limit=rule.free,
                # The store keeps whole seconds, so a failure may seem that much younger.
                retry_after_seconds=int(wait.total_seconds()) + 1,
            )

    def _wait(
        self, tx: Transaction, key: str, rule: _Rule, now: datetime
    ) -> tuple[int, timedelta, _Rule]:
        failures = tx.login_failures.count([key], since=now - rule.window).get(key, 0)
        # Tries whose end is not known count as failed, or a burst would pass as one.
        others = max(self._pending[key] - 1, 0)
        delay = rule.delay(failures + others)
        if delay and not others:
            recent = tx.login_failures.count([key], since=now - delay)
            delay = delay if recent.get(key, 0) else timedelta()
        return failures, delay, rule

    async def _count(self, attempt: Attempt) -> None:
        now = self._clock.now()
        is_due = now - self._cleaned_at >= _CLEAN_EVERY
        if is_due:
            self._cleaned_at = now

        def add(tx: Transaction) -> None:
            tx.login_failures.add([attempt.pair, attempt.address, attempt.account], now)
            if is_due:
                tx.login_failures.remove_before(now - _PAIR.window)

        await self._store.write(add, durable=False)

    async def _succeed(self, attempt: Attempt) -> None:
        self._known[attempt.pair] = self._clock.now()
        self._known.move_to_end(attempt.pair)
        if len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)
        if attempt.has_failures:
            await self._store.write(
                lambda tx: tx.login_failures.forget([attempt.pair]), durable=False
            )

    def _is_known(self, pair: str) -> bool:
        seen = self._known.get(pair)
        return seen is not None and self._clock.now() - seen < _LATELY


def _keys(account: str, address: str) -> Attempt:
    # Directories take names that differ in case, width or spaces for one; so must the counter.
    name = " ".join(unicodedata.normalize("NFKC", account).casefold().split())
    network = _network(address)
    return Attempt(
        pair=_hash("pair", name, network),
        address=_hash("address", network),
        account=_hash("account", name),
    )


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        # A Unix socket has no address; all its callers count as one.
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    # Whoever has one IPv6 address has at least the other 2^64 of its network.
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _hash(*parts: str) -> str:
    joined = "\0".join(parts).encode("utf-8", "surrogatepass")
    return f"{parts[0]}:{hashlib.sha256(joined).hexdigest()}"
