"""Every error that the domain can raise, with a sample of each."""

import inspect
from collections.abc import Iterator
from typing import Any

from atomic_registry.errors import DomainError

_VALUES: dict[str, Any] = {
    "digests": ["sha256:a"],
    "causes": [("spec.name", "missing")],
    "conflicts": [('"kubectl"', ".data.key")],
    "allowed": ["GET"],
    "start": 5,
    "offset": 3,
    "size": 7,
    "limit": 9,
    "limit_seconds": 9,
    "seconds": 60.0,
    "expected": 1,
    "actual": 2,
    "received": 4,
    "retry_after_seconds": 6,
}


def _leaves(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    children = kind.__subclasses__()
    if not children:
        yield kind
    for child in children:
        yield from _leaves(child)


def sample(kind: type[DomainError]) -> DomainError:
    """Return an error of the class, with a value for each fact that it names."""
    names = [name for name in inspect.signature(kind).parameters if name != "detail"]
    return kind(**{name: _VALUES.get(name, "text") for name in names})


LEAVES = sorted(_leaves(DomainError), key=lambda kind: kind.__name__)
