"""Access control of one process: who calls, and may they."""

import asyncio
import contextlib
import ipaddress
from collections.abc import Sequence
from datetime import timedelta

import structlog

from atomic_registry.app.providers import Providers
from atomic_registry.clock import Clock
from atomic_registry.config.identity_providers import IdentityProviderConfig
from atomic_registry.errors import Unavailable
from atomic_registry.identity.directory import Directory
from atomic_registry.identity.logins import LoginService
from atomic_registry.identity.ports import IdentityStore, Transaction
from atomic_registry.identity.rbac import RbacPolicy
from atomic_registry.identity.registry_tokens import RegistryTokens
from atomic_registry.identity.tokens import TokenService
from atomic_registry.web.credentials import Credentials
from atomic_registry.web.forwarded import Forwarding

_logger = structlog.get_logger(__name__)
# How far behind a withdrawn right may be; what was granted counts at once.
_FOLLOW_SECONDS = 1.0
_FLUSH_SECONDS = 30.0
_EXPIRE_BATCH = 1000
ANYBODY = (
    "Anybody who reaches this registry can log in under any name: the AllowAll identity provider "
    "is in force."
)
_FAILURES_KEPT = timedelta(days=1)


class AccessControl:
    """The parts of identity, built on one store; every service has its own."""

    def __init__(
        self,
        store: IdentityStore,
        providers: Sequence[IdentityProviderConfig],
        *,
        trusted_proxies: str,
        clock: Clock,
    ) -> None:
        self._store = store
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self.providers = Providers(providers, clock)
        self.directory = Directory(store)
        self.policy = RbacPolicy(self.directory)
        self.tokens = TokenService(store, clock)
        self.registry_tokens = RegistryTokens(store, clock)
        self.logins = LoginService(store, self.providers.all, clock)
        self.forwarding = Forwarding(parse_networks(trusted_proxies))
        self.credentials = Credentials(
            self.directory,
            self.logins,
            self.tokens,
            self.registry_tokens,
            clock,
        )

    @property
    def notices(self) -> dict[str, str]:
        """What everybody who asks for the readiness should know."""
        return {"identity": ANYBODY} if self.logins.is_open else {}

    async def start(self, *, cleans_up: bool) -> None:
        """Read who holds which rights, and follow what changes."""
        await self.directory.refresh()
        self._tasks.append(asyncio.create_task(self.directory.follow(_FOLLOW_SECONDS)))
        self._tasks.append(asyncio.create_task(self._keep_tokens(cleans_up=cleans_up)))

    async def close(self) -> None:
        """Stop following and write down what is still in memory."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        with contextlib.suppress(Unavailable):
            await self.tokens.flush_used()
        await self.providers.close()

    async def _keep_tokens(self, *, cleans_up: bool) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            try:
                await self.tokens.flush_used()
                if cleans_up:
                    await self._store.write(self._remove_expired, durable=False)
            except Unavailable as error:
                _logger.warning("uses of tokens not written down", reason=error.message)

    def _remove_expired(self, tx: Transaction) -> None:
        now = self._clock.now()
        tx.tokens.remove_expired(now, limit=_EXPIRE_BATCH)
        tx.login_failures.remove_before(now - _FAILURES_KEPT)


def parse_networks(text: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Return the networks of a list with commas.

    Raises:
        ValueError: one of them is none.
    """
    return [ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip()]
