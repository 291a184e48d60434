"""Which requests may run, and how many at once in a worker, from the settings."""

from collections.abc import Callable

from atomic_registry.config.master_config import MasterConfig
from atomic_registry.config.settings import LimitSettings, Settings, StorageSettings
from atomic_registry.errors import Denied, MethodUnsupported
from atomic_registry.identity.policy import Right, Verb
from atomic_registry.web.endpoint import Access
from atomic_registry.web.gate import Gate, GateLimits
from atomic_registry.web.messages import Request

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_DELETES = frozenset({"delete", "deletecollection"})
_PROJECTS = frozenset({"namespaces", "projects"})


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


def master_gate(
    settings: Settings, config: MasterConfig, prefixes: tuple[str, ...]
) -> Callable[[Access, Request], Gate | None]:
    """Return what says whether a request of the API may run, and through which gate.

    A watch goes on for hours, so it counts for nothing.
    """
    programs = config.policy_config.user_agent_matching_config
    most = config.serving_info.max_requests_in_flight
    # Each worker counts its own.
    gate = _gate("requests", -(-most // settings.master.workers), 0, 0) if most > 0 else None

    def choose(access: Access, request: Request) -> Gate | None:
        if access.is_for_anybody or not request.path.startswith(prefixes):
            return None
        message = programs.refusal(request.method, request.headers.get("User-Agent", ""))
        if message:
            raise Denied(actor=request.actor.name, verb="use", resource="this API", reason=message)
        if access.right is not None and request.method not in _READS:
            _refuse_switched_off(settings.storage, access.right(request), request)
        is_watch = request.query.get("watch") or "/watch/" in request.path
        return None if is_watch else gate

    return choose


def _refuse_switched_off(settings: StorageSettings, right: Right, request: Request) -> None:
    """Return unless the request changes images where that is switched off."""
    deletes = right.verb in _DELETES
    # With a project go its images.
    touches = right.resource.startswith("image") or (deletes and right.resource in _PROJECTS)
    if touches and (settings.read_only or (deletes and not settings.deletes)):
        hint = "the administrator has made the registry read-only, or switched deletions off"
        raise MethodUnsupported(method=request.method, allowed=("GET", "HEAD"), hint=hint)


def _gate(what: str, running: int, waiting: int, wait_seconds: int) -> Gate | None:
    if not running:
        return None
    limits = GateLimits(running=running, waiting=waiting, wait_seconds=wait_seconds)
    return Gate(what, limits)
