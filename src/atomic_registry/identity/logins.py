"""Logging in with a user name and a password, and for people whom a provider vouches for.

Whatever was wrong, a caller sees the same error after much the same time. What succeeded is
remembered for a few seconds, so that Basic authentication on every request stays cheap.
"""

import asyncio
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import structlog

from atomic_registry.clock import Clock
from atomic_registry.errors import CredentialsRejected, ObjectUnknown, ProviderFailed
from atomic_registry.identity.accounts import Accounts, MappingMethod, Recognised
from atomic_registry.identity.actors import AUTHENTICATED, AUTHENTICATED_OAUTH, Actor
from atomic_registry.identity.ports import (
    HeaderProvider,
    IdentityStore,
    PasswordProvider,
    Person,
    RedirectProvider,
)
from atomic_registry.identity.providers.allow_all import AllowAll
from atomic_registry.identity.providers.pairs import is_usable_pair
from atomic_registry.identity.throttle import Throttle

_logger = structlog.get_logger(__name__)

_REMEMBERED_SECONDS = 10.0
_MAX_REMEMBERED = 10_000


@runtime_checkable
class Versioned(Protocol):
    """A provider that can tell when its passwords change."""

    @property
    def version(self) -> str:
        """Another text after each change."""
        ...


@runtime_checkable
class _ChecksPasswords(PasswordProvider, Protocol):
    """Tells at run time which providers can be asked about a password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredProvider:
    """A provider with its options: `challenge` for Basic, `login` for pages in a browser."""

    provider: PasswordProvider | RedirectProvider | HeaderProvider
    mapping: MappingMethod
    challenge: bool
    login: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asker:
    """A provider that checks passwords."""

    provider: PasswordProvider
    mapping: MappingMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    username: str
    password: str
    address: str
    askers: tuple[_Asker, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remembered:
    actor: Actor
    expires: float
    versions: tuple[str, ...]


class LoginService:
    """Turns credentials of people into actors."""

    def __init__(
        self, store: IdentityStore, providers: Sequence[ConfiguredProvider], clock: Clock
    ) -> None:
        self._providers = tuple(providers)
        self._clock = clock
        self._accounts = Accounts(store, clock)
        self._throttle = Throttle(store, clock)
        self._key = (clock.new_id() + clock.new_id()).encode()
        self._remembered: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._running: dict[bytes, asyncio.Task[Actor]] = {}

    @property
    def providers(self) -> Sequence[ConfiguredProvider]:
        """Those that are configured, in their order."""
        return self._providers

    @property
    def is_open(self) -> bool:
        """Anybody gets in under any name."""
        return any(isinstance(each.provider, AllowAll) for each in self._providers)

    async def login(
        self, username: str, password: str, *, address: str, provider: str = ""
    ) -> Actor:
        """Return whom the user name and the password stand for.

        Asks the providers that take challenges in their order; with a name, only that provider,
        for its page in the browser.

        Raises:
            CredentialsRejected: nobody recognises the pair, or the account is disabled.
            TooMany: it is too soon after failures.
            LoginRefused: the person may not have an account.
            ProviderFailed: nobody recognises the pair, and not all could be asked.
        """
        if not is_usable_pair(username, password):
            raise CredentialsRejected
        attempt = _Try(
            username=username,
            password=password,
            address=address,
            askers=tuple(self._askers(provider)),
        )
        digest = self._digest(provider, username, password)
        remembered = self._find_remembered(digest, attempt)
        if remembered is not None:
            return remembered
        # A client that opens many connections at once sends the same pair on each: one check
        # answers all. It goes on when the client leaves, so that leaving hides no failure.
        key = self._digest(provider, username, password, address)
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(self._check(attempt, digest))
            self._running[key] = task
            task.add_done_callback(lambda done: self._forget_running(key, done))
        return await asyncio.shield(task)

    async def admit(self, provider_name: str, person: Person) -> Actor:
        """Return the actor of a person whom a provider recognised without a password here.

        Raises:
            CredentialsRejected: the account is disabled.
            LoginRefused: the person may not have an account.
            ObjectUnknown: no such provider is configured.
        """
        for each in self._providers:
            if each.provider.name == provider_name:
                return await self._admit(provider_name, person, each.mapping)
        raise ObjectUnknown(kind="identity provider", name=provider_name)

    def _askers(self, name: str) -> list[_Asker]:
        return [
            _Asker(provider=each.provider, mapping=each.mapping)
            for each in self._providers
            if (each.login and each.provider.name == name if name else each.challenge)
            and isinstance(each.provider, _ChecksPasswords)
        ]

    async def _check(self, attempt: _Try, digest: bytes) -> Actor:
        # Read before the check: a file that changes meanwhile must not count as checked.
        versions = _versions(attempt.askers)
        async with self._throttle.attempt(attempt.username, address=attempt.address) as guard:
            answered, failure = 0, None
            for asker in attempt.askers:
                try:
                    person = await asker.provider.authenticate(attempt.username, attempt.password)
                except ProviderFailed as error:
                    failure = error
                    _report(asker.provider.name, error)
                    continue
                if person is not None:
                    actor = await self._admit(asker.provider.name, person, asker.mapping)
                    self._remember(digest, actor, versions)
                    return actor
                answered += 1
            if failure is None:
                raise CredentialsRejected
            if answered:
                # Otherwise one provider that is down would let people guess at the others.
                guard.fail()
            raise failure

    async def _admit(self, provider: str, person: Person, mapping: MappingMethod) -> Actor:
        user = await self._accounts.admit(
            Recognised(provider=provider, person=person, mapping=mapping)
        )
        return Actor(
            name=user.metadata.name,
            uid=user.metadata.uid,
            groups=frozenset({AUTHENTICATED, AUTHENTICATED_OAUTH}),
        )

    def _digest(self, *parts: str) -> bytes:
        # Lengths keep ("a", "bc") apart from ("ab", "c").
        text = "".join(f"{len(part)}:{part}" for part in parts)
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def _find_remembered(self, digest: bytes, attempt: _Try) -> Actor | None:
        entry = self._remembered.get(digest)
        if entry is None:
            return None
        is_fresh = self._clock.monotonic() < entry.expires
        if is_fresh and entry.versions == _versions(attempt.askers):
            return entry.actor
        del self._remembered[digest]
        return None

    def _remember(self, digest: bytes, actor: Actor, versions: tuple[str, ...]) -> None:
        expires = self._clock.monotonic() + _REMEMBERED_SECONDS
        self._remembered[digest] = _Remembered(actor=actor, expires=expires, versions=versions)
        self._remembered.move_to_end(digest)
        if len(self._remembered) > _MAX_REMEMBERED:
            self._remembered.popitem(last=False)

    def _forget_running(self, key: bytes, task: asyncio.Task[Actor]) -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            # Looked at, so that asyncio does not report it when every caller has left.
            task.exception()


def _versions(askers: Sequence[_Asker]) -> tuple[str, ...]:
    return tuple(
        asker.provider.version for asker in askers if isinstance(asker.provider, Versioned)
    )


def _report(provider: str, error: ProviderFailed) -> None:
    # The first cause says what is wrong, for example with a certificate; callers never see it.
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    _logger.warning(
        "identity provider failed and was skipped",
        provider=provider,
        reason=error.message,
        cause=f"{type(cause).__name__}: {cause}"[:500],
    )
