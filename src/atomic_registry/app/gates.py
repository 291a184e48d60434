"""How many requests run at once in a worker, from the settings."""

from collections.abc import Callable

from atomic_registry.config.settings import LimitSettings
from atomic_registry.identity.policy import Verb
from atomic_registry.web.endpoint import Access
from atomic_registry.web.gate import Gate, GateLimits
from atomic_registry.web.messages import Request


def registry_gate(settings: LimitSettings) -> Callable[[Access, Request], Gate | None]:
    """Return what says through which gate a request of the registry goes."""
    reads = _gate(
        "pulls", settings.reads_running, settings.reads_waiting, settings.reads_wait_seconds
    )
    writes = _gate(
        "writing requests",
        settings.writes_running,
        settings.writes_waiting,
        settings.writes_wait_seconds,
    )
    by_verb = {Verb.PULL: reads, Verb.PUSH: writes, Verb.DELETE: writes}
    return lambda access, _: None if access.verb is None else by_verb.get(access.verb)


def _gate(what: str, running: int, waiting: int, wait_seconds: int) -> Gate | None:
    if not running:
        return None
    limits = GateLimits(running=running, waiting=waiting, wait_seconds=wait_seconds)
    return Gate(what, limits)
