"""What the tables of errors of all faces share: the most specific class decides."""

from collections.abc import Mapping

from atomic_registry.errors import DomainError, MethodUnsupported, TooMany, Unavailable

Row = tuple[int, str]


def find_row(table: Mapping[type[DomainError], Row], error: DomainError, *, unknown: str) -> Row:
    """Return status and code; of an error without a row, those of a fault of ours."""
    for kind in type(error).__mro__:
        if kind in table:
            return table[kind]
    return 500, unknown


def common_headers(error: DomainError) -> dict[str, str]:
    """Return what HTTP itself wants of an error: when to try again, and what is allowed."""
    match error:
        case MethodUnsupported():
            return {"Allow": ", ".join(error.allowed)}
        case TooMany() | Unavailable():
            return {"Retry-After": str(error.retry_after_seconds)}
        case _:
            return {}
