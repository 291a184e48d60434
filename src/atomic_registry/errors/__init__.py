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
    │   ├── PatchFailed          a patch that does not fit the object
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
    │   ├── ApplyConflict        somebody else manages the fields that are applied
    │   ├── RangeMismatch        a chunk that does not continue its upload
    │   ├── UploadBusy           another request is writing to the same upload
    │   ├── BlobInUse            a manifest of the repository still names the blob
    │   └── ImageInUse           a tag points at the image, or an index lists it
    ├── QuotaExceeded            a limit range or a quota of the project allows no more
    ├── RangeUnsatisfiable       a byte range outside the content
    ├── Expired                  history that is asked for is no longer kept
    ├── Unauthenticated
    │   ├── CredentialsRejected  a wrong password, or a token that is unknown, expired or revoked
    │   └── ScopeMissing         a registry token that was made for something else
    ├── Denied
    ├── LoginRefused             the person is known, but may not have an account here
    ├── GrantRefused             an OAuth request that its specification forbids
    ├── TooLarge
    ├── TooMany
    ├── TooSlow                  the client sent nothing for too long
    ├── TimedOut                 a request took longer than it may; what it does may still happen
    ├── Unsupported
    │   ├── MethodUnsupported
    │   └── NotAcceptable        none of the forms that the client takes is served
    └── Unavailable              a dependency fails; the same request may work later
        ├── StorageFull
        ├── StorageReadOnly
        ├── StorageFailed
        ├── MetadataFailed
        ├── FutureRevision       a state that is newer than what is known here
        ├── ProviderFailed       an identity provider
        └── RemoteFailed         a server that this one asks

Each class takes the facts as keywords and builds its own message.
Statuses and wire codes belong to the faces.
"""

from atomic_registry.errors.access import (
    CredentialsRejected,
    Denied,
    GrantRefused,
    LoginRefused,
    ScopeMissing,
    TooMany,
    Unauthenticated,
)
from atomic_registry.errors.base import (
    DomainError,
)
from atomic_registry.errors.invalid import (
    BodyInterrupted,
    DigestInvalid,
    DigestMismatch,
    Invalid,
    ManifestInvalid,
    MethodUnsupported,
    NameInvalid,
    NotAcceptable,
    ObjectInvalid,
    ParameterInvalid,
    PatchFailed,
    RangeUnsatisfiable,
    SizeMismatch,
    TagInvalid,
    TooLarge,
    TooSlow,
    Unsupported,
)
from atomic_registry.errors.state import (
    AlreadyExists,
    ApplyConflict,
    BlobInUse,
    BlobUnknown,
    Conflict,
    Expired,
    ImageInUse,
    ManifestUnknown,
    MissingReference,
    NameAmbiguous,
    NotFound,
    ObjectUnknown,
    ProjectUnknown,
    QuotaExceeded,
    RangeMismatch,
    RepositoryUnknown,
    RouteUnknown,
    StaleRevision,
    UploadBusy,
    UploadUnknown,
)
from atomic_registry.errors.unavailable import (
    FutureRevision,
    MetadataFailed,
    ProviderFailed,
    RemoteFailed,
    StorageFailed,
    StorageFull,
    StorageReadOnly,
    TimedOut,
    Unavailable,
)

__all__ = [
    "AlreadyExists",
    "ApplyConflict",
    "BlobInUse",
    "BlobUnknown",
    "BodyInterrupted",
    "Conflict",
    "CredentialsRejected",
    "Denied",
    "DigestInvalid",
    "DigestMismatch",
    "DomainError",
    "Expired",
    "FutureRevision",
    "GrantRefused",
    "ImageInUse",
    "Invalid",
    "LoginRefused",
    "ManifestInvalid",
    "ManifestUnknown",
    "MetadataFailed",
    "MethodUnsupported",
    "MissingReference",
    "NameAmbiguous",
    "NameInvalid",
    "NotAcceptable",
    "NotFound",
    "ObjectInvalid",
    "ObjectUnknown",
    "ParameterInvalid",
    "PatchFailed",
    "ProjectUnknown",
    "ProviderFailed",
    "QuotaExceeded",
    "RangeMismatch",
    "RangeUnsatisfiable",
    "RemoteFailed",
    "RepositoryUnknown",
    "RouteUnknown",
    "ScopeMissing",
    "SizeMismatch",
    "StaleRevision",
    "StorageFailed",
    "StorageFull",
    "StorageReadOnly",
    "TagInvalid",
    "TimedOut",
    "TooLarge",
    "TooMany",
    "TooSlow",
    "Unauthenticated",
    "Unavailable",
    "Unsupported",
    "UploadBusy",
    "UploadUnknown",
]
