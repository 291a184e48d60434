"""Push, pull and delete of manifests: the transaction at the heart of the registry."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from atomic_registry.clock import Clock
from atomic_registry.content.admission import Admission
from atomic_registry.content.images import delete_manifest
from atomic_registry.content.limits import require_images
from atomic_registry.content.ports import (
    HotReads,
    MetadataStore,
    Repository,
    StoredManifest,
    Transaction,
)
from atomic_registry.content.tags import (
    HISTORY_KEPT,
    Mover,
    announce,
    move_tags,
    remove_tag,
    repository_change,
    to_store,
)
from atomic_registry.errors import (
    DigestMismatch,
    ManifestInvalid,
    ManifestUnknown,
    MissingReference,
    ParameterInvalid,
    RepositoryUnknown,
)
from atomic_registry.identity.actors import Actor
from atomic_registry.oci.descriptor import Descriptor
from atomic_registry.oci.digest import DEFAULT_ALGORITHM, Digest
from atomic_registry.oci.manifest import Manifest, parse_manifest
from atomic_registry.oci.reference import Reference, RepositoryName, Tag

# Tags that one push may move; the specification asks for at least 10.
MAX_TAGS_PER_PUSH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PushResult:
    """What a push stored, and the subject that it was attached to."""

    digest: Digest
    subject: Digest | None
    tags: tuple[Tag, ...]


class ManifestService:
    """Manifests are stored and served as the bytes that were pushed."""

    def __init__(
        self,
        metadata: MetadataStore,
        admission: Admission,
        clock: Clock,
        *,
        history_kept: int = HISTORY_KEPT,
        quotas: bool = True,
    ) -> None:
        self._quotas = quotas
        self._metadata = metadata
        self._admission = admission
        self._clock = clock
        self._history_kept = history_kept

    async def get(self, repository: RepositoryName, reference: Reference) -> StoredManifest:
        """Return the manifest that the tag or the digest names.

        Raises:
            ManifestUnknown: there is none.
        """
        manifest = await self._metadata.find_manifest(repository, reference)
        return _there(manifest, repository, reference)

    def get_now(
        self, hot: HotReads, repository: RepositoryName, reference: Reference
    ) -> StoredManifest:
        """Do what `get` does, without waiting."""
        return _there(hot.find_manifest_now(repository, reference), repository, reference)

    async def push(
        self,
        actor: Actor,
        repository: RepositoryName,
        reference: Reference,
        *,
        content_type: str,
        body: bytes,
        tags: Sequence[Tag] = (),
    ) -> PushResult:
        """Store the manifest and point the tags at it: all of it, or nothing.

        Raises:
            ManifestInvalid, Unsupported: the document cannot be taken.
            DigestMismatch: the reference is a digest, and not of these bytes.
            MissingReference: the repository lacks content that the manifest names.
            QuotaExceeded: limits of the project forbid it.
        """
        if len(tags) > MAX_TAGS_PER_PUSH:
            raise ParameterInvalid(
                parameter="tag", value=str(tags[-1]), reason=f"give at most {MAX_TAGS_PER_PUSH}"
            )
        by_digest = isinstance(reference, Digest)
        algorithm = reference.algorithm if isinstance(reference, Digest) else DEFAULT_ALGORITHM
        manifest = parse_manifest(body, content_type, algorithm=algorithm)
        if by_digest and manifest.digest != reference:
            raise DigestMismatch(expected=str(reference), actual=str(manifest.digest))
        moved = tuple(dict.fromkeys((*tags, *(() if by_digest else (reference,)))))
        now = self._clock.now()
        size = sum({item.digest: item.size for item in manifest.blobs}.values())
        mover = Mover(actor=actor, now=now, history_kept=self._history_kept, size=size)

        def commit_push(tx: Transaction) -> None:
            self._admission.check(tx, actor, repository)
            stored = self._admission.enter(tx, repository, now)
            _check_references(tx, stored, manifest)
            if stored.pushed_at is None:
                announce(tx, stored, actor)
            if self._quotas:
                require_images(tx, stored, [manifest])
            is_new = tx.manifests.put(stored.id, to_store(manifest), now)
            tx.repositories.mark_pushed(stored.id, now)
            if is_new and not moved:
                digest = str(manifest.digest)
                facts = {"digest": digest, "size": str(size), "new": "true"}
                tx.append(repository_change("pushed", actor, repository, **facts))
            move_tags(tx, stored, moved, manifest.digest, replace(mover, is_new=is_new))

        await self._metadata.write(commit_push)
        subject = manifest.subject
        return PushResult(
            digest=manifest.digest,
            subject=subject.digest if subject is not None else None,
            tags=moved,
        )

    async def delete(self, actor: Actor, repository: RepositoryName, reference: Reference) -> None:
        """Remove a tag, or a manifest with every tag that points at it, at once.

        Raises:
            RepositoryUnknown, ManifestUnknown: there is no such thing.
        """
        mover = Mover(actor=actor, now=self._clock.now())

        def commit_delete(tx: Transaction) -> None:
            stored = tx.repositories.find(repository, lock="exclusive")
            if stored is None:
                raise RepositoryUnknown(repository=str(repository))
            if isinstance(reference, Tag):
                removed = remove_tag(tx, stored, reference, mover)
            else:
                removed = delete_manifest(tx, stored, reference, mover)
            if not removed:
                raise ManifestUnknown(repository=str(repository), reference=str(reference))

        await self._metadata.write(commit_delete)


def _there(
    manifest: StoredManifest | None, repository: RepositoryName, reference: Reference
) -> StoredManifest:
    if manifest is None:
        raise ManifestUnknown(repository=str(repository), reference=str(reference))
    return manifest


def _check_references(tx: Transaction, repository: Repository, manifest: Manifest) -> None:
    blobs = tx.blobs.sizes(repository.id, [item.digest for item in manifest.blobs])
    children = tx.manifests.sizes(repository.id, [item.digest for item in manifest.children])
    missing = [
        str(item.digest)
        for item, sizes in (
            *((item, blobs) for item in manifest.blobs),
            *((item, children) for item in manifest.children),
        )
        if item.digest not in sizes
    ]
    if missing:
        raise MissingReference(repository=str(repository.name), digests=missing)
    _check_sizes(manifest.blobs, blobs)
    _check_sizes(manifest.children, children)


def _check_sizes(named: Sequence[Descriptor], sizes: dict[Digest, int]) -> None:
    for item in named:
        if item.size != sizes[item.digest]:
            raise ManifestInvalid(
                reason=f"it gives {item.digest} a size of {item.size} bytes, "
                f"but that content has {sizes[item.digest]}"
            )
