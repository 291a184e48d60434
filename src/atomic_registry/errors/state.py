"""The request contradicts what there is, or what there is not."""

from collections.abc import Sequence

from atomic_registry.errors.base import DomainError, shorten

_MAX_CONFLICTS = 100
_SHOWN_USES = 5


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
            f"upload {shorten(upload_id)} does not exist in this repository, is finished or has "
            "expired; start a new one with POST",
            upload=upload_id[:64],
        )


class ProjectUnknown(NotFound):
    """No such project."""

    def __init__(self, *, project: str) -> None:
        super().__init__(
            f"project {shorten(project)} does not exist; make it first: "
            f"atomic-registry new-project {project[:64]}",
            project=project[:255],
        )


class ObjectUnknown(NotFound):
    """No such stored object."""

    def __init__(self, *, kind: str, name: str) -> None:
        super().__init__(f"{kind} {shorten(name)} does not exist", kind=kind, name=name[:255])
        self.kind = kind
        self.name = name


class RouteUnknown(NotFound):
    """No endpoint has this path."""

    def __init__(self, *, path: str) -> None:
        super().__init__(
            f"there is no endpoint at {shorten(path)}; the registry's API starts at /v2/",
            path=path[:255],
        )


class Conflict(DomainError):
    """The request contradicts the present state."""


class AlreadyExists(Conflict):
    """An object of this name exists."""

    def __init__(self, *, kind: str, name: str) -> None:
        super().__init__(f"{kind} {shorten(name)} already exists", kind=kind, name=name[:255])
        self.kind = kind
        self.name = name


class NameAmbiguous(Conflict):
    """A name that is only begun fits several objects."""

    def __init__(self, *, kind: str, name: str, found: Sequence[str]) -> None:
        super().__init__(
            f"{kind} {shorten(name)} may mean several: {', '.join(found[:5])}; write more of it",
            kind=kind,
            name=name[:255],
        )
        self.kind = kind
        self.name = name


class StaleRevision(Conflict):
    """The object has changed since it was read."""

    def __init__(self, *, kind: str, name: str) -> None:
        super().__init__(
            f"{kind} {shorten(name)} has been modified since it was read; "
            "read it again and apply the change to what it is now",
            kind=kind,
            name=name[:255],
        )
        self.kind = kind
        self.name = name


class ApplyConflict(Conflict):
    """Somebody else manages what an apply would change; pairs of (manager, field)."""

    def __init__(self, *, conflicts: Sequence[tuple[str, str]]) -> None:
        self.conflicts = tuple(conflicts[:_MAX_CONFLICTS])
        count = f"{len(conflicts)} conflict{'s' if len(conflicts) > 1 else ''}"
        if len(conflicts) == 1:
            [(manager, field)] = conflicts
            shown = f"conflict with {manager}: {field}"
        else:
            fields: dict[str, list[str]] = {}
            for manager, field in self.conflicts:
                fields.setdefault(manager, []).append(f"- {field}")
            # Clients of Kubernetes print this form as it is.
            shown = "\n".join(
                f"conflicts with {manager}:\n" + "\n".join(fields[manager])
                for manager in sorted(fields)
            )
        super().__init__(f"Apply failed with {count}: {shown}")


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


class ImageInUse(Conflict):
    """A tag of a repository points at the image, or an index there lists it."""

    def __init__(self, *, digest: str, uses: Sequence[str]) -> None:
        shown = ", ".join(uses[:_SHOWN_USES])
        more = " and more" if len(uses) > _SHOWN_USES else ""
        super().__init__(
            f"image {digest} is still used by {shown}{more}; delete those tags and indexes first",
            digest=digest,
        )


class QuotaExceeded(DomainError):
    """A limit of the project allows no more; `by` is the object that says so."""

    def __init__(
        self,
        *,
        project: str,
        by: str,
        resource: str,
        requested: str,
        used: str,
        limited: str,
    ) -> None:
        kind, _, name = by.partition(" ")
        what = "quota" if kind == "resourcequota" else "limit"
        super().__init__(
            f"exceeded {what}: {name}, requested: {resource}={requested}, "
            f"used: {resource}={used}, limited: {resource}={limited}; delete what project "
            f"{project} no longer needs, push less, or have its {by} raised",
            project=project,
            limit=by,
            resource=resource,
            requested=requested,
            used=used,
            limited=limited,
        )


class Expired(DomainError):
    """Changes are asked for that the log no longer holds, or does not hold yet."""

    def __init__(self, *, revision: int) -> None:
        super().__init__(
            f"changes since resourceVersion {revision} are no longer known; list the objects again "
            "and watch from the resourceVersion of that list"
        )
