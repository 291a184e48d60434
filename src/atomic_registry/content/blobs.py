"""Blobs of a repository: look up, open, mount and unlink."""

from dataclasses import replace

from atomic_registry.clock import Clock
from atomic_registry.content.admission import Admission
from atomic_registry.content.limits import require_bytes
from atomic_registry.content.ports import (
    BlobReader,
    BlobStore,
    HotReads,
    MetadataStore,
    StoredBlob,
    Transaction,
)
from atomic_registry.errors import BlobInUse, BlobUnknown, ScopeMissing
from atomic_registry.identity.actors import Actor
from atomic_registry.identity.policy import Policy, Verb
from atomic_registry.oci.digest import Digest
from atomic_registry.oci.reference import RepositoryName

# How many repositories an anonymous mount looks at for one that the caller may read.
_MOUNT_CANDIDATES = 100


class BlobService:
    """A blob is readable through a repository that links it, and through no other."""

    def __init__(
        self,
        metadata: MetadataStore,
        blobs: BlobStore,
        policy: Policy,
        clock: Clock,
        *,
        quotas: bool = True,
    ) -> None:
        self._quotas = quotas
        self._metadata = metadata
        self._blobs = blobs
        self._policy = policy
        self._admission = Admission(policy)
        self._clock = clock

    async def get(self, repository: RepositoryName, digest: Digest) -> StoredBlob:
        """Return the blob.

        Raises:
            BlobUnknown: the repository does not link it.
        """
        return _there(await self._metadata.find_blob(repository, digest), repository, digest)

    def get_now(self, hot: HotReads, repository: RepositoryName, digest: Digest) -> StoredBlob:
        """Do what `get` does, without waiting."""
        return _there(hot.find_blob_now(repository, digest), repository, digest)

    async def open(self, blob: StoredBlob) -> BlobReader:
        """Open the bytes; the caller closes them."""
        return await self._blobs.open(blob.key)

    async def mount(
        self,
        actor: Actor,
        target: RepositoryName,
        digest: Digest,
        source: RepositoryName | None,
    ) -> bool:
        """Link a blob that the caller can read elsewhere; False if there is none.

        Without a source any repository that the caller may pull from will do. The answer is the
        same for a blob that is missing and for one that the caller may not read.

        Raises:
            ScopeMissing: the caller may read the source, but its token is not for it.
            QuotaExceeded: the target's project may not have so many bytes.
        """
        if source is not None and not self._policy.allowed(actor, Verb.PULL, source):
            if self._policy.allowed(replace(actor, repositories=None), Verb.PULL, source):
                raise ScopeMissing
            return False
        now = self._clock.now()

        def commit_mount(tx: Transaction) -> bool:
            if source is None:
                candidates = tx.blobs.list_linking(digest, limit=_MOUNT_CANDIDATES)
            else:
                candidates = [source]
            for candidate in candidates:
                if not self._policy.allowed(actor, Verb.PULL, candidate):
                    continue
                # Shared, so that the source cannot lose the blob before this commits.
                repository = tx.repositories.find(candidate, lock="shared")
                blob = repository and tx.blobs.find_linked(repository.id, digest)
                if blob:
                    self._admission.check(tx, actor, target)
                    entered = self._admission.enter(tx, target, now)
                    self._require_bytes(tx, target.project, blob)
                    tx.blobs.link(entered.id, digest, now)
                    return True
            return False

        return await self._metadata.write(commit_mount)

    def _require_bytes(self, tx: Transaction, project: str, blob: StoredBlob) -> None:
        if self._quotas:
            require_bytes(tx, project, {blob.digest: blob.size})

    async def delete(self, repository: RepositoryName, digest: Digest) -> None:
        """Take the blob out of the repository at once.

        Raises:
            BlobUnknown: it is not in it.
            BlobInUse: a manifest of the repository names it.
        """

        def commit_delete(tx: Transaction) -> None:
            stored = tx.repositories.find(repository, lock="exclusive")
            if stored is None or tx.blobs.find_linked(stored.id, digest) is None:
                raise BlobUnknown(repository=str(repository), digest=str(digest))
            if tx.manifests.is_blob_named(stored.id, digest):
                raise BlobInUse(repository=str(repository), digest=str(digest))
            tx.blobs.unlink(stored.id, digest)

        await self._metadata.write(commit_delete)


def _there(blob: StoredBlob | None, repository: RepositoryName, digest: Digest) -> StoredBlob:
    if blob is None:
        raise BlobUnknown(repository=str(repository), digest=str(digest))
    return blob
