"""What every service of this package needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from atomic_registry.clock import Clock
from atomic_registry.content.ports import Transaction
from atomic_registry.content.tags import HISTORY_KEPT, Mover
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.policy import Policy

T = TypeVar("T")


class Transactions(Protocol):
    """Reads and writes as in `MetadataStore`; in a rehearsal no write is kept."""

    async def read(self, query: Callable[[Transaction], T]) -> T: ...
    async def write(self, change: Callable[[Transaction], T]) -> T: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The store, who decides, the time, and `host`, where clients push to and pull from."""

    metadata: Transactions
    policy: Policy
    clock: Clock
    host: str
    history_kept: int = HISTORY_KEPT

    def mover(self, actor: Actor) -> Mover:
        """Return the actor as the one who moves tags now."""
        return Mover(actor=actor, now=self.clock.now(), history_kept=self.history_kept)
