"""Who asks is unknown, or may not."""

from atomic_registry.errors.base import DomainError


class Unauthenticated(DomainError):
    """Nobody is logged in, and the request needs somebody."""

    def __init__(self) -> None:
        super().__init__("authentication required: log in first")


class CredentialsRejected(Unauthenticated):
    """The user name and password, or the token, are not good.

    It never tells which part was wrong, nor whether an account exists.
    """

    def __init__(self, *, what: str = "user name or password") -> None:
        DomainError.__init__(self, f"{what} not accepted: check it, or log in again")


class ScopeMissing(Unauthenticated):
    """The caller may do this, but not with the registry token that was sent."""

    def __init__(self) -> None:
        DomainError.__init__(
            self, "the token was not made for this: ask for one with the scope of the challenge"
        )


class Denied(DomainError):
    """The caller may not do this."""

    def __init__(self, *, actor: str, verb: str, resource: str, reason: str = "") -> None:
        why = f": {reason}" if reason else ""
        super().__init__(f"{actor} may not {verb} {resource}{why}", verb=verb, resource=resource)


class LoginRefused(DomainError):
    """A provider recognised the person, but no account here may be theirs."""

    def __init__(self, *, code: str, reason: str) -> None:
        super().__init__(f"login refused: {reason}", code=code)
        self.code = code


class GrantRefused(DomainError):
    """An OAuth request cannot be granted; `code` is the error of RFC 6749 or RFC 8628."""

    def __init__(self, *, code: str, reason: str) -> None:
        super().__init__(reason, code=code)
        self.code = code


class TooMany(DomainError):
    """A limit on the number of things is reached for now."""

    def __init__(self, *, what: str, limit: int, retry_after_seconds: int) -> None:
        super().__init__(
            f"too many {what}: at most {limit}; try again in {retry_after_seconds} seconds",
            limit=limit,
        )
        self.retry_after_seconds = retry_after_seconds
