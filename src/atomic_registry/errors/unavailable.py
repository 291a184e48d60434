"""A dependency fails; the same request may work later."""

from atomic_registry.errors.base import DomainError


class Unavailable(DomainError):
    """A dependency fails now; the same request may work later."""

    retry_after_seconds = 5


class StorageFull(Unavailable):
    """The disk or the quota of the storage is exhausted."""

    def __init__(self, *, what: str) -> None:
        super().__init__(
            f"{what}: the registry's disk is full; nothing acknowledged is lost, "
            "ask the administrator to free space, then try again"
        )


class StorageReadOnly(Unavailable):
    """The storage refuses writes."""

    def __init__(self, *, what: str) -> None:
        super().__init__(
            f"{what}: the registry's storage is read-only; ask the administrator to make it "
            "writable, then try again"
        )


class StorageFailed(Unavailable):
    """The storage answers with an error."""

    def __init__(self, *, what: str, reason: str) -> None:
        super().__init__(f"{what}: the registry's storage failed ({reason}); try again")


class MetadataFailed(Unavailable):
    """The metadata database cannot be used now."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"the registry's database cannot be used now ({reason}); try again")


class ProviderFailed(Unavailable):
    """An identity provider cannot be asked now, or answers nonsense."""

    def __init__(self, *, provider: str, reason: str) -> None:
        super().__init__(
            f"identity provider {provider} failed ({reason}); try again, "
            "and tell the administrator if it goes on",
            provider=provider,
        )


class TimedOut(DomainError):
    """A request took longer than it may. Whether it still takes effect is unknown."""

    def __init__(self, *, seconds: float) -> None:
        super().__init__(
            f"the request took longer than {seconds:g} seconds; it may still take effect: "
            "look at what it was about before you try again"
        )


class FutureRevision(Unavailable):
    """A state is asked for that is newer than anything here."""

    def __init__(self, *, revision: int, newest: int) -> None:
        super().__init__(
            f"Too large resource version: {revision}, current: {newest}; "
            "list without resourceVersion to begin anew"
        )


class RemoteFailed(Unavailable):
    """A remote server gives no usable answer."""

    def __init__(self, *, host: str, reason: str) -> None:
        super().__init__(f"no answer from {host} ({reason}); try again", host=host)
        self.reason = reason
