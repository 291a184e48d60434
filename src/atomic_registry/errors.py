"""Every error that the domain raises on purpose.

    DomainError
    ├── Invalid                  what was sent cannot be right, whatever the state
    │   ├── NameInvalid          a repository name
    │   ├── TagInvalid           a tag
    │   ├── DigestInvalid        a digest that cannot be parsed
    │   ├── DigestMismatch       bytes that are not those of their digest
    │   ├── SizeMismatch         a length that is not the one announced
    │   ├── ManifestInvalid      a manifest that breaks its specification
    │   ├── ParameterInvalid     a query parameter or a header
    │   ├── ObjectInvalid        a stored object, with the fields at fault
    │   └── BodyInterrupted      a body that ended early
    ├── MissingReference         a manifest names content that the repository lacks
    ├── NotFound
    │   ├── RepositoryUnknown
    │   ├── ManifestUnknown
    │   ├── BlobUnknown
    │   ├── UploadUnknown
    │   ├── ProjectUnknown
    │   ├── ObjectUnknown        a stored object: a user, a role, a token
    │   └── RouteUnknown
    ├── Conflict
    │   ├── AlreadyExists
    │   ├── StaleRevision        the object has changed since it was read
    │   ├── RangeMismatch        a chunk that does not continue its upload
    │   ├── UploadBusy           another request is writing to the same upload
    │   └── BlobInUse            a manifest of the repository still names the blob
    ├── RangeUnsatisfiable       a byte range outside the content
    ├── Unauthenticated
    │   ├── CredentialsRejected  a wrong password, or a token that is unknown, expired or revoked
    │   └── ScopeMissing         a registry token that was made for something else
    ├── Denied
    ├── LoginRefused             the person is known, but may not have an account here
    ├── GrantRefused             an OAuth request that its specification forbids
    ├── TooLarge
    ├── TooMany
    ├── TooSlow                  the client sent nothing for too long
    ├── Unsupported
    │   └── MethodUnsupported
    └── Unavailable              a dependency fails; the same request may work later
        ├── StorageFull
        ├── StorageReadOnly
        ├── StorageFailed
        ├── MetadataFailed
        ├── ProviderFailed       an identity provider
        └── RemoteFailed         a server that this one asks

Each class takes the facts as keywords and builds its own message.
Statuses and wire codes belong to the faces.
"""

from collections.abc import Sequence

Detail = str | int | list[str]


class DomainError(Exception):
    """An error with a message for people and the facts behind it for programs."""

    def __init__(self, message: str, **detail: Detail) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class Invalid(DomainError):
    """What was sent cannot be right, whatever the state of the registry."""


class NameInvalid(Invalid):
    """A repository name that breaks the grammar."""

    def __init__(self, *, name: str, reason: str) -> None:
        super().__init__(
            f"repository name {_shorten(name)} is not valid: {reason}", name=name[:255]
        )


class TagInvalid(Invalid):
    """A tag that breaks the grammar."""

    def __init__(self, *, tag: str) -> None:
        super().__init__(
            f"tag {_shorten(tag)} is not valid: use 1 to 128 letters, digits, '_', '.' or '-', "
            "not starting with '.' or '-'",
            tag=tag[:255],
        )


class DigestInvalid(Invalid):
    """A digest that cannot be parsed or whose algorithm is unknown."""

    def __init__(self, *, digest: str, reason: str) -> None:
        super().__init__(f"digest {_shorten(digest)} is not valid: {reason}", digest=digest[:255])


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
            f"{parameter} {_shorten(value)} is not valid: {reason}", parameter=parameter
        )


class ObjectInvalid(Invalid):
    """An object that breaks the rules of its kind; `causes` are (field, reason) pairs."""

    def __init__(self, *, kind: str, name: str, causes: Sequence[tuple[str, str]]) -> None:
        listed = "; ".join(f"{field}: {reason}" for field, reason in causes)
        super().__init__(f"{kind} {_shorten(name)} is invalid: {listed}", kind=kind, name=name)
        self.kind = kind
        self.name = name
        self.causes = tuple(causes)


class BodyInterrupted(Invalid):
    """The client went away, or the body ended before its announced length."""

    def __init__(self, *, received: int) -> None:
        super().__init__(
            f"the request body ended early, after {received} bytes; send it again",
            received=received,
        )


class MissingReference(DomainError):
    """A manifest names blobs or manifests that its repository does not hold."""

    def __init__(self, *, repository: str, digests: Sequence[str]) -> None:
        shown = ", ".join(digests[:5]) + (" and more" if len(digests) > 5 else "")
        super().__init__(
            f"repository {repository} does not hold {shown}, which the manifest names; "
            "push that content to the repository first",
            digests=list(digests[:100]),
        )
        self.digests = list(digests)


class NotFound(DomainError):
    """Something named does not exist."""


class RepositoryUnknown(NotFound):
    """No such repository."""

    def __init__(self, *, repository: str) -> None:
        super().__init__(
            f"repository {repository} does not exist; it is created by the first push",
            name=repository,
        )


class ManifestUnknown(NotFound):
    """No such tag or manifest in the repository."""

    def __init__(self, *, repository: str, reference: str) -> None:
        super().__init__(
            f"repository {repository} has no manifest {reference}",
            name=repository,
            reference=reference,
        )


class BlobUnknown(NotFound):
    """No such blob in the repository."""

    def __init__(self, *, repository: str, digest: str) -> None:
        super().__init__(
            f"repository {repository} has no blob {digest}", name=repository, digest=digest
        )


class UploadUnknown(NotFound):
    """No such upload session in the repository."""

    def __init__(self, *, upload_id: str) -> None:
        super().__init__(
            f"upload {_shorten(upload_id)} does not exist in this repository, is finished or has "
            "expired; start a new one with POST",
            upload=upload_id[:64],
        )


class ProjectUnknown(NotFound):
    """No such project."""

    def __init__(self, *, project: str) -> None:
        super().__init__(
            f"project {_shorten(project)} does not exist; make it first: "
            f"atomic-registry new-project {project[:64]}",
            project=project[:255],
        )


class ObjectUnknown(NotFound):
    """No such stored object."""

    def __init__(self, *, kind: str, name: str) -> None:
        super().__init__(f"{kind} {_shorten(name)} does not exist", kind=kind, name=name[:255])
        self.kind = kind
        self.name = name


class RouteUnknown(NotFound):
    """No endpoint has this path."""

    def __init__(self, *, path: str) -> None:
        super().__init__(
            f"there is no endpoint at {_shorten(path)}; the registry's API starts at /v2/",
            path=path[:255],
        )


class Conflict(DomainError):
    """The request contradicts the present state."""


class AlreadyExists(Conflict):
    """An object of this name exists."""

    def __init__(self, *, kind: str, name: str) -> None:
        super().__init__(f"{kind} {_shorten(name)} already exists", kind=kind, name=name[:255])
        self.kind = kind
        self.name = name


class StaleRevision(Conflict):
    """The object has changed since it was read."""

    def __init__(self, *, kind: str, name: str) -> None:
        super().__init__(
            f"{kind} {_shorten(name)} has been modified since it was read; "
            "read it again and apply the change to what it is now",
            kind=kind,
            name=name[:255],
        )
        self.kind = kind
        self.name = name


class RangeMismatch(Conflict):
    """A chunk that does not start where the upload ends."""

    def __init__(self, *, upload_id: str, repository: str, start: int, offset: int) -> None:
        super().__init__(
            f"the chunk starts at byte {start}, but the upload holds {offset} bytes; "
            f"continue at byte {offset}",
            offset=offset,
        )
        self.upload_id = upload_id
        self.repository = repository
        self.offset = offset


class UploadBusy(Conflict):
    """Another request is writing to the same upload session."""

    def __init__(self, *, upload_id: str) -> None:
        super().__init__(
            f"another request is writing to upload {upload_id}; wait for it to end, ask for the "
            "status, then continue",
            upload=upload_id,
        )


class BlobInUse(Conflict):
    """A manifest of the repository still names the blob."""

    def __init__(self, *, repository: str, digest: str) -> None:
        super().__init__(
            f"blob {digest} is still named by a manifest of repository {repository}; "
            "delete that manifest first",
            digest=digest,
        )


class RangeUnsatisfiable(DomainError):
    """No requested byte range lies within the content."""

    def __init__(self, *, size: int) -> None:
        super().__init__(f"the content has {size} bytes; no requested range lies within", size=size)
        self.size = size


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


class TooLarge(DomainError):
    """A body is longer than the limit for its kind."""

    def __init__(self, *, what: str, limit: int) -> None:
        super().__init__(f"{what} is larger than the limit of {limit} bytes", limit=limit)


class TooMany(DomainError):
    """A limit on the number of things is reached for now."""

    def __init__(self, *, what: str, limit: int, retry_after_seconds: int) -> None:
        super().__init__(
            f"too many {what}: at most {limit}; try again in {retry_after_seconds} seconds",
            limit=limit,
        )
        self.retry_after_seconds = retry_after_seconds


class TooSlow(DomainError):
    """The client sent nothing for longer than the limit."""

    def __init__(self, *, limit_seconds: int) -> None:
        super().__init__(
            f"the request body stalled for more than {limit_seconds} seconds; "
            "what arrived of an upload is kept, ask for its status and continue",
            limit=limit_seconds,
        )


class Unsupported(DomainError):
    """Something that the registry knows and does not do."""

    def __init__(self, *, what: str, hint: str) -> None:
        super().__init__(f"{what} is not supported: {hint}")


class MethodUnsupported(Unsupported):
    """The endpoint exists, but not with this method."""

    def __init__(self, *, method: str, allowed: Sequence[str]) -> None:
        super().__init__(what=f"method {_shorten(method)}", hint=f"use {', '.join(allowed)}")
        self.allowed = tuple(allowed)


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


class RemoteFailed(Unavailable):
    """A remote server gives no usable answer."""

    def __init__(self, *, host: str, reason: str) -> None:
        super().__init__(f"no answer from {host} ({reason}); try again", host=host)
        self.reason = reason


def _shorten(text: str) -> str:
    """Quote what a client sent so that it can stand in a log line or a message."""
    return repr(text if len(text) <= 100 else text[:100] + "…")
