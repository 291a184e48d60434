"""What was sent cannot be right, or is more than is taken."""

from collections.abc import Sequence

from atomic_registry.errors.base import DomainError, clip, shorten


class Invalid(DomainError):
    """What was sent cannot be right, whatever the state of the registry."""


class NameInvalid(Invalid):
    """A repository name that breaks the grammar."""

    def __init__(self, *, name: str, reason: str) -> None:
        super().__init__(f"repository name {shorten(name)} is not valid: {reason}", name=name[:255])


class TagInvalid(Invalid):
    """A tag that breaks the grammar."""

    def __init__(self, *, tag: str) -> None:
        super().__init__(
            f"tag {shorten(tag)} is not valid: use 1 to 128 letters, digits, '_', '.' or '-', "
            "not starting with '.' or '-'",
            tag=tag[:255],
        )


class DigestInvalid(Invalid):
    """A digest that cannot be parsed or whose algorithm is unknown."""

    def __init__(self, *, digest: str, reason: str) -> None:
        super().__init__(f"digest {shorten(digest)} is not valid: {reason}", digest=digest[:255])


class DigestMismatch(Invalid):
    """The bytes that arrived are not those of the digest that was given."""

    def __init__(self, *, expected: str, actual: str) -> None:
        super().__init__(
            f"the content that arrived has digest {actual}, not {expected}; nothing was kept, "
            "upload it again",
            expected=expected,
            actual=actual,
        )


class SizeMismatch(Invalid):
    """A body or a descriptor has another length than announced."""

    def __init__(self, *, what: str, expected: int, actual: int) -> None:
        super().__init__(
            f"{what} is {actual} bytes long, but {expected} were announced",
            expected=expected,
            actual=actual,
        )


class ManifestInvalid(Invalid):
    """A manifest that breaks its specification."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"manifest is not valid: {reason}", reason=reason)


class ParameterInvalid(Invalid):
    """A query parameter or a header that cannot be used."""

    def __init__(self, *, parameter: str, value: str, reason: str) -> None:
        super().__init__(
            f"{parameter} {shorten(value)} is not valid: {reason}", parameter=parameter
        )


class ObjectInvalid(Invalid):
    """An object that breaks the rules of its kind; `causes` are (field, reason) pairs."""

    def __init__(self, *, kind: str, name: str, causes: Sequence[tuple[str, str]]) -> None:
        listed = "; ".join(f"{field}: {reason}" for field, reason in causes)
        super().__init__(f"{kind} {shorten(name)} is invalid: {listed}", kind=kind, name=name)
        self.kind = kind
        self.name = name
        self.causes = tuple(causes)


class PatchFailed(Invalid):
    """A patch that does not fit the object; `operation` says which part of it."""

    def __init__(self, *, operation: str, reason: str) -> None:
        super().__init__(f"{clip(operation)} cannot be applied: {reason}")


class BodyInterrupted(Invalid):
    """The client went away, or the body ended before its announced length."""

    def __init__(self, *, received: int) -> None:
        super().__init__(
            f"the request body ended early, after {received} bytes; send it again",
            received=received,
        )


class TooLarge(DomainError):
    """A body is longer than the limit for its kind."""

    def __init__(self, *, what: str, limit: int) -> None:
        super().__init__(f"{what} is larger than the limit of {limit} bytes", limit=limit)


class TooSlow(DomainError):
    """The client sent nothing for longer than the limit."""

    def __init__(self, *, limit_seconds: int) -> None:
        super().__init__(
            f"the request body stalled for more than {limit_seconds} seconds; "
            "what arrived of an upload is kept, ask for its status and continue",
            limit=limit_seconds,
        )


class RangeUnsatisfiable(DomainError):
    """No requested byte range lies within the content."""

    def __init__(self, *, size: int) -> None:
        super().__init__(f"the content has {size} bytes; no requested range lies within", size=size)
        self.size = size


class Unsupported(DomainError):
    """Something that the registry knows and does not do."""

    def __init__(self, *, what: str, hint: str) -> None:
        super().__init__(f"{what} is not supported: {hint}")


class MethodUnsupported(Unsupported):
    """The endpoint exists, but not with this method."""

    def __init__(self, *, method: str, allowed: Sequence[str], hint: str = "") -> None:
        hint = hint or f"use {', '.join(allowed)}"
        super().__init__(what=f"method {shorten(method)}", hint=hint)
        self.allowed = tuple(allowed)


class NotAcceptable(Unsupported):
    """None of the media types that the client takes is one that the endpoint makes."""

    def __init__(self, *, accept: str, served: str) -> None:
        what = f"an answer as {shorten(accept)}"
        super().__init__(what=what, hint=f"send an Accept header with {served}")
